import type { StateStore } from '../../lib/state/store';
import type { ContextQuestion } from '../declaration';
import { openStateOf } from '../shared/state';
import type { HealthContext } from './operation';
import { surroundingsOf } from './surroundings';

export function healthContext({ execute, itemIndex, input, task }: ContextQuestion): HealthContext {
  return {
    surroundings: () => surroundingsOf(execute, itemIndex),
    openStore: async (): Promise<StateStore> => {
      const [keepIn, stateHost] = [textOf(input['keepIn']), textOf(input['stateHost'])];
      return (await openStateOf(execute, itemIndex, { keepIn, stateHost }, task)).store;
    },
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
