import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { type Failure, isFailure } from '../../../../lib/failure';
import { type Lease, withLease } from '../../../../lib/state/lease';
import type { StateStore } from '../../../../lib/state/store';
import { pause, type Task } from '../../../../lib/task';
import { quietTask } from '../../../shared/task';

const KEY = 'lock/dns/kua.cl';
const memory = () => memoryState(makeMemory(), quietTask());

async function failureOf(
  store: StateStore,
  work: (task: Task, lease: Lease) => Promise<unknown>,
  ttlMs: number,
): Promise<Failure> {
  const outcome = await withLease(store, KEY, { subject: 'zone kua.cl', ttlMs }, quietTask(), work).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (isFailure(outcome)) return outcome;
  throw new Error('It was to fail, and did not', { cause: outcome });
}

const untilStopped = (task: Task) => pause(60_000, task.signal, 'work');

it('is kept up for as long as the work takes', async () => {
  const store = memory();
  await withLease(store, KEY, { subject: 'zone kua.cl', ttlMs: 6_000 }, quietTask(), async () => {
    const first = await store.read(KEY);
    for (let now = first; now?.version === first?.version; now = await store.read(KEY)) {
      await pause(20, AbortSignal.timeout(20_000), 'renewal');
    }
    const end = (entry: typeof first) => Date.parse(entry?.expiresAt ?? '');
    expect(end(await store.read(KEY))).toBeGreaterThan(end(first));
  });
  expect(await store.read(KEY)).toBeUndefined();
});

it('that somebody has taken away stops the work', async () => {
  const store = memory();
  const failure = await failureOf(
    store,
    async (task) => {
      await store.remove(KEY);
      await untilStopped(task);
    },
    120,
  );
  expect(failure).toMatchObject({
    code: 'lease_lost',
    message:
      'The lock of the zone kua.cl could not be kept up, so another execution may work on it by now; this one stopped',
  });
});

it('that cannot be renewed any more stops the work before others may begin, and never counts as held', async () => {
  const store = memory();
  const cutOff: StateStore = { ...store, replace: () => Promise.reject(new Error('the line is dead')) };
  let held: unknown;
  const failure = await failureOf(
    cutOff,
    async (task, { mustHold }) => {
      mustHold();
      await untilStopped(task).catch(() => undefined);
      try {
        mustHold();
      } catch (error) {
        held = error;
        throw error;
      }
    },
    2_000,
  );
  expect(failure.code).toBe('lease_lost');
  expect(held).toBe(failure);
});

it('is given back when the work fails, and its failure is what is said', async () => {
  const store = memory();
  await expect(
    withLease(store, KEY, { subject: 'zone kua.cl' }, quietTask(), () => Promise.reject(new Error('no such zone'))),
  ).rejects.toThrow('no such zone');
  expect(await store.read(KEY)).toBeUndefined();
});

it('hears Stop while it waits, and while it works', async () => {
  const store = memory();
  await store.create(KEY, { holder: 'another' });
  const stop = new AbortController();
  const waiting = { ...quietTask(stop.signal), progress: () => stop.abort() };
  await expect(withLease(store, KEY, { subject: 'zone' }, waiting, untilStopped)).rejects.toMatchObject({
    code: 'cancelled',
  });
  await store.remove(KEY);
  const again = new AbortController();
  const working = withLease(store, KEY, { subject: 'zone' }, quietTask(again.signal), (task) => {
    again.abort();
    return untilStopped(task);
  });
  await expect(working).rejects.toMatchObject({ code: 'cancelled' });
  expect(await store.read(KEY)).toBeUndefined();
});
