import { makeMemory, memoryState } from '../../../../../lab/memory-state';
import type { Delivery } from '../../../../../lib/forgejo/webhook/deliveries';
import { inTime, keptDeliveries } from '../../../../../lib/forgejo/webhook/kept-deliveries';
import type { StateStore } from '../../../../../lib/state/store';
import { failureOf } from '../../../../shared/failure';
import { quietTask } from '../../../../shared/task';

const HOUR = 60 * 60 * 1000;

/** Processes that share one state, and its clock. */
function processes() {
  const clock = { now: Date.UTC(2026, 0, 1) };
  const shared = makeMemory(() => clock.now);
  return { clock, shared, start: () => keptDeliveries(memoryState(shared, quietTask())) };
}

function delivery(id: string, change: Partial<Delivery> = {}): Delivery {
  return { trigger: 'workflow/node/webhook', id, content: 'aa', generation: 1, ...change };
}

test('a delivery is new once, for all processes and after a restart', async () => {
  const { start } = processes();
  const [one, other] = [start(), start()];
  const answers = await Promise.all([one, other, one, other].map(async (memory) => memory.isNew(delivery('A-1'))));
  expect(answers.filter(Boolean)).toHaveLength(1);
  expect(await start().isNew(delivery('a-1'))).toBe(false);
  expect(await start().isNew(delivery('a-2'))).toBe(true);
});

test('each trigger has a memory of its own', async () => {
  const { start } = processes();
  const memory = start();
  expect(await memory.isNew(delivery('a'))).toBe(true);
  expect(await memory.isNew(delivery('a', { trigger: 'workflow/other%2Fnode/webhook' }))).toBe(true);
});

test('while a hook is replaced, what both send is new once, whichever process gets which', async () => {
  const { start, clock } = processes();
  expect(await start().isNew(delivery('a', { generation: 1 }))).toBe(true);
  expect(await start().isNew(delivery('b', { generation: 2 }))).toBe(false);
  clock.now += HOUR;
  expect(await start().isNew(delivery('c', { generation: 2 }))).toBe(true);
});

test('an id is forgotten after a week, and its entry is swept away', async () => {
  const { start, clock, shared } = processes();
  const memory = start();
  expect(await memory.isNew(delivery('a'))).toBe(true);
  clock.now += 7 * 24 * HOUR - 1;
  expect(await memory.isNew(delivery('a'))).toBe(false);
  clock.now += 1;
  expect(await memory.isNew(delivery('a'))).toBe(true);
  clock.now += 8 * 24 * HOUR;
  const store = memoryState(shared, quietTask());
  expect(await store.cleanUp()).toBeGreaterThan(0);
});

test.each([1, 2])('when write %i fails, nothing is new, and the same delivery may come again', async (failing) => {
  const { shared, start } = processes();
  const sound = memoryState(shared, quietTask());
  let writes = 0;
  const write =
    <Given extends readonly unknown[], Result>(real: (...given: Given) => Promise<Result>) =>
    async (...given: Given) => {
      writes += 1;
      if (writes === failing) throw new Error('The place of the state is gone');
      return real(...given);
    };
  const broken: StateStore = { ...sound, create: write(sound.create), once: write(sound.once) };
  await expect(keptDeliveries(broken).isNew(delivery('a'))).rejects.toThrow('gone');
  expect(await start().isNew(delivery('a'))).toBe(true);
});

test('a state that is too slow is not waited for, and what it finds new too late may come again', async () => {
  const { shared, start } = processes();
  const sound = memoryState(shared, quietTask());
  let letGo: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (letGo = resolve));
  let forgotten: () => void = () => undefined;
  const isForgotten = new Promise<void>((resolve) => (forgotten = resolve));
  const slow: StateStore = {
    ...sound,
    once: async (key, ttlMs) => {
      await held;
      return sound.once(key, ttlMs);
    },
    remove: async (key) => {
      const removed = await sound.remove(key);
      forgotten();
      return removed;
    },
  };
  const memory = inTime(async () => keptDeliveries(slow), 10);
  const failure = await failureOf(Promise.resolve(memory.isNew(delivery('a'))));
  expect(failure).toMatchObject({ code: 'state_too_slow', subject: 'delivery a' });
  letGo();
  await isForgotten;
  expect(await start().isNew(delivery('a'))).toBe(true);
});

test('a state that answers in time is heard, and what it remembers stays', async () => {
  const { start } = processes();
  const memory = inTime(async () => start(), 60_000);
  expect(await memory.isNew(delivery('a'))).toBe(true);
  expect(await memory.isNew(delivery('a'))).toBe(false);
});

test('an entry that a newer version wrote is refused, not misread', async () => {
  const { shared, start } = processes();
  await start().isNew(delivery('a'));
  for (const [key, { document, writes }] of shared.entries) {
    shared.entries.set(key, { document: { ...document, schema: 2 }, writes });
  }
  expect(await failureOf(Promise.resolve(start().isNew(delivery('a'))))).toMatchObject({ code: 'state_newer_schema' });
});
