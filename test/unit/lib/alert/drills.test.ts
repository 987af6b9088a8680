import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { beginDrill, planDrills, readDrills, recordDrill } from '../../../../lib/alert/drills';
import { statusPage } from '../../../../lib/alert/render/status-page';
import { exampleStatus } from '../../../shared/status-example';
import { quietTask } from '../../../shared/task';

const DAY = 86_400_000;
const NOW = Date.parse('2026-01-31T12:00:00Z');
const monthly = { name: 'switchover of immich', everyDays: 30 };
const good = { ok: true, seconds: 42, sentence: 'there and back' };

const open = () => memoryState(makeMemory(), quietTask());
const at = (days: number) => () => NOW + days * DAY;

test('a drill that nobody has done is due at once, and overdue when its time and a quarter have passed', async () => {
  const store = open();
  expect(await planDrills(store, 'lab', [monthly], at(0))).toEqual([
    {
      ...{ ...monthly, last: null, lastGoodAt: null, dueAt: NOW, due: true, overdue: false, runs: [] },
    },
  ]);
  const later = async (days: number) => (await planDrills(store, 'lab', [monthly], at(days)))[0]?.overdue;
  expect([await later(37), await later(38)]).toEqual([false, true]);
});

test('done is done for as long as it said, also for whoever looks some hours too early', async () => {
  const store = open();
  await planDrills(store, 'lab', [monthly], at(0));
  await recordDrill(store, 'lab', monthly.name, good, at(0));
  const due = async (days: number) => (await planDrills(store, 'lab', [monthly], at(days)))[0]?.due;
  expect([await due(1), await due(29), await due(29.9), await due(31)]).toEqual([false, false, true, true]);
});

test('one that failed is tried again the next day, and does not count as done', async () => {
  const store = open();
  await planDrills(store, 'lab', [monthly], at(0));
  await recordDrill(store, 'lab', monthly.name, good, at(0));
  const failed = { ...good, ok: false, sentence: 'the standby was behind' };
  expect(await recordDrill(store, 'lab', monthly.name, failed, at(31))).toMatchObject({ due: false, overdue: false });
  const [view] = await planDrills(store, 'lab', [monthly], at(39));
  expect(view).toMatchObject({ due: true, overdue: true, lastGoodAt: NOW, last: failed });
});

test('of several who find it due only one begins it, and whoever is killed in it leaves it to the next', async () => {
  const store = open();
  await planDrills(store, 'lab', [monthly], at(0));
  const begin = async (days: number) => (await beginDrill(store, 'lab', monthly.name, at(days))).begun;
  expect((await Promise.all([begin(0), begin(0), begin(0)])).sort()).toEqual([false, false, true]);
  expect((await planDrills(store, 'lab', [monthly], at(0.1)))[0]?.due).toBe(false);
  expect([await begin(0.2), await begin(0.3)]).toEqual([false, true]);
  await recordDrill(store, 'lab', monthly.name, good, at(0.3));
  expect([await begin(0.3), await begin(1), await begin(31)]).toEqual([false, false, true]);
  expect((await beginDrill(store, 'lab', 'never planned', at(0))).begun).toBe(false);
});

test('what the calendar wants no more is never due, and keeps its times', async () => {
  const store = open();
  await planDrills(store, 'lab', [monthly], at(0));
  await recordDrill(store, 'lab', monthly.name, good, at(0));
  await planDrills(store, 'lab', [], at(1));
  expect(await readDrills(store, 'lab', at(400))).toMatchObject([{ due: false, overdue: false, runs: [good] }]);
  // Wanted again, it is not overdue because of the time in between.
  expect(await planDrills(store, 'lab', [monthly], at(400))).toMatchObject([{ due: true, overdue: false }]);
});

test('what cannot be read is refused and left alone', async () => {
  const store = open();
  await store.create('drills/lab', { schema: 2, drills: {} });
  await expect(recordDrill(store, 'lab', 'a', good)).rejects.toMatchObject({ code: 'drills_unreadable' });
  expect((await store.read('drills/lab'))?.value).toEqual({ schema: 2, drills: {} });
});

test.each([
  ['a time that is no number', { everyDays: null, since: 0, runs: [{ ...good, at: 'yesterday' }] }],
  ['a run that says not whether it worked', { everyDays: 7, since: 0, runs: [{ at: 0, seconds: 1, sentence: '' }] }],
  ['no times at all', { everyDays: 7, since: 0 }],
])('damage is not taken for a drill: %s', async (_, kept) => {
  const store = open();
  await store.create('drills/lab', { schema: 1, drills: { restore: kept } });
  await expect(readDrills(store, 'lab')).rejects.toMatchObject({ code: 'drills_unreadable' });
});

test('the status page shows when each was done, how long it took, and what is overdue', async () => {
  const store = open();
  await planDrills(store, 'lab', [monthly, { name: 'restore <all>', everyDays: 7 }], at(-90));
  await recordDrill(store, 'lab', monthly.name, good, at(-2));
  const html = statusPage({ ...exampleStatus, at: NOW, drills: await readDrills(store, 'lab', at(0)) });
  const section = /<h2>Drills<\/h2>[\s\S]*?<\/section>/.exec(html)?.[0] ?? '';
  expect(section.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ')).toBe(
    ' Drills restore &lt;all&gt; Overdue never; every 7 d switchover of immich Done 2 d ago, in 42 s; every 30 d ',
  );
});
