import type { StateStore } from '../../lib/state/store';
import type { ContextQuestion } from '../declaration';
import { openStateOf, type OpenedState } from '../shared/state';
import type { AlertContext } from './operation';

/** Items of one execution share a connection. Gone with the execution. */
const shared = new WeakMap<object, Map<string, Promise<OpenedState>>>();

export async function alertContext(question: ContextQuestion): Promise<AlertContext & { readOnly: boolean }> {
  const { execute, itemIndex, input, task } = question;
  const [keepIn, stateHost] = [textOf(input['keepIn']), textOf(input['stateHost'])];
  const ofExecution = shared.get(execute) ?? new Map<string, Promise<OpenedState>>();
  shared.set(execute, ofExecution);
  const key = JSON.stringify([keepIn, stateHost]);
  const opened = ofExecution.get(key) ?? openStateOf(execute, itemIndex, { keepIn, stateHost }, task);
  ofExecution.set(key, opened);
  const { store, readOnly }: { store: StateStore; readOnly: boolean } = await opened;
  return { store, readOnly };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
