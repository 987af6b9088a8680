import { until } from '../../../../lab/hosts/waiting';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../../lab/postgres-pair';
import { runCommand } from '../../../../lib/host/run';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { handsOn, type Hands } from '../../../shared/pair-by-hand';
import { boxesOf } from '../../../shared/runbook';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

describeAsRoot('the runbooks of a pair, typed as they stand there', () => {
  let pair: PostgresPair;
  let hands: Hands;
  const part = (runbook: 'failover' | 'switchover', heading: string) => boxesOf(`postgres-${runbook}.md`, heading);
  const healthy = async (primary: PairName) => {
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary });
  };

  beforeAll(async () => {
    pair = await startPostgresPair({}, 'debian');
    const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
    const wish = { primary: bruno, standby: eva, synchronous: true, allowRestart: true, replace: true };
    await setUpReplication(pair.cluster, wish, quietTask());
    // Where Debian's psql looks for a server.
    const sockets = 'mkdir -p /var/run/postgresql && mount --bind "$1" /var/run/postgresql';
    for (const { host, socketFolder } of [bruno, eva]) {
      await runCommand(host, { script: sockets, arguments: [socketFolder] }, {}, quietTask());
    }
    hands = handsOn(pair);
    await pair.sql('bruno', 'create table kept (id int); insert into kept values (1)');
  }, 120_000);
  afterAll(() => pair.stop());

  test('say what is what', async () => {
    const [look = ''] = part('failover', 'What is what right now');
    const [record = ''] = look.split('\n');
    expect(await hands.type('bruno', record)).toContain('primary=bruno');
    expect(await hands.type('eva', record)).toContain('promotable=yes');
  }, 30_000);

  test('make the standby the primary without n8n, and bring the old primary back', async () => {
    pair.signal('bruno', 'SIGKILL', 'all');
    await hands.type('eva', part('failover', 'By hand, without n8n').join(''));
    expect(await pair.sql('eva', 'insert into kept values (2) returning id')).toBe('2');
    await hands.rejoin('eva', 'bruno', 'rewind');
    await healthy('eva');
    expect(await pair.sql('bruno', 'select count(*) from kept')).toBe('2');
  }, 120_000);

  test('change the roles without n8n, and could go back half-way', async () => {
    const box = (heading: string, at = 0) =>
      hands.primaryAt('eva', hands.swapped(part('switchover', heading)[at] ?? '')).replace('$USER', 'dana');
    for (const name of ['bruno', 'eva'] as const) await hands.type(name, box('1. Keep n8n out of it, on both'));
    const look = '2. Look, on the primary';
    expect(await hands.type('eva', box(look))).toMatch(/^bruno\|streaming\|sync\|\d+\nf$/);
    const stop = box('3. Stop the primary, on its host. From here on clients wait');
    expect(await hands.type('eva', stop)).toMatch(/cluster state: +shut down\n/);
    await hands.type('eva', box('Back'));
    expect(await pair.sql('eva', 'insert into kept values (3) returning id')).toBe('3');
    await hands.streams('eva', 'bruno');
    const [, last = ''] = /checkpoint location: +(\S+)/.exec(await hands.type('eva', stop)) ?? [];
    const received = `LAST=${last}\n${box('4. Has the standby received it? On the standby')}`;
    expect(await hands.type('bruno', received)).toBe('t');
    expect(await hands.type('bruno', box('5. Promote it, on the standby'))).toContain('t');
    expect(await pair.sql('bruno', 'insert into kept values (4) returning id')).toBe('4');
    await hands.rejoin('bruno', 'eva', 'clean');
    for (const name of ['bruno', 'eva'] as const) {
      await hands.type(name, box('6. The old primary becomes the standby'));
      expect(await hands.type(name, 'ls /var/lib/selfhost')).not.toContain('hold');
    }
    await healthy('bruno');
    expect(await pair.sql('eva', 'select count(*) from kept')).toBe('4');
  }, 120_000);

  test('let commits through that wait for a standby that is gone', async () => {
    pair.signal('eva', 'SIGKILL', 'all');
    await until('the standby is gone', 20_000, async () =>
      (await pair.sql('bruno', 'select count(*) from pg_stat_replication')) === '0' ? true : undefined,
    );
    const waiting = pair.sql('bruno', 'insert into kept values (5) returning id');
    const [onStandby = '', onPrimary = ''] = part('failover', 'Commits hang');
    await hands.type('eva', onStandby);
    await hands.type('bruno', onPrimary);
    expect(await waiting).toBe('5');
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ primary: 'bruno' });
    const record = await hands.type('eva', 'cat /var/lib/selfhost/postgres/*/record');
    expect(record).toContain('promotable=no');
  }, 60_000);
});
