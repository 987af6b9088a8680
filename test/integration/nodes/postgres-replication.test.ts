import type { ICredentialDataDecryptedObject, ICredentialTestFunctions, IDataObject } from 'n8n-workflow';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type PairName, startPostgresPair, type PostgresPair } from '../../../lab/postgres-pair';
import { until } from '../../../lab/hosts/waiting';
import { approveRequest } from '../../../lib/plan/calls';
import { commandFence } from '../../../lib/postgres/replication/fences';
import { firewallFence, liftFirewall } from '../../../lib/postgres/replication/firewall';
import { refuseOwnCluster, refuseOwnDatabase } from '../../../lib/postgres/replication/own-database';
import { switchover } from '../../../lib/postgres/replication/switchover';
import { parseStateCredential } from '../../../lib/state/credential';
import { postgresState } from '../../../lib/state/postgres';
import { postgresCredentialTest } from '../../../nodes/PostgresReplication/methods/postgresCredentialTest';
import { credentialsOfPair } from '../../shared/pair-description';
import { nodeOn, type RunNode } from '../../shared/pair-node';
import { quietTask } from '../../shared/task';
import { describeAsRoot } from '../lab/as-root';

describeAsRoot('the Postgres Replication node on a real pair', () => {
  let pair: PostgresPair;
  beforeAll(async () => {
    pair = await startPostgresPair();
  }, 120_000);
  afterAll(() => pair.stop());

  const run: RunNode = (key, parameters) => nodeOn(pair)(key, parameters);
  const verdict = async () => {
    const { verdict: found, primary, reasons } = await run('topology get');
    return { verdict: found, primary, reasons };
  };
  const needs = async (synchronous: boolean) => {
    const { members } = await run('topology get', { options: { synchronous } });
    const seen = members as readonly { readonly name: string; readonly needs: string | null }[];
    return Object.fromEntries(seen.flatMap((one) => (one.needs === null ? [] : [[one.name, one.needs] as const])));
  };

  test('plans the set-up, refuses another one than was agreed to, does that one, and finds nothing to do then', async () => {
    const wish = { primary: 'bruno', options: { allowRestart: true } };
    expect(await needs(true)).toEqual({});
    const plan = await run('replica setUp', { ...wish, dryRun: true });
    expect(plan).toMatchObject({
      changed: true,
      dryRun: true,
      lines: expect.arrayContaining(['wal_log_hints: off -> on']),
    });
    expect(await run('replica setUp', { ...wish, planHash: '0'.repeat(64) })).toMatchObject({ code: 'plan_drifted' });
    expect(await pair.sql('bruno', 'show wal_log_hints')).toBe('off');
    expect(await run('replica setUp', { ...wish, planHash: plan.hash })).toMatchObject({
      changed: true,
      dryRun: false,
      hash: plan.hash,
    });
    expect(await run('replica setUp', wish)).toMatchObject({ changed: false, lines: [] });
    expect(await verdict()).toEqual({ verdict: 'healthy', primary: 'bruno', reasons: [] });
  }, 120_000);

  test('draws the pair, and says of each member what it is', async () => {
    const seen = await run('topology get', { options: { picture: true } });
    expect(seen.mermaid).toContain('n0 -->|"sync, 0 bytes behind"| n1');
    const members = seen.members as IDataObject[];
    expect(members.map(({ name, state, promotable, needs }) => ({ name, state, promotable, needs }))).toEqual([
      { name: 'bruno', state: 'primary', promotable: false, needs: null },
      { name: 'eva', state: 'standby', promotable: true, needs: null },
    ]);
  });

  test('asks read-only, whatever the statement says, and one statement only', async () => {
    await run('sql execute', { statement: 'create table pets (name text)' });
    const added = await run('sql execute', {
      statement: 'insert into pets values ($1), ($2)',
      values: '["eva", "rex"]',
    });
    expect(added).toMatchObject({ member: 'bruno', command: 'INSERT', count: 2, rows: [] });
    const ask = (statement: string) => run('sql query', { statement });
    expect(await run('sql query', { statement: 'select * from pets where name = $1', values: ['rex'] })).toMatchObject({
      count: 1,
      columns: ['name'],
      rows: [{ name: 'rex' }],
    });
    expect(await ask('delete from pets')).toMatchObject({ code: 'database_error', sqlState: '25006' });
    expect(await ask('commit; delete from pets')).toMatchObject({ code: 'database_error', sqlState: '42601' });
    expect(await ask('do $$ begin commit; delete from pets; end $$')).toMatchObject({ code: 'database_error' });
    expect(await ask('set transaction read write')).toMatchObject({ code: 'database_error', sqlState: '25001' });
    expect(await ask('do $$ begin set transaction read write; delete from pets; end $$')).toMatchObject({
      code: 'database_error',
    });
    expect(await ask('select count(*)::int as left from pets')).toMatchObject({ rows: [{ left: 2 }] });
    expect(await ask('select generate_series(1, 10001)')).toMatchObject({ code: 'too_many_rows' });
  });

  test('probes with a commit that waits for the standby and leaves nothing', async () => {
    expect(await run('sql probe')).toMatchObject({ member: 'bruno', writable: true, why: null });
    expect(await run('sql probe', { member: 'eva' })).toMatchObject({ writable: false, why: 'it is a standby' });
    pair.signal('eva', 'SIGSTOP', 'all');
    const hung = await run('sql probe', { member: 'bruno', timeoutSeconds: 1 });
    pair.signal('eva', 'SIGCONT', 'all');
    expect(hung).toMatchObject({ writable: false, why: 'no commit was acknowledged within 1 s' });
  });

  test('waits for writes, for a standby to catch up, and for an LSN; and says what it saw when time is up', async () => {
    expect(await run('topology wait', { until: 'writable' })).toMatchObject({ member: 'bruno' });
    expect(await run('topology wait', { until: 'lag', mostBytes: 0 })).toMatchObject({ member: 'eva', lagBytes: 0 });
    const lsn = await pair.sql('bruno', 'select pg_current_wal_flush_lsn()');
    expect(await run('topology wait', { until: 'lsn', lsn })).toMatchObject({ member: 'eva' });
    expect(await run('topology wait', { until: 'lsn', lsn: 'FF/0', timeoutSeconds: 1 })).toMatchObject({
      code: 'not_in_time',
    });
  });

  test('switches synchronous commits off and on, in the plan and for real', async () => {
    const off = { synchronous: false };
    const lines = ['synchronous_standby_names of bruno: FIRST 1 ("eva") -> empty'];
    expect(await run('replica synchronous', { ...off, dryRun: true })).toMatchObject({ changed: true, lines });
    expect(await run('replica synchronous', off)).toMatchObject({ changed: true, lines });
    expect(await run('replica synchronous', off)).toMatchObject({ changed: false });
    expect(await needs(true)).toEqual({ eva: 'rejoin' });
    expect(await needs(false)).toEqual({});
    expect(await run('primary failover', { dryRun: true, commitFence: true })).toMatchObject({
      preflight: { loss: 'unknown', ifHostLost: 'would refuse' },
    });
    expect(await run('replica synchronous', { synchronous: true })).toMatchObject({ changed: true });
  });

  test('calls a setting by its name that would let a crash lose what was acknowledged', async () => {
    await pair.sql('bruno', 'alter system set full_page_writes = off');
    await pair.sql('bruno', 'select pg_reload_conf()');
    await until('the topology shows it', 10_000, async () =>
      JSON.stringify((await verdict()).reasons).includes('full_page_writes is off') ? true : undefined,
    );
    expect(await verdict()).toMatchObject({ verdict: 'at risk' });
    await pair.sql('bruno', 'alter system reset full_page_writes');
    await pair.sql('bruno', 'select pg_reload_conf()');
    await until('it is well again', 10_000, async () => ((await verdict()).verdict === 'healthy' ? true : undefined));
  }, 60_000);

  test('does for an agent what a person has approved, exactly that and once', async () => {
    const { address } = pair.member('bruno');
    const database = { host: address, port: 5432, ...pair.app, encrypt: false };
    const controls = { selfhostState: database, selfhostPlanKey: { secretKey: 'planted-plan-key-'.repeat(3) } };
    const agent = nodeOn(pair, controls, { tool: true });
    const off = { synchronous: false };
    const refused = await agent('replica synchronous', off);
    expect(refused).toMatchObject({ code: 'approval_needed', request: expect.any(String) });
    const store = postgresState(parseStateCredential(database), quietTask());
    const decision = { by: 'daniel', now: Date.now(), validMs: 60_000 };
    const id = refused.request as string;
    const { token, request } = await approveRequest(store, id, controls.selfhostPlanKey.secretKey, decision);
    expect(request.preview).toMatchObject([
      { lines: ['synchronous_standby_names of bruno: FIRST 1 ("eva") -> empty'], dryRun: true },
    ]);
    const other = { synchronous: true, approvalToken: token };
    expect(await agent('replica synchronous', other)).toMatchObject({ code: expect.stringMatching(/^approval/) });
    expect(await pair.sql('bruno', 'show synchronous_standby_names')).toBe('FIRST 1 ("eva")');
    const call = { ...off, approvalToken: token };
    expect(await agent('replica synchronous', call)).toMatchObject({ changed: true, hash: expect.any(String) });
    // It would do something else by now, so the token fits no more.
    expect(await agent('replica synchronous', call)).toMatchObject({ code: expect.stringMatching(/^approval/) });
    expect(await agent('topology get')).toMatchObject({ verdict: 'degraded' });
    expect(await run('replica synchronous', { synchronous: true })).toMatchObject({ changed: true });
  }, 60_000);

  test('tells without touching anything whether a failover would succeed, and what else a power off would end', async () => {
    const asked = { dryRun: true, commitFence: true };
    expect(await run('primary failover', asked)).toMatchObject({
      outcome: 'dry run',
      preflight: {
        now: 'would refuse',
        ifHostLost: 'would succeed',
        ifServerLost: 'would succeed',
        loss: 'none',
        obstacles: ['bruno answers, so a failover would be refused now; a switchover is what changes the roles'],
      },
    });
    await pair.sql('eva', 'select pg_wal_replay_pause()');
    expect(await run('primary failover', asked)).toMatchObject({
      preflight: { ifHostLost: 'would refuse', ifServerLost: 'would refuse' },
    });
    await pair.sql('eva', 'select pg_wal_replay_resume()');
    expect(await run('primary failover', {})).toMatchObject({ code: 'primary_alive' });
    expect(await run('primary abandon', { to: 'eva' })).toMatchObject({ changed: false, primary: 'bruno' });
  });

  test('switches over, fails over when the new primary is killed, and rejoins it', async () => {
    expect(await run('primary switchover', { dryRun: true })).toMatchObject({
      changed: true,
      epoch: 2,
      primary: 'eva',
    });
    expect(await run('primary switchover')).toMatchObject({ epoch: 2, primary: 'eva', changed: true });
    expect(await verdict()).toEqual({ verdict: 'healthy', primary: 'eva', reasons: [] });
    pair.signal('eva', 'SIGKILL', 'postmaster');
    await until('eva is taken for lost', 30_000, async () =>
      (await needs(true)).eva === 'failover' ? true : undefined,
    );
    expect(await run('primary failover')).toMatchObject({
      ...{ outcome: 'failed over', primary: 'bruno', oldPrimary: 'eva', epoch: 3, lossless: true },
      fence: 'no process of PostgreSQL is left on the host of eva',
    });
    expect(await needs(true)).toEqual({ eva: 'rejoin' });
    expect(await run('primary failover')).toMatchObject({ code: 'primary_alive' });
    expect(await run('replica rejoin')).toMatchObject({ changed: true, primary: 'bruno', standby: 'eva' });
    expect(await verdict()).toEqual({ verdict: 'healthy', primary: 'bruno', reasons: [] });
    expect(
      await run('sql query', { member: 'eva', statement: 'select count(*)::int as pets from pets' }),
    ).toMatchObject({
      rows: [{ pets: 2 }],
    });
  }, 120_000);

  /** A switchover of somebody who dies as this step begins. */
  const cutOffAt = async (step: string, [from, to]: readonly [PairName, PairName]) => {
    const dies = new AbortController();
    const progress = ({ message }: { readonly message: string }) => {
      if (message === step) dies.abort();
    };
    const wish = { from: pair.member(from), to: pair.member(to), synchronous: true };
    await expect(switchover(pair.cluster, wish, { ...quietTask(dies.signal), progress })).rejects.toThrow();
  };

  test('a switchover that was cut off is finished, or given up where nothing was stopped; nobody has to say whose', async () => {
    await cutOffAt('Cutting', ['bruno', 'eva']);
    expect(await verdict()).toMatchObject({ verdict: 'down', primary: null });
    expect(await needs(true)).toEqual({ eva: 'finish' });
    expect(await run('primary failover', { dryRun: true })).toMatchObject({ preflight: { now: 'would resume' } });
    expect(await run('primary failover')).toMatchObject({
      ...{ outcome: 'failed over', primary: 'eva', oldPrimary: 'bruno', resumed: true, lossless: true },
    });
    expect(await run('replica rejoin')).toMatchObject({ changed: true, standby: 'bruno' });
    await cutOffAt('Stopping', ['eva', 'bruno']);
    expect(await run('primary failover')).toMatchObject({ outcome: 'abandoned', primary: 'eva', oldPrimary: 'eva' });
    expect(await verdict()).toEqual({ verdict: 'healthy', primary: 'eva', reasons: [] });
    expect(await run('primary switchover', { dryRun: true })).toMatchObject({
      primary: 'bruno',
      lastChange: { kind: 'switchover', from: 'bruno', to: 'eva' },
    });
    expect(await run('primary switchover')).toMatchObject({ primary: 'bruno', lastChange: null });
  }, 120_000);

  test('rebuilds a standby whose data is broken', async () => {
    pair.signal('eva', 'SIGKILL', 'all');
    await until('eva is down', 10_000, () => (pair.processes('eva').length === 0 ? true : undefined));
    await rm(join(pair.member('eva').dataFolder, 'global/pg_control'));
    expect(await run('replica rebuild', { dryRun: true })).toMatchObject({ changed: true });
    expect(await run('replica rebuild')).toMatchObject({ changed: true });
    expect(await verdict()).toEqual({ verdict: 'healthy', primary: 'bruno', reasons: [] });
  }, 120_000);

  test('refuses to watch the cluster that holds the workflow that asks', async () => {
    await pair.sql('bruno', 'create database n8n');
    const own = () => refuseOwnDatabase(pair.cluster, pair.member('bruno'), 'Vq8bXkP2sT4uWn7Y', quietTask());
    await own();
    const table = 'create schema flows; create table flows.n8n_workflow_entity (id varchar(36) primary key)';
    await pair.sql('bruno', `\\c n8n\n${table}; insert into flows.n8n_workflow_entity values ('another')`);
    await own();
    await pair.sql('bruno', "\\c n8n\ninsert into flows.n8n_workflow_entity values ('Vq8bXkP2sT4uWn7Y')");
    await expect(own()).rejects.toMatchObject({ code: 'own_database' });
    const watched = refuseOwnCluster(pair.cluster, 'Vq8bXkP2sT4uWn7Y', quietTask());
    await expect(watched).rejects.toMatchObject({ code: 'own_database' });
    await refuseOwnCluster(pair.cluster, 'another-workflow', quietTask());
  });

  test('the firewall closes the port also for connections that are open, for the standby too, and opens it again', async () => {
    const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
    const ask = () => run('topology wait', { until: 'lag', mostBytes: 0, timeoutSeconds: 20 });
    expect(await ask()).toMatchObject({ member: 'eva' });
    const fence = firewallFence(pair.cluster, bruno, eva);
    expect(await fence.silence(quietTask())).toBe(
      'nothing goes in or out of port 5432 of bruno any more, and eva gets no answer there',
    );
    await liftFirewall(pair.cluster, bruno, quietTask());
    await liftFirewall(pair.cluster, bruno, quietTask());
    expect(await ask()).toMatchObject({ member: 'eva' });
    const own = (script: string) => commandFence(eva.host, script, bruno).silence(quietTask());
    expect(await own('echo "$1 at $2:$3"')).toBe(`bruno at ${bruno.address}:5432`);
    await expect(own('exit 3')).rejects.toMatchObject({ code: 'command_failed' });
  }, 120_000);

  test('the test of the credential logs in through its own SSH login, and says where it cannot', async () => {
    const { selfhostHost, selfhostPostgres } = credentialsOfPair(pair);
    const tested = (data: IDataObject) =>
      postgresCredentialTest.call({} as ICredentialTestFunctions, {
        id: '1',
        name: 'pg',
        type: 'selfhostPostgres',
        data: data as ICredentialDataDecryptedObject,
      });
    const ssh = {
      sshHosts: selfhostHost?.hosts,
      sshUser: 'root',
      sshPrivateKey: selfhostHost?.privateKey,
      testHost: 'eva',
    };
    expect(await tested({ ...selfhostPostgres, ...ssh })).toMatchObject({
      status: 'OK',
      message: expect.stringMatching(/^Logged in as app to PostgreSQL \d+.*, a standby$/),
    });
    expect(await tested({ ...selfhostPostgres, ...ssh, password: 'wrong' })).toMatchObject({
      status: 'Error',
      message: expect.stringContaining('refused the login of app'),
    });
    expect(await tested({ ...selfhostPostgres })).toMatchObject({
      status: 'OK',
      message: expect.stringContaining('Not tested'),
    });
  });

  test('takes the replica out: nobody waits for it, nothing is kept for it, its folder stays', async () => {
    expect(await run('replica remove', { dryRun: true })).toMatchObject({
      lines: [
        'synchronous_standby_names of bruno: FIRST 1 ("eva") -> empty',
        'stop of PostgreSQL on eva; its data folder stays',
        'slot selfhost_eva on bruno: dropped',
      ],
    });
    expect(await run('replica remove')).toMatchObject({ changed: true });
    expect(await run('replica remove')).toMatchObject({ changed: false, lines: [] });
    expect(pair.processes('eva')).toEqual([]);
    expect(await needs(true)).toEqual({});
    expect(await pair.sql('bruno', 'select count(*) from pg_replication_slots')).toBe('0');
    await until('bruno acknowledges alone', 10_000, async () =>
      (await run('sql probe')).writable === true ? true : undefined,
    );
  }, 120_000);
});
