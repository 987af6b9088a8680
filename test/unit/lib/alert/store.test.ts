import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { USUAL_SETTINGS } from '../../../../lib/alert/settings';
import { confirmMessages, happen, keepSettings, readBook } from '../../../../lib/alert/store';
import { quietTask } from '../../../shared/task';
import { MINUTE, NOON, report } from './estate';

const open = () => memoryState(makeMemory(), quietTask());

test('executions that come at once share one incident, and one of them is given its message', async () => {
  const store = open();
  const one = report({});
  const all = (now: number) =>
    Promise.all(
      Array.from({ length: 10 }, () => happen(store, 'estate', { kind: 'reports', reports: [one] }, () => now)),
    );
  expect((await all(NOON)).flat()).toEqual([]);
  expect((await all(NOON + MINUTE)).flat().map(({ id }) => id)).toEqual(['1-firing-0']);
});

test('what is known comes back as it was, also when there is much of it', async () => {
  const store = open();
  const reports = Array.from({ length: 1500 }, (_, index) =>
    report({ target: `site-${index}`, labels: { index: String(index) }, evidence: `HTTP 502 of ${index}, as before` }),
  );
  await happen(store, 'estate', { kind: 'reports', reports }, () => NOON);
  const { memory } = await readBook(store, 'estate');
  expect(Object.values(memory.conditions).map(({ target }) => target)).toEqual(reports.map(({ target }) => target));
});

test('a newer memory and a broken one are refused and left alone', async () => {
  const store = open();
  const tick = (name: string) => happen(store, name, { kind: 'tick' });
  await store.create('alert/newer', { schema: 2 });
  await store.create('alert/broken', { schema: 1, packed: 'nonsense' });
  await store.create('alert/strange', { schema: 1, outbox: [], memory: { now: 'noon' } });
  await expect(tick('newer')).rejects.toMatchObject({ code: 'alert_state_newer' });
  await expect(tick('broken')).rejects.toMatchObject({ code: 'alert_state_unreadable' });
  await expect(tick('strange')).rejects.toMatchObject({ code: 'alert_state_unreadable' });
  expect((await store.read('alert/newer'))?.value).toEqual({ schema: 2 });
});

/** One execution: something happens at that time, and these messages are its to send. */
function estate() {
  const store = open();
  return {
    at: async (now: number, status?: 'wrong' | 'ok') => {
      const event =
        status === undefined
          ? ({ kind: 'tick' } as const)
          : ({ kind: 'reports', reports: [report({ status, time: now })] } as const);
      const given = await happen(store, 'estate', event, () => now);
      return given.map(({ id, attempt }) => `${id} (${attempt})`);
    },
    confirm: (now: number, ...ids: string[]) => confirmMessages(store, 'estate', ids, () => now),
    store,
  };
}

test('an execution that dies before it says that a message arrived leaves it to the next, under the same id', async () => {
  const { at, confirm } = estate();
  await at(NOON, 'wrong');
  const told = NOON + MINUTE;
  expect(await at(told)).toEqual(['1-firing-0 (1)']);
  expect(await at(told + 119_000)).toEqual([]);
  expect(await at(told + 120_000)).toEqual(['1-firing-0 (2)']);
  expect(await at(told + 120_000 + 239_000)).toEqual([]);
  expect(await at(told + 120_000 + 240_000)).toEqual(['1-firing-0 (3)']);
  expect(await confirm(told + 400_000, '1-firing-0')).toEqual([{ id: '1-firing-0', confirmed: true }]);
  expect(await confirm(told + 400_001, '1-firing-0')).toEqual([{ id: '1-firing-0', confirmed: false }]);
  expect(await at(told + 14 * MINUTE)).toEqual([]);
});

test('of ten executions that come when a message is due again, one is given it', async () => {
  const { at } = estate();
  await at(NOON, 'wrong');
  await at(NOON + MINUTE);
  const all = await Promise.all(Array.from({ length: 10 }, () => at(NOON + 4 * MINUTE)));
  expect(all.flat()).toEqual(['1-firing-0 (2)']);
});

test('whoever heard that it is over is not told any more that it began; whoever heard neither is told both in order', async () => {
  const { at, confirm } = estate();
  await at(NOON, 'wrong');
  expect(await at(NOON + MINUTE)).toEqual(['1-firing-0 (1)']);
  await at(NOON + MINUTE + 1, 'ok');
  expect(await at(NOON + 2 * MINUTE + 1)).toEqual(['1-resolved (1)']);
  expect(await at(NOON + 5 * MINUTE)).toEqual(['1-firing-0 (2)', '1-resolved (2)']);
  await confirm(NOON + 5 * MINUTE, '1-resolved');
  expect(await at(NOON + 60 * MINUTE)).toEqual([]);
});

test('what nobody could send for a day is not sent any more', async () => {
  const { at } = estate();
  await at(NOON, 'wrong');
  expect(await at(NOON + MINUTE)).toEqual(['1-firing-0 (1)']);
  const next = await at(NOON + MINUTE + 24 * 60 * MINUTE);
  expect(next).not.toContainEqual(expect.stringMatching(/^1-firing-0 /));
  // What is still wrong is said anew.
  expect(next).toContainEqual(expect.stringMatching(/^1-firing-1 \(1\)$/));
});

test('without confirmation each message is given once, whatever becomes of it', async () => {
  const { at, store } = estate();
  const settings = { ...USUAL_SETTINGS, confirmed: false, escalateAfterMs: [], repeatMs: 0 };
  await keepSettings(store, 'estate', settings, () => NOON);
  await at(NOON, 'wrong');
  expect(await at(NOON + MINUTE)).toEqual(['1-firing-0 (1)']);
  expect(await at(NOON + 20 * MINUTE)).toEqual([]);
  expect((await readBook(store, 'estate')).outbox).toEqual([]);
});
