import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repository } from '../../../../lab/folders';
import { until } from '../../../../lab/hosts/waiting';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../../lab/postgres-pair';
import { runCommand } from '../../../../lib/host/run';
import { rejoin } from '../../../../lib/postgres/replication/rejoin';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

/** What stands in the boxes below a heading, as somebody copies it at three in the morning. */
function boxesOf(runbook: string, heading: string): readonly string[] {
  const text = readFileSync(join(repository, 'docs', 'runbooks', runbook), 'utf8');
  const [, ...sections] = text.split(/^## /m);
  const section = sections.find((one) => one.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^```\n([^]*?)^```$/gm)].map(([, box = '']) => box);
}

describeAsRoot('the runbook of a pair, typed as it stands there', () => {
  let pair: PostgresPair;
  const type = async (on: PairName, ...boxes: readonly string[]) => {
    const { stdout } = await runCommand(pair.member(on).host, { script: boxes.join('') }, {}, quietTask());
    return stdout;
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
    await pair.sql('bruno', 'create table kept (id int); insert into kept values (1)');
  }, 120_000);
  afterAll(() => pair.stop());

  test('says what is what', async () => {
    const look = boxesOf('postgres-failover.md', 'What is what right now');
    expect(await type('bruno', ...look.map((box) => box.split('\n')[0] ?? ''))).toContain('primary=bruno');
    expect(await type('eva', ...look.map((box) => box.split('\n')[0] ?? ''))).toContain('promotable=yes');
  }, 30_000);

  test('makes the standby the primary without n8n, and the old primary rejoins as after any failover', async () => {
    pair.signal('bruno', 'SIGKILL', 'all');
    await type('eva', ...boxesOf('postgres-failover.md', 'By hand, without n8n'));
    expect(await pair.sql('eva', 'insert into kept values (2) returning id')).toBe('2');
    const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
    const back = { primary: eva, standby: bruno, synchronous: true, allowCopy: false };
    expect(await rejoin(pair.cluster, back, quietTask())).toMatchObject({ changed: true, method: 'rewound' });
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary: 'eva' });
    expect(await pair.sql('bruno', 'select count(*) from kept')).toBe('2');
  }, 120_000);

  test('lets commits through that wait for a standby that is gone', async () => {
    pair.signal('bruno', 'SIGKILL', 'all');
    await until('the standby is gone', 20_000, async () =>
      (await pair.sql('eva', 'select count(*) from pg_stat_replication')) === '0' ? true : undefined,
    );
    const waiting = pair.sql('eva', 'insert into kept values (3) returning id');
    const [onStandby = '', onPrimary = ''] = boxesOf('postgres-failover.md', 'Commits hang');
    await type('bruno', onStandby);
    await type('eva', onPrimary);
    expect(await waiting).toBe('3');
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ primary: 'eva' });
    const record = await type('bruno', 'cat /var/lib/selfhost/postgres/*/record');
    expect(record).toContain('promotable=no');
  }, 60_000);
});
