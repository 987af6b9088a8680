import { makeMemory, memoryState, type Memory } from '../../../../lab/memory-state';
import { stateContract } from '../../../shared/state-contract';
import { quietTask } from '../../../shared/task';

const memory: Memory = makeMemory();

const planted = {
  newer: { schema: 2, version: 5, content: 'unknown' },
  garbled: { schema: 1, version: 'five' },
  cut: {},
};

stateContract('memory', () => ({
  open: () => memoryState(memory, quietTask()),
  plant: (key, what) => {
    memory.entries.set(key, { document: planted[what], writes: [] });
    return Promise.resolve();
  },
}));
