import { startPostgresPair, type PostgresPair } from '../../../../lab/postgres-pair';
import { failover } from '../../../../lib/postgres/replication/failover';
import { rejoin } from '../../../../lib/postgres/replication/rejoin';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

describeAsRoot('clusters as Debian keeps them, with their configuration in /etc', () => {
  let pair: PostgresPair;
  beforeAll(async () => {
    pair = await startPostgresPair({}, 'debian');
  }, 60_000);
  afterAll(() => pair.stop());

  test('are set up, fail over and rejoin, and no longer start by themselves at boot', async () => {
    const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
    const wish = { primary: bruno, standby: eva, synchronous: true, allowRestart: true };
    await expect(setUpReplication(pair.cluster, wish, quietTask())).rejects.toMatchObject({
      code: 'set_up_refused',
      message: expect.stringContaining('another database system'),
    });
    const done = await setUpReplication(pair.cluster, { ...wish, replace: true }, quietTask());
    expect(done.lines).toEqual(
      expect.arrayContaining([
        'bruno: PostgreSQL no longer starts by itself at boot',
        'eva: PostgreSQL no longer starts by itself at boot',
      ]),
    );
    expect(await setUpReplication(pair.cluster, wish, quietTask())).toEqual({ changed: false, lines: [] });

    await pair.sql('bruno', 'create table kept (id int); insert into kept values (1)');
    pair.signal('bruno', 'SIGKILL', 'postmaster');
    const lost = { from: bruno, to: eva, outside: [], commitFence: false, automatic: true };
    expect(await failover(pair.cluster, lost, quietTask())).toMatchObject({ outcome: 'failed over', lossless: true });
    const back = { primary: eva, standby: bruno, synchronous: true, allowCopy: false };
    expect(await rejoin(pair.cluster, back, quietTask())).toMatchObject({ changed: true, method: 'rewound' });
    expect(await rejoin(pair.cluster, back, quietTask())).toMatchObject({ changed: false, method: 'none' });
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary: 'eva' });
    expect(await pair.sql('bruno', 'select count(*) from kept')).toBe('1');
  }, 120_000);
});
