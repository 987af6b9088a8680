import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { mkdtempSync, rmSync } from 'node:fs';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../../lab/postgres-pair';
import { longestGap, overlapping, prepareLedger, startLedger } from '../../../../lab/commit-ledger';
import { until } from '../../../../lab/hosts/waiting';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { failover } from '../../../../lib/postgres/replication/failover';
import { quietTask } from '../../../shared/task';

describe('a failover', () => {
  let pair: PostgresPair;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'selfhost-ledger-'));
    pair = await startPostgresPair();
    const wish = { primary: pair.member('bruno'), standby: pair.member('eva'), synchronous: true, allowRestart: true };
    await setUpReplication(pair.cluster, wish, quietTask());
    await prepareLedger(pair.member('bruno').address, pair.app);
  });
  afterAll(async () => {
    await pair.stop();
    rmSync(folder, { recursive: true });
  });

  test('kill -9', async () => {
    const addresses = [pair.member('bruno').address, pair.member('eva').address] as const;
    const ledger = startLedger({ addresses, login: pair.app, writers: 4, file: join(folder, 'ledger') });
    await until('commits', 10_000, () => ledger.acknowledged.length > 500 ? true : undefined);
    const before = ledger.acknowledged.length;
    pair.signal('bruno', 'SIGKILL', 'all');
    const t = Date.now();
    const result = await failover(pair.cluster, { from: pair.member('bruno'), to: pair.member('eva'), outside: [], commitFence: false, automatic: true }, quietTask()).catch(async e => { console.log(e, e.details, await pair.log('eva')); throw e; });
    console.log(result, Date.now() - t);
    const now = ledger.acknowledged.length;
    await until('commits again', 10_000, () => ledger.acknowledged.length > now + 200 ? true : undefined);
    await ledger.freeze();
    const there = new Set((await pair.sql('eva', 'select id from ledger')).split('\n'));
    console.log({ before, total: ledger.acknowledged.length, inDoubt: ledger.inDoubt.length, gap: longestGap(ledger.acknowledged), missing: ledger.acknowledged.filter(({ id }) => !there.has(id)).length, overlap: overlapping(ledger.acknowledged, ...addresses).length });
  });
});
