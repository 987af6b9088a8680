import type { JournalShown } from '../../../../../lib/postgres/replication/journal';
import { nameOfLost, nameOfPrimary } from '../../../../../lib/postgres/replication/roles';
import { cluster, member, receiver } from './members';

const journal = (step: JournalShown['step']): JournalShown => ({
  ...{ kind: 'switchover', epoch: 5, run: 'one', from: 'bruno', to: 'eva', step, fence: null, lsn: null },
  ...{ lossless: true, claimedAt: '2026-11-21T14:00:00Z' },
});
const record = (epoch: number, primary: string) => ({ epoch, primary, promotable: false });

// A primary that was stopped for a switchover has the other one written down already, which is none yet.
const stopped = member('bruno', {}, { server: { kind: 'down' }, record: record(5, 'eva') });
const waiting = (step: JournalShown['step']) =>
  member('eva', { role: 'standby', receiver }, { record: record(4, 'bruno'), journal: journal(step) });

test('whoever a promotion takes the role from has lost it, whatever the newest record says', () => {
  expect(nameOfPrimary(cluster, [stopped, waiting('cut')])).toBe('eva');
  expect(nameOfLost(cluster, [stopped, waiting('claimed')])).toBe('bruno');
  expect(nameOfLost(cluster, [stopped, waiting('promoted')])).toBe('bruno');
});

test('a promotion that has ended says nothing more about who has lost the role', () => {
  expect(nameOfLost(cluster, [stopped, waiting('done')])).toBe('eva');
  expect(nameOfLost(cluster, [stopped, waiting('abandoned')])).toBe('eva');
});
