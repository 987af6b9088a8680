import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hostOf } from '../../../../lab/hosts/as-host';
import { run } from '../../../../lab/hosts/programs';
import { takeBackup, verifyRepository } from '../../../../lib/postgres/pgbackrest/backup';
import { configureStanza, planConfiguration } from '../../../../lib/postgres/pgbackrest/configure';
import { drill } from '../../../../lib/postgres/pgbackrest/drill';
import { readFeatures } from '../../../../lib/postgres/pgbackrest/features';
import { readInfo } from '../../../../lib/postgres/pgbackrest/info';
import { planRestore } from '../../../../lib/postgres/pgbackrest/restore';
import { removeScratch, restoreToScratch } from '../../../../lib/postgres/pgbackrest/scratch';
import { checkArchiving, createStanza } from '../../../../lib/postgres/pgbackrest/stanza-commands';
import { lsnNumber, type RestoreTarget } from '../../../../lib/postgres/pgbackrest/target';
import type { Progress } from '../../../../lib/task';
import { startCable } from '../../../shared/cable';
import { CIPHER_PASSWORD, startStanzaLab, type StanzaLab } from '../../../shared/stanza';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

// One story: each step stands on the one before it, as backups do. Restores are in test/long.
describeAsRoot('pgBackRest as Debian has it, beside a real PostgreSQL', () => {
  let lab: StanzaLab;
  beforeAll(async () => {
    lab = await startStanzaLab();
  }, 60_000);
  afterAll(() => lab.pair.stop());

  test('says every line it would change, with no secret in it, and changes nothing without the restart', async () => {
    const { stanza, wish, plain, home } = lab;
    const { lines } = await planConfiguration(stanza, wish, quietTask());
    expect(lines.map(plain)).toEqual([
      'HOME/pgbackrest.conf: pg1-path=HOME/data',
      'HOME/pgbackrest.conf: pg1-port=5432',
      'HOME/pgbackrest.conf: pg1-socket-path=HOME',
      'HOME/pgbackrest.conf: pg1-user=postgres',
      'HOME/pgbackrest.conf: repo1-path=HOME/repo',
      'HOME/pgbackrest.conf: repo1-retention-full=2',
      'HOME/pgbackrest.conf: repo1-cipher-type=aes-256-cbc',
      'HOME/pgbackrest.conf: repo1-cipher-pass=(secret)',
      'HOME/pgbackrest.conf: log-path=HOME/logs',
      'HOME/pgbackrest.conf: lock-path=HOME/lock',
      'archive_mode: off -> on',
      'archive_command: empty -> pgbackrest --stanza=immich --config=HOME/pgbackrest.conf archive-push %p',
      'restart of PostgreSQL on bruno',
    ]);
    const refused = configureStanza(stanza, { ...wish, allowRestart: false }, quietTask());
    await expect(refused).rejects.toMatchObject({ code: 'restart_needed' });
    expect(await readdir(home)).not.toContain('pgbackrest.conf');
  });

  test('is configured once, creates its stanza once, and finds what it archives', async () => {
    const { stanza, wish } = lab;
    const configure = () => configureStanza(stanza, { ...wish, allowRestart: true }, quietTask());
    expect(await configure()).toMatchObject({ changed: true });
    expect(await configure()).toEqual({ changed: false, lines: [] });
    expect(await createStanza(stanza, { dryRun: false }, quietTask())).toEqual({ changed: true });
    expect(await createStanza(stanza, { dryRun: false }, quietTask())).toEqual({ changed: false });
    expect(await checkArchiving(stanza, 20, quietTask())).toMatchObject({
      archived: expect.stringMatching(/^[0-9A-F]{24}$/),
    });
    expect(await readFeatures(stanza, quietTask())).toMatchObject({ version: expect.stringMatching(/^2\.\d+/) });
  }, 60_000);

  test('takes a backup whose connection breaks in the middle, tells how far it is, and shows no secret', async () => {
    const { stanza, pair, home } = lab;
    const told: Progress[] = [];
    const seen: string[] = [];
    const bruno = pair.network.hosts.bruno;
    const cable = await startCable(bruno);
    const before = await bruno.connections();
    const task = {
      ...quietTask(),
      progress: (one: Progress) => {
        if (told.push(one) === 1) cable.cut();
      },
    };
    const looking = setInterval(() => {
      void run(['ps', '-eo', 'args']).then((text) => seen.push(text));
    }, 200);
    const host = hostOf({ ...bruno, address: cable.address, port: cable.port });
    const far = { ...stanza, member: { ...stanza.member, host } };
    const backup = await takeBackup(far, { type: 'incr' }, task).finally(async () => {
      clearInterval(looking);
      await cable.stop();
    });
    expect(backup).toMatchObject({ type: 'full', typeAsked: 'incr', repository: 1, damagedPages: false });
    // One that was cut, and another.
    expect((await bruno.connections()) - before).toBeGreaterThanOrEqual(2);
    expect(seen.join('\n')).toContain('--type=incr');
    const files = (await readdir(join(home, 'logs'))).map((name) => join(home, 'logs', name));
    const logs = await Promise.all(files.map((file) => readFile(file, 'utf8')));
    const everything = [...seen, ...logs, await pair.log('bruno'), JSON.stringify([told, backup])].join('\n');
    expect(everything).not.toContain(CIPHER_PASSWORD);
  }, 60_000);

  test('shows backups, repositories and the archiver, and reads every file', async () => {
    const { stanza, pair } = lab;
    const info = await readInfo(stanza, {}, quietTask());
    expect(info).toMatchObject({
      verdict: 'ok',
      reasons: [],
      repositories: [{ key: 1, status: 'ok', cipher: 'aes-256-cbc', backups: 1 }],
      backups: [{ type: 'full' }],
      archiver: { mode: 'on', failing: false },
      archives: [{ id: '15-1', missing: 0, gaps: [] }],
    });
    expect(info.systemIdentifier).toBe(await pair.sql('bruno', 'select system_identifier from pg_control_system()'));
    expect(await readInfo(stanza, { oldestSeconds: -1 }, quietTask())).toMatchObject({ verdict: 'failing' });
    expect(await verifyRepository(stanza, {}, quietTask())).toMatchObject({ ok: true, problems: [], files: [{}] });
  }, 60_000);

  test('refuses what plainly cannot be had before anything changes, with what can: over the server, beside it, in a drill', async () => {
    const { stanza, pair, home } = lab;
    await checkArchiving(stanza, 20, quietTask());
    const [{ stoppedAt, stopLsn } = { stoppedAt: '', stopLsn: '' }] = (await readInfo(stanza, {}, quietTask())).backups;
    const ended = Date.parse(stoppedAt);
    const at = (time: number | string) => ({ kind: 'time', time: new Date(time).toISOString() }) as const;
    const sql = (text: string) => pair.sql('bruno', text);
    const hopeless: readonly (readonly [RestoreTarget, string])[] = [
      [at('2042-01-01T00:00:00.000Z'), 'target_not_archived'],
      // Nobody’s clock is so far off that it would be a moment of the past.
      [at(Date.parse(await lab.now()) + 60_000), 'target_not_archived'],
      [at('2001-01-01T00:00:00.000Z'), 'backup_missing'],
      [at(ended + 999), 'backup_missing'],
      [{ kind: 'lsn', lsn: '0/28' }, 'backup_missing'],
      [{ kind: 'lsn', lsn: await sql("select pg_current_wal_lsn() + pg_size_bytes('64 MB')") }, 'target_not_archived'],
      [
        { kind: 'xid', xid: await sql('select txid_snapshot_xmax(txid_current_snapshot()) + 1000') },
        'target_not_archived',
      ],
    ];
    const beats = () => sql("select to_regclass('selfhost.heartbeat') is not null");
    const folder = join(home, 'hopeless');
    const wish = { method: 'aside', others: [] } as const;
    const before = { postmaster: pair.processes('bruno')[0], files: await readdir(home) };
    for (const [target, code] of hopeless) {
      const refused = [target, { code, read: expect.stringContaining('Can be had: ') }];
      const over = planRestore(stanza, { ...wish, target }, quietTask());
      expect([target, await lab.failureOf(over)]).toEqual(refused);
      const beside = restoreToScratch(stanza, { folder, target }, quietTask());
      expect([target, await lab.failureOf(beside)]).toEqual(refused);
    }
    expect(await beats()).toBe('f');
    const points = ['newest', at('2042-01-01T00:00:00.000Z')] as const;
    const begin = performance.now();
    const hours = drill(stanza, { folder, points }, quietTask());
    expect(await lab.failureOf(hours)).toMatchObject({ code: 'target_not_archived' });
    console.log(`the drill refused after ${Math.round(performance.now() - begin)} ms`);
    expect({ postmaster: pair.processes('bruno')[0], files: await readdir(home) }).toEqual(before);

    // What lies between is planned: the first and the last moment, and now, though nobody has written anything since.
    const moment = await lab.now();
    await checkArchiving(stanza, 20, quietTask());
    const lsn = await sql('select pg_current_wal_lsn()');
    expect(lsnNumber(lsn)).toBeGreaterThan(lsnNumber(stopLsn));
    const xid = await sql('select txid_current()');
    for (const target of [
      at(ended + 1_000),
      at(moment),
      { kind: 'lsn', lsn: stopLsn },
      { kind: 'xid', xid },
    ] as const) {
      expect((await planRestore(stanza, { ...wish, target }, quietTask())).lines).toHaveLength(5);
    }
    const copy = await restoreToScratch(stanza, { folder, target: at(moment) }, quietTask());
    expect(copy).toMatchObject({ changed: true, target: moment });
    await removeScratch(stanza, { folder, dryRun: false }, quietTask());
  }, 120_000);

  test('drills: the newest is restored, started, looked at and thrown away', async () => {
    const { stanza, home } = lab;
    const done = await drill(stanza, { folder: join(home, 'drill'), points: ['newest'] }, quietTask());
    expect(done).toMatchObject({
      ok: true,
      points: [{ target: 'as far as there is WAL', heartbeatAgeSeconds: 0, databases: [{ rows: 1 }] }],
    });
    expect(await readdir(home)).not.toContain('drill');
  }, 60_000);
});
