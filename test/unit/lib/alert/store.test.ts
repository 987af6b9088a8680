import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { USUAL_SETTINGS } from '../../../../lib/alert/settings';
import { happen, readMemory } from '../../../../lib/alert/store';
import { quietTask } from '../../../shared/task';
import { MINUTE, NOON, report } from './estate';

const open = () => memoryState(makeMemory(), quietTask());

test('executions that come at once share one incident, and one of them is given its message', async () => {
  const store = open();
  const one = report({});
  const all = (now: number) =>
    Promise.all(
      Array.from({ length: 10 }, () =>
        happen(store, 'estate', { kind: 'reports', reports: [one] }, USUAL_SETTINGS, () => now),
      ),
    );
  expect((await all(NOON)).flat()).toEqual([]);
  expect((await all(NOON + MINUTE)).flat().map(({ id }) => id)).toEqual(['1-firing-0']);
});

test('what is known comes back as it was, also when there is much of it', async () => {
  const store = open();
  const reports = Array.from({ length: 1500 }, (_, index) =>
    report({ target: `site-${index}`, labels: { index: String(index) }, evidence: `HTTP 502 of ${index}, as before` }),
  );
  await happen(store, 'estate', { kind: 'reports', reports }, USUAL_SETTINGS, () => NOON);
  const memory = await readMemory(store, 'estate', USUAL_SETTINGS);
  expect(Object.values(memory.conditions).map(({ target }) => target)).toEqual(reports.map(({ target }) => target));
});

test('a newer memory and a broken one are refused and left alone', async () => {
  const store = open();
  const tick = (name: string) => happen(store, name, { kind: 'tick' }, USUAL_SETTINGS);
  await store.create('alert/newer', { schema: 2 });
  await store.create('alert/broken', { schema: 1, packed: 'nonsense' });
  await store.create('alert/strange', { schema: 1, now: 'noon' });
  await expect(tick('newer')).rejects.toMatchObject({ code: 'alert_state_newer' });
  await expect(tick('broken')).rejects.toMatchObject({ code: 'alert_state_unreadable' });
  await expect(tick('strange')).rejects.toMatchObject({ code: 'alert_state_unreadable' });
  expect((await store.read('alert/newer'))?.value).toEqual({ schema: 2 });
});
