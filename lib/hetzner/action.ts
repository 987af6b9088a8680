import { Failure } from '../failure';
import { isObject } from '../json';
import { nextStepOf } from './explain';
import { field, type ItemOf, integer, nullable, number, readItem, text } from './shape';

/** What Hetzner does about a request, after it has answered it. */
export const actionShape = {
  id: field('id', integer),
  command: field('command', text),
  status: field('status', text),
  progress: field('progress', number),
  startedAt: field('started', text),
  finishedAt: field('finished', nullable(text)),
  errorCode: field('error.code', nullable(text)),
  errorMessage: field('error.message', nullable(text)),
} as const;

export type Action = ItemOf<typeof actionShape>;

export function readAction(value: unknown): Action {
  return readItem(actionShape, value, 'action');
}

/** All actions of an answer: `action`, `actions` and `next_actions`. */
export function actionsIn(body: unknown): readonly Action[] {
  if (!isObject(body)) return [];
  const one = isObject(body['action']) ? [body['action']] : [];
  const more = ['actions', 'next_actions'].flatMap((name) =>
    Array.isArray(body[name]) ? (body[name] as readonly unknown[]) : [],
  );
  return [...one, ...more].map(readAction);
}

export function subjectOfAction({ id, command }: Pick<Action, 'id' | 'command'>): string {
  return `Hetzner action ${id} (${command})`;
}

/** An action that ended badly, with the API's own code. */
export function failed(action: Action): Failure {
  const code = action.errorCode ?? 'action_failed';
  return new Failure({
    code,
    subject: subjectOfAction(action),
    message: `Hetzner could not finish ${action.command}: ${action.errorMessage ?? 'it gave no reason'}`,
    nextStep: nextStepOf(code) ?? 'Look at it in the Cloud Console, and run it again when the cause is gone.',
    details: { actionId: action.id, command: action.command, status: action.status },
  });
}

export function vanished(action: Action): Failure {
  return new Failure({
    code: 'action_vanished',
    subject: subjectOfAction(action),
    message: `Hetzner does not know its action ${action.id} (${action.command}) any more, so its end is not known`,
    nextStep: 'Look whether it took effect before you do it again.',
    details: { actionId: action.id, command: action.command },
  });
}

export function tooSlow(action: Action, seconds: number): Failure {
  return new Failure({
    code: 'action_timeout',
    subject: subjectOfAction(action),
    message: `${action.command} was not finished after ${seconds} s; it was at ${action.progress} %`,
    nextStep: 'It goes on at Hetzner. Get the action by its id to see how it ends, or allow more time.',
    details: { actionId: action.id, command: action.command, progress: action.progress },
  });
}
