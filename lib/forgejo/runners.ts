import type { Task } from '../task';
import type { ForgejoApi } from './api';
import { fieldsOf } from './fields';
import type { Base } from './kind';
import { runners } from './kinds/actions';
import { send } from './things';

export interface NewRunner {
  readonly name: string;
  readonly description: string;
  readonly ephemeral: boolean;
}

/** The token is shown this once. */
export function registerRunner(api: ForgejoApi, base: Base, { name, description, ephemeral }: NewRunner, task: Task) {
  const body = { name, ...(description !== '' && { description }), ...(ephemeral && { ephemeral }) };
  const read = (answer: unknown) => {
    const runner = fieldsOf(answer, 'the new runner');
    return { id: runner.number('id'), uuid: runner.text('uuid'), token: runner.text('token') };
  };
  return send(api, 'POST', base, runners.collection, {}, read, task, { body, since: runners.since });
}

/** What runners register themselves with. */
export function registrationToken(api: ForgejoApi, base: Base, task: Task): Promise<string> {
  const read = (answer: unknown) => fieldsOf(answer, 'the registration token').text('token');
  return send(api, 'GET', base, '/actions/runners/registration-token', {}, read, task);
}
