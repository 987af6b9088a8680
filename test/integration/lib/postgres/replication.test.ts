import { startPostgresPair, type PostgresPair } from '../../../../lab/postgres-pair';
import { until } from '../../../../lab/hosts/waiting';
import { messageOf } from '../../../../lib/failure';
import { runCommand } from '../../../../lib/host/run';
import { failover } from '../../../../lib/postgres/replication/failover';
import { planSetUp, setUpReplication, type SetUpWish } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

describeAsRoot('setting up replication', () => {
  let pair: PostgresPair;
  beforeAll(async () => {
    pair = await startPostgresPair();
  }, 60_000);
  afterAll(() => pair.stop());

  const wish = (changes: Partial<SetUpWish> = {}): SetUpWish => ({
    primary: pair.member('bruno'),
    standby: pair.member('eva'),
    synchronous: true,
    allowRestart: true,
    ...changes,
  });
  const linesOf = (lines: readonly string[]) =>
    lines.map((line) => line.replace(/\/\S*\/(?=bruno|eva)/, '').replace(/\b10\.\d+\.\d+\./, 'N.'));

  test('says every line it would change, and changes nothing by that', async () => {
    const expected = [
      'wal_keep_size: 0 -> 1024',
      'max_slot_wal_keep_size: -1 -> 16384',
      'wal_log_hints: off -> on',
      'role selfhost_replication: create',
      'bruno/data/pg_hba.conf: # selfhost replication of immich: begin',
      'bruno/data/pg_hba.conf: host replication selfhost_replication N.10/32 scram-sha-256',
      'bruno/data/pg_hba.conf: host postgres selfhost_replication N.10/32 scram-sha-256',
      'bruno/data/pg_hba.conf: host replication selfhost_replication N.11/32 scram-sha-256',
      'bruno/data/pg_hba.conf: host postgres selfhost_replication N.11/32 scram-sha-256',
      'bruno/data/pg_hba.conf: # selfhost replication of immich: end',
      'restart of PostgreSQL on bruno',
      'copy of bruno to eva, eva/data',
      'synchronous_standby_names: empty -> FIRST 1 ("eva")',
      'record of epoch 1 on the host of bruno',
      'record of epoch 1 on the host of eva',
    ];
    expect(linesOf((await planSetUp(pair.cluster, wish(), quietTask())).lines)).toEqual(expected);
    expect(linesOf((await planSetUp(pair.cluster, wish(), quietTask())).lines)).toEqual(expected);
  });

  test('refuses what needs a restart when none is allowed, before it changes anything', async () => {
    await expect(setUpReplication(pair.cluster, wish({ allowRestart: false }), quietTask())).rejects.toMatchObject({
      code: 'restart_needed',
    });
    expect(await pair.sql('bruno', 'select count(*) from pg_roles where rolreplication and not rolsuper')).toBe('0');
    expect(await pair.sql('bruno', 'show wal_keep_size')).toBe('0');
  });

  test('makes a healthy pair whose commits wait for the standby, and finds nothing to change the second time', async () => {
    expect(await setUpReplication(pair.cluster, wish(), quietTask())).toMatchObject({ changed: true });
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({
      verdict: 'healthy',
      primary: 'bruno',
      members: [
        { name: 'bruno', record: { epoch: 1, primary: 'bruno', promotable: false } },
        { name: 'eva', record: { epoch: 1, primary: 'bruno', promotable: true } },
      ],
    });
    expect(await setUpReplication(pair.cluster, wish(), quietTask())).toEqual({ changed: false, lines: [] });
  });

  test('leaves the password in no log, no setting and no process list', async () => {
    const { password } = pair.cluster.replication;
    for (const name of ['bruno', 'eva'] as const) {
      expect(await pair.log(name)).not.toContain(password);
      const search = {
        script: 'grep -lF -f /dev/stdin -r --include=*.conf "$1" || :',
        arguments: [pair.member(name).dataFolder],
      };
      const found = await runCommand(pair.member(name).host, { ...search, input: password }, {}, quietTask());
      expect(found.stdout).toBe('');
    }
    expect(await pair.sql('eva', 'show primary_conninfo')).not.toContain(password);
  });

  test('stops waiting for the standby only after its host has given up the right to be promoted', async () => {
    const off = wish({ synchronous: false });
    const onEva = (script: string) => runCommand(pair.member('eva').host, { script }, {}, quietTask());
    const records = '/var/lib/selfhost/postgres';
    await onEva(`mount --bind ${records} ${records}; mount -o remount,ro,bind ${records}`);
    await expect(setUpReplication(pair.cluster, off, quietTask())).rejects.toMatchObject({ code: 'standby_not_told' });
    expect(await pair.sql('bruno', 'show synchronous_standby_names')).toBe('FIRST 1 ("eva")');
    await onEva(`umount ${records}`);
    expect(await setUpReplication(pair.cluster, off, quietTask())).toEqual({
      changed: true,
      lines: ['synchronous_standby_names: FIRST 1 ("eva") -> empty'],
    });
    expect(await pair.sql('bruno', 'show synchronous_standby_names')).toBe('');
    expect((await readTopology(pair.cluster, {}, quietTask())).members[1]?.record?.promotable).toBe(false);
  });

  test('leaves a list alone that somebody else has set', async () => {
    await pair.sql('bruno', "alter system set synchronous_standby_names = 'ANY 1 (eva, other)'");
    await pair.sql('bruno', 'select pg_reload_conf()');
    await expect(setUpReplication(pair.cluster, wish(), quietTask())).rejects.toMatchObject({
      code: 'synchronous_foreign',
    });
    await pair.sql('bruno', 'alter system reset synchronous_standby_names');
    await pair.sql('bruno', 'select pg_reload_conf()');
  });

  test('an asynchronous failover counts on the old disk what it would lose, refuses, and leaves the old primary able to start', async () => {
    await pair.sql('bruno', 'create table lost (id int)');
    await until('eva has the table', 20_000, async () =>
      (await pair.sql('eva', "select to_regclass('lost')")) === 'lost' ? true : undefined,
    );
    await pair.network.separate('bruno', 'eva');
    for (const id of [1, 2, 3]) await pair.sql('bruno', `insert into lost values (${id})`);
    pair.signal('bruno', 'SIGKILL', 'postmaster');
    const [from, to] = [pair.member('bruno'), pair.member('eva')];
    const refusal: unknown = await failover(
      pair.cluster,
      { from, to, outside: [], commitFence: true, mostLost: 2, automatic: true },
      quietTask(),
    ).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'loss_too_great' });
    // PostgreSQL may have committed something of its own beside.
    expect(Number(/(\d+) committed/.exec(messageOf(refusal))?.[1])).toBeGreaterThanOrEqual(3);
    await pair.network.rejoin('bruno', 'eva');
    await pair.startServer('bruno');
    await until('eva streams again', 30_000, async () =>
      (await pair.sql('eva', 'select count(*) from lost').catch(() => '')) === '3' ? true : undefined,
    );
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'degraded', primary: 'bruno' });
  }, 90_000);

  test('does not take a record for read that a newer version has written', async () => {
    const onEva = (script: string) => runCommand(pair.member('eva').host, { script }, {}, quietTask());
    await onEva('sed -i s/^version=1/version=2/ /var/lib/selfhost/postgres/*/record');
    await expect(readTopology(pair.cluster, {}, quietTask())).rejects.toMatchObject({ code: 'status_unreadable' });
    await onEva('sed -i s/^version=2/version=1/ /var/lib/selfhost/postgres/*/record');
  });
});
