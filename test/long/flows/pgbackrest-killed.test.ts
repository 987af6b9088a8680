import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../../lab/hosts/waiting';
import type { SentMessage } from '../../../lab/standins/telegram';
import { readHold } from '../../../lib/host/hold';
import { runCommand } from '../../../lib/host/run';
import { readInfo } from '../../../lib/postgres/pgbackrest/info';
import { forgetFormerData } from '../../../lib/postgres/pgbackrest/restore';
import { readTopology } from '../../../lib/postgres/replication/topology';
import { describeAsRoot } from '../../integration/lab/as-root';
import { webhookWorkflow } from '../../e2e/harness';
import { troublesIn } from '../../e2e/troubles';
import { quietTask } from '../../shared/task';
import { type BackedUpPair, startBackedUpPair } from './backed-up-pair';
import type { Boundary } from './boundary';

jest.setTimeout(1_500_000);

/** Whoever kills n8n there may come a moment late, and then it died between this one and the next. */
interface NarrowBoundary extends Boundary {
  /** What is true only before the next one; unset where that cannot be told from outside. */
  readonly notYet?: () => boolean | Promise<boolean>;
  /** What somebody does at the database meanwhile. */
  readonly meanwhile?: () => Promise<unknown>;
}

// The inventory names no member for pgBackRest: while a restore has the primary down, nothing but what the hosts keep
// says which of the two it is.
describeAsRoot('flows that back a pair up and take it back, and an n8n that is killed in the middle', () => {
  let world: BackedUpPair;
  const task = quietTask();
  beforeAll(async () => {
    world = await startBackedUpPair({});
  });
  afterAll(() => (world as BackedUpPair | undefined)?.stop());
  afterEach(() => expect(world.lab.estate.violations()).toEqual([]));

  const member = (name: 'bruno' | 'eva') => world.stanza.pair.member(name);
  const inHome = (path: string) => join(world.stanza.home, path);
  const dataOf = (name: 'bruno' | 'eva') => member(name).dataFolder;
  const runs = (name: 'bruno' | 'eva') => existsSync(join(dataOf(name), 'postmaster.pid'));
  const asked = (sql: string) => world.sql(sql).catch(() => 'nobody answers');
  /** Of the files that a host keeps about this cluster. */
  const kept = async (name: 'bruno' | 'eva', file: string) => {
    const look = { script: 'cat /var/lib/selfhost/postgres/*/"$1"', arguments: [file] };
    return (await runCommand(member(name).host, look, { acceptExitCodes: [0, 1] }, task)).stdout;
  };
  const steps = async () => (await kept('bruno', 'restored')).split('\n').slice(1).filter(Boolean);
  const heldAt = async (name: 'bruno' | 'eva') => (await readHold(member(name).host, task)).kind;
  const wasSaid = (text: string) => world.lab.since().some((one) => one.text.includes(text));
  /** Folders of full backups that are begun, and of those that are whole. */
  const folders = (what: 'begun' | 'whole') => {
    const parent = inHome('repo/backup/immich');
    const all = existsSync(parent) ? readdirSync(parent).filter((one) => /^\d{8}-\d{6}F(_.*)?$/.test(one)) : [];
    return what === 'begun' ? all : all.filter((one) => existsSync(join(parent, one, 'backup.manifest')));
  };

  const tellWhy = async (error: unknown) => {
    const seen = { topology: await readTopology(world.stanza.pair.cluster, {}, task), steps: await steps() };
    const said = world.lab.since().map(({ chat, text }) => `${chat}: ${text.replaceAll('\n', ' | ').slice(0, 600)}`);
    const all = [String(error), JSON.stringify(seen), ...said, await troublesIn(world.lab.estate.own)];
    return new Error(all.join('\n'), { cause: error });
  };
  const becomes = async (what: string, look: Boundary['reached'], never = 'NOT ') => {
    await until(what, 300_000, async () => {
      if (await look()) return true;
      if (wasSaid(never)) throw new Error(`${what}: people were told that it did not work`);
      return undefined;
    }).catch(async (error: unknown) => {
      throw await tellWhy(error);
    });
  };

  const kill = () => world.lab.estate.own.n8n.kill();
  const start = async () => {
    const { own } = world.lab.estate;
    own.n8n = await own.n8n.restart();
  };
  const killAndStart = async () => {
    await kill();
    await start();
  };
  /** Begins, waits for the boundary, kills, and looks whether it was not too late for it. */
  const killedAt = async ({ called, reached, notYet, meanwhile }: NarrowBoundary, begin: () => Promise<unknown>) => {
    world.lab.fromNowOn();
    await begin();
    await becomes(called, reached);
    await kill();
    const exact = notYet === undefined ? 'between' : (await notYet()) ? 'exactly' : 'a little later';
    console.log(`killed when ${called} (${exact}); ${(await steps()).join(', ') || 'no restore begun'}`);
    await meanwhile?.();
    await start();
  };

  const submit = (where: string, kind = 'newest', value = '') =>
    world.lab.submit('postgres-point-in-time', { cluster: 'immich', where, kind, value });

  test('the night’s backup, killed while it is taken and after it, is one good backup; trouble is told and over', async () => {
    await world.lab.publish('PgBackRest');
    await becomes('a backup is begun', () => folders('begun').length > 0);
    await kill();
    console.log(`killed in a backup: ${folders('whole').length} whole of ${folders('begun').length}`);
    await start();
    const good = async () => (await world.lab.estate.own.api.executionsOf('selfhostPgBackRest', 'success')).length;
    await becomes('a run after that has taken in how it is', async () => (await good()) > 0);
    const taken = folders('whole').length;
    await becomes('another one is taken', () => folders('whole').length > taken);
    await killAndStart();
    expect(wasSaid('are not as they should be')).toBe(false);
    const repository = inHome('repo');
    await rename(repository, `${repository}.gone`);
    await world.lab.said('666', 'are not as they should be');
    const runsBefore = await good();
    await killAndStart();
    await becomes('a run after that has found it as it was', async () => (await good()) > runsBefore);
    await rename(`${repository}.gone`, repository);
    await world.lab.said('666', 'Resolved after');
    await killAndStart();
    await world.lab.estate.own.api.unpublish('selfhostPgBackRest');
    const after = async () => await readInfo(world.stanza.stanza, {}, task);
    await becomes('nothing works at a backup any more', async () => !(await after()).backupRunning, 'no such word');
    expect(await after()).toMatchObject({ verdict: 'ok', reasons: [] });
    expect(folders('begun')).toEqual(folders('whole'));
  });

  test('a drill, killed at every boundary, proves the very moments that it names and leaves nothing', async () => {
    // What is called has to be there first. Its nights go on meanwhile, every ten seconds.
    await world.lab.publish('PgBackRest');
    const { api } = world.lab.estate.own;
    const path = `drill-${randomUUID()}`;
    const parameters = {
      workflowId: { __rl: true, mode: 'id', value: 'selfhostPgBackRest' },
      workflowInputs: { mappingMode: 'defineBelow', value: { cluster: 'immich', what: 'drill' } },
    };
    const caller = await api.createWorkflow(
      webhookWorkflow('drill', path, {
        ...{ type: 'n8n-nodes-base.executeWorkflow', typeVersion: 1.2, name: 'Call', parameters },
      }),
    );
    await api.publish(caller);
    const call = async () => {
      const url = `${world.lab.estate.own.n8n.url}/webhook/${path}`;
      // An n8n that has just been started again knows its webhooks a moment later.
      await until('the drill can be called', 120_000, async () => {
        const answer = await fetch(url).catch(() => undefined);
        return (await answer?.text())?.includes('POST') === true ? true : undefined;
      });
      // Nobody waits for its answer: n8n is killed before it could give one.
      void fetch(url, { method: 'POST' }).catch(() => undefined);
    };
    const drill = 'immich-drill';
    const boundaries: readonly NarrowBoundary[] = [
      { called: 'a copy is being restored', reached: () => existsSync(inHome(`${drill}/data`)) },
      { called: 'its files are restored', reached: () => existsSync(inHome(`${drill}/data/global/pg_control`)) },
      { called: 'it plays back WAL', reached: () => existsSync(inHome(`${drill}/data/postmaster.pid`)) },
      { called: 'people were told', reached: () => wasSaid('Postgres backups of immich can be restored') },
    ];
    for (const boundary of boundaries) await killedAt(boundary, call);
    world.lab.fromNowOn();
    await call();
    const told = await world.lab.said('888', 'Postgres backups of immich can be restored');
    expect(told.text).toMatch(/as far as there is WAL from \S+: restored in \d+ s/);
    await becomes('nothing of it is left', () => !existsSync(inHome(drill)));
    expect(await world.sql('select count(*) from photos')).toBe('1000');
    await world.lab.estate.own.api.unpublish(caller);
    await world.lab.estate.own.api.unpublish('selfhostPgBackRest');
  });

  let moment = '';

  test('a copy beside, killed at every boundary, is one copy of the very moment', async () => {
    await world.lab.publish('PgPitr');
    moment = await world.stanza.now();
    await world.sql('select pg_sleep(1.1); truncate photos');
    const copy = () => submit('A copy beside', 'time', moment);
    const untold = () => !wasSaid('stands beside');
    const boundaries: readonly NarrowBoundary[] = [
      { called: 'the copy is begun', reached: () => existsSync(inHome('immich-copy/data')), notYet: untold },
      {
        called: 'its files are restored',
        reached: () => existsSync(inHome('immich-copy/data/global/pg_control')),
        notYet: untold,
      },
      {
        called: 'its server is started',
        reached: () => existsSync(inHome('immich-copy/data/postmaster.pid')),
        notYet: untold,
      },
      {
        called: 'it can be looked at',
        reached: async () => (await world.inCopy('select pg_is_in_recovery()').catch(() => '')) === 'f',
        notYet: untold,
        // Who looks at it takes notes in it: from now on it must not be made a second time.
        meanwhile: () => world.inCopy('create table notes as select count(*) from photos'),
      },
      { called: 'people were told', reached: () => wasSaid('stands beside') },
    ];
    for (const boundary of boundaries) await killedAt(boundary, copy);
    world.lab.fromNowOn();
    await copy();
    const told = await world.lab.said('777', 'A copy of immich stands beside');
    expect(told.text).toContain(`${moment}, restored at `);
    expect(told.text).toContain('by an earlier run, and still there');
    expect(await world.inCopy('select count(*) from photos')).toBe('1000');
    expect(await world.inCopy('select count from notes')).toBe('1000');
    expect(await world.sql('select count(*) from photos')).toBe('0');
    // Another moment is not given this copy, nor is the copy taken away from whoever looks at it.
    world.lab.fromNowOn();
    await submit('A copy beside', 'newest');
    const refused = await world.lab.said('666', 'immich was NOT taken back');
    expect(refused.text).toContain('Remove the copy that runs in it first');
    expect(await world.inCopy('select count from notes')).toBe('1000');
  });

  test('the removal of the copy, killed at every boundary, leaves nothing of it', async () => {
    const removed = () => submit('Remove the copy');
    const boundaries: readonly NarrowBoundary[] = [
      { called: 'its server ends', reached: () => !existsSync(inHome('immich-copy/data/postmaster.pid')) },
      { called: 'it is gone', reached: () => !existsSync(inHome('immich-copy')) },
      { called: 'people were told', reached: () => wasSaid('The copy of immich was') },
    ];
    for (const boundary of boundaries) await killedAt(boundary, removed);
    world.lab.fromNowOn();
    await removed();
    await world.lab.said('888', 'The copy of immich was not there');
    expect(readdirSync(world.stanza.home).filter((name) => name.startsWith('immich-copy'))).toEqual([]);
    const left = { script: 'ls /var/lib/selfhost/postgres/*/ | grep "^scratch-.*[^k]$" || :' };
    expect((await runCommand(member('bruno').host, left, {}, task)).stdout).toBe('');
    expect(await world.sql('select count(*) from photos')).toBe('0');
  });

  /** Everything that a restore over the server ends in, whatever happened on the way. */
  const end = async () => {
    const topology = await readTopology(world.stanza.pair.cluster, {}, task);
    const [done = ''] = (await steps()).filter((one) => one.startsWith('done ')).slice(-1);
    const at = Date.parse(done.split(' ')[1] ?? '');
    const backups = (await world.backups()).filter(({ startedAt }) => Date.parse(startedAt) >= at);
    const open = async (name: 'bruno' | 'eva') => {
      const look = { script: 'cd /var/lib/selfhost/postgres/*/ && ls' };
      const { stdout } = await runCommand(member(name).host, look, {}, task);
      return stdout.split('\n').filter((one) => /^(restoring|autostart|rewinding|gate|configuration-.*)$/.test(one));
    };
    return {
      ...{ verdict: topology.verdict, reasons: topology.reasons, primary: topology.primary },
      records: topology.members.map(({ name, record, restore }) => ({ name, ...record, restore })),
      sync: await world.sql('select application_name, sync_state from pg_stat_replication'),
      slots: await world.sql('select slot_name, active from pg_replication_slots'),
      target: await world.sql(`select count(*) from pg_settings where name ~ '^recovery_target' and setting ~ 'Z$'`),
      fullBackups: backups.filter(({ type }) => type === 'full').length,
      holds: [await heldAt('bruno'), await heldAt('eva')],
      open: [await open('bruno'), await open('eva')],
      beside: existsSync(`${dataOf('bruno')}.selfhost-before`),
    };
  };
  const rows = async () => {
    const count = 'select count(*) from photos';
    return [await world.stanza.pair.sql('bruno', count), await world.stanza.pair.sql('eva', count)];
  };
  const ask = async () => {
    world.lab.fromNowOn();
    await submit('Over the server', 'time', moment);
    return await world.lab.asked('update: restore over immich');
  };
  const yes = (question: SentMessage) => world.lab.press(question, 'Do it');
  /** As people do it who have looked at the data, and make the next mistake. */
  const mistake = async () => {
    expect(await forgetFormerData(world.stanza.stanza, { dryRun: false }, task)).toEqual({ changed: true });
    moment = await world.stanza.now();
    await world.sql('select pg_sleep(1.1); truncate photos');
  };

  let whole: Awaited<ReturnType<typeof end>>;

  test('over the server, not killed: that is how it ends', async () => {
    await yes(await ask());
    const told = await world.lab.said('666', 'immich is back at time');
    expect(told.text).toContain('eva follows again');
    await world.follows();
    whole = await end();
    expect(await rows()).toEqual(['1000', '1000']);
    expect(whole).toMatchObject({ verdict: 'healthy', primary: 'bruno', holds: ['none', 'none'], fullBackups: 1 });
    expect(whole).toMatchObject({ open: [[], []], beside: true });
  });

  test('over the server, killed while its question is open: who answers it later is heard, and it ends the same', async () => {
    await mistake();
    const question = await ask();
    const { api } = world.lab.estate.own;
    const waits = async (id: string) => (await api.executionsOf(id, 'waiting')).length > 0;
    await becomes(
      'n8n has stored that it waits',
      async () => (await waits('selfhostApprove')) && (await waits('selfhostPgPitr')),
    );
    await killAndStart();
    await yes(question);
    await world.lab.said('666', 'immich is back at time');
    await world.follows();
    expect(await rows()).toEqual(['1000', '1000']);
    expect(await end()).toEqual(whole);
  });

  test('over the server, killed at every boundary and started again, it ends the same', async () => {
    await mistake();
    const fullAt = new Set(folders('begun'));
    const fresh = (what: 'begun' | 'whole') => folders(what).some((one) => /F$/.test(one) && !fullAt.has(one));
    const untold = () => !wasSaid('immich is back');
    const step = async (name: string) => (await steps()).some((one) => one.startsWith(name));
    const slots = 'select count(*) from pg_replication_slots';
    const names = 'show synchronous_standby_names';
    let postmaster = 0;
    const boundaries: readonly NarrowBoundary[] = [
      { called: 'the answer is given', reached: () => true, notYet: async () => (await heldAt('eva')) === 'none' },
      {
        called: 'the host of the standby is on hold',
        reached: async () => (await heldAt('eva')) === 'held',
        notYet: () => runs('eva'),
      },
      {
        called: 'the standby is stopped',
        reached: () => !runs('eva'),
        notYet: async () => (await asked(slots)) === '1',
      },
      {
        called: 'the standby is let go',
        reached: async () => (await asked(slots)) === '0',
        notYet: async () => !(await step('begun')),
      },
      {
        called: 'what was there is put aside',
        reached: () => existsSync(`${dataOf('bruno')}.selfhost-before`),
        notYet: async () => !(await step('restored')),
      },
      {
        called: 'the files are restored',
        reached: () => existsSync(join(dataOf('bruno'), 'global/pg_control')),
        notYet: () => !runs('bruno'),
      },
      {
        called: 'the restored server is started',
        reached: () => runs('bruno'),
        notYet: async () => !(await step('done')),
      },
      {
        called: 'it takes writes',
        reached: async () => (await asked('select pg_is_in_recovery()')) === 'f',
        notYet: () => !fresh('begun'),
        // It would be lost, were it restored a second time.
        meanwhile: () => world.sql('insert into photos values (1001)'),
      },
      { called: 'a full backup is begun', reached: () => fresh('begun'), notYet: () => !fresh('whole') },
      { called: 'the full backup is whole', reached: () => fresh('whole'), notYet: () => !runs('eva') },
      {
        called: 'the standby is being made anew',
        reached: async () => (await asked(slots)) === '1',
        notYet: () => !runs('eva'),
      },
      { called: 'the standby is started', reached: () => runs('eva'), notYet: async () => (await asked(names)) === '' },
      {
        called: 'commits wait for it',
        reached: async () => (await asked(names)) !== '',
        notYet: async () => (await heldAt('eva')) === 'held',
      },
      {
        called: 'the hold is lifted',
        reached: () => {
          // By way of a process of that machine, since this moment is short.
          postmaster ||= world.stanza.pair.processes('eva')[0] ?? 0;
          return postmaster !== 0 && !existsSync(`/proc/${postmaster}/root/var/lib/selfhost/hold`);
        },
        notYet: untold,
      },
      { called: 'people are told', reached: () => !untold() },
    ];
    const questions: string[] = [];
    for (const boundary of boundaries) {
      await killedAt(boundary, async () => {
        const question = await ask();
        questions.push(question.text);
        await yes(question);
      });
    }
    await world.follows();
    console.log(questions.map((one) => one.split('\n').slice(2, 5).join(' | ')).join('\n'));
    expect(
      questions
        .slice(2)
        .every(
          (one) =>
            one.includes('A run that wanted the same has set the hold') || one.includes('Nothing is restored again'),
        ),
    ).toBe(true);
    expect((await steps()).map((one) => one.split(' ')[0])).toEqual(['begun', 'restored', 'done']);
    expect(await rows()).toEqual(['1001', '1001']);
    expect(await end()).toEqual(whole);
    // Whoever asks once more is told the same, and nothing is done again.
    const before = { steps: await steps(), folders: folders('whole') };
    await yes(await ask());
    const told = await world.lab.said('666', 'immich is back at time');
    expect(told.text).toContain('nothing was restored again');
    for (const sentence of ['It takes writes.', 'A full backup was taken.', 'eva follows again']) {
      expect(told.text).toContain(sentence);
    }
    expect({ steps: await steps(), folders: folders('whole') }).toEqual(before);
    expect(await rows()).toEqual(['1001', '1001']);
    expect(await end()).toEqual(whole);
  });
});
