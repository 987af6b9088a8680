import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { expire, takeBackup, verifyRepository } from '../../../../lib/postgres/pgbackrest/backup';
import { configureStanza } from '../../../../lib/postgres/pgbackrest/configure';
import { drill } from '../../../../lib/postgres/pgbackrest/drill';
import { readInfo } from '../../../../lib/postgres/pgbackrest/info';
import { applyRestore, forgetFormerData, planRestore, undoRestore } from '../../../../lib/postgres/pgbackrest/restore';
import { removeScratch, restoreToScratch } from '../../../../lib/postgres/pgbackrest/scratch';
import { checkArchiving, createStanza } from '../../../../lib/postgres/pgbackrest/stanza-commands';
import type { RestoreTarget } from '../../../../lib/postgres/pgbackrest/target';
import { rejoin } from '../../../../lib/postgres/replication/rejoin';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { runCommand } from '../../../../lib/host/run';
import { startStanzaLab, type StanzaLab } from '../../../shared/stanza';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../../integration/lab/as-root';

describeAsRoot('point-in-time recovery with pgBackRest', () => {
  let lab: StanzaLab;
  const sql = (text: string) => lab.pair.sql('bruno', text);
  const archived = () => checkArchiving(lab.stanza, 20, quietTask());
  const inCopy = async (socket: string | null, text: string) => {
    const psql = ['psql', '-XAtq', '-h', socket ?? '', '-d', 'postgres', '-c', text];
    return (await run(['setpriv', '--reuid=postgres', '--clear-groups', ...psql])).trim();
  };
  beforeAll(async () => {
    lab = await startStanzaLab();
    const { stanza, wish } = lab;
    await configureStanza(stanza, { ...wish, allowRestart: true }, quietTask());
    await createStanza(stanza, { dryRun: false }, quietTask());
    await takeBackup(stanza, { type: 'full' }, quietTask());
    await sql('create table kept (id int); insert into kept select generate_series(1, 1000)');
    await takeBackup(stanza, { type: 'diff' }, quietTask());
    await sql('insert into kept values (1001)');
    await takeBackup(stanza, { type: 'incr' }, quietTask());
  }, 120_000);
  afterAll(() => lab.pair.stop());

  test('every kind of target shows in a scratch folder what was there then, while the real server goes on', async () => {
    const { stanza, home } = lab;
    const time = await lab.now();
    await sql("select pg_create_restore_point('before the mistake')");
    const lsn = await sql('select pg_current_wal_insert_lsn()');
    const xid = await sql('insert into kept values (1002) returning pg_current_xact_id()');
    await sql('truncate kept');
    await archived();
    const targets: readonly (readonly [RestoreTarget, string])[] = [
      [{ kind: 'newest' }, '0'],
      [{ kind: 'time', time }, '1001'],
      [{ kind: 'lsn', lsn }, '1001'],
      [{ kind: 'xid', xid }, '1002'],
      [{ kind: 'name', name: 'before the mistake' }, '1001'],
      [{ kind: 'immediate' }, '1001'],
    ];
    const folder = join(home, 'copy');
    for (const [target, count] of targets) {
      const copy = await restoreToScratch(stanza, { folder, target }, quietTask());
      expect([target.kind, await inCopy(copy.socketFolder, 'select count(*) from kept')]).toEqual([target.kind, count]);
      expect(await inCopy(copy.socketFolder, 'show archive_mode')).toBe('off');
      expect(await sql('select count(*) from kept')).toBe('0');
      // Somebody may still look at it: asked again it is the answer, and it makes room for no other moment.
      const { restoredAt, backup } = copy;
      const again = await restoreToScratch(stanza, { folder, target }, quietTask());
      expect(again).toMatchObject({ changed: false, restoredAt, backup, job: null, socketFolder: copy.socketFolder });
      const other = restoreToScratch(stanza, { folder, target: { kind: 'xid', xid: '3' } }, quietTask());
      expect(await lab.failureOf(other)).toMatchObject({ code: 'folder_in_use' });
      expect(await removeScratch(stanza, { folder: folder, dryRun: false }, quietTask())).toEqual({ changed: true });
    }
    expect(await removeScratch(stanza, { folder: folder, dryRun: false }, quietTask())).toEqual({ changed: false });
  }, 180_000);

  test('a drill restores the newest and a random moment, and finds the heartbeat of that moment', async () => {
    const { stanza, home } = lab;
    const folder = join(home, 'drill');
    await drill(stanza, { folder, points: ['newest'], amcheck: false }, quietTask());
    const points = ['newest', 'random'] as const;
    const done = await drill(stanza, { folder, points, chance: () => 0.999 }, quietTask());
    expect(done).toMatchObject({
      ok: true,
      points: [
        { target: 'as far as there is WAL', heartbeatAgeSeconds: 0, problems: [] },
        { target: expect.stringMatching(/Z$/), heartbeatAt: expect.stringMatching(/Z$/), problems: [] },
      ],
    });
    expect(done.points[1]?.heartbeatAgeSeconds).toBeGreaterThan(0);
    expect(done.points.every(({ amcheckSeconds }) => amcheckSeconds !== null)).toBe(true);
    expect(await readdir(home)).not.toContain('drill');
    console.log(JSON.stringify(done.points.map(({ databases: _, ...point }) => point)));
  }, 180_000);

  test('an expiry is previewed before it is done', async () => {
    const { stanza } = lab;
    const { backups } = await readInfo(stanza, {}, quietTask());
    const label = backups.at(-1)?.label ?? '';
    const preview = await expire(stanza, { dryRun: true, set: label }, quietTask());
    expect(preview).toMatchObject({ dryRun: true, changed: false, backups: [label] });
    expect((await readInfo(stanza, {}, quietTask())).backups).toHaveLength(3);
    expect(await expire(stanza, { dryRun: false, set: label }, quietTask())).toMatchObject({ changed: true });
    expect((await readInfo(stanza, {}, quietTask())).backups).toHaveLength(2);
  }, 60_000);

  test('a restore over the server does only what was planned, and puts the former data back when it fails', async () => {
    const { stanza, home } = lab;
    await sql("insert into kept values (1); select pg_create_restore_point('before the drop')");
    await sql('drop table kept');
    await archived();
    const wanted = { target: { kind: 'name', name: 'before the drop' }, method: 'aside', others: [] } as const;
    const plan = await planRestore(stanza, wanted, quietTask());
    expect(plan.lines).toHaveLength(5);
    const changed = { ...wanted, target: { kind: 'newest' } } as const;
    const mixed = applyRestore(stanza, changed, { agreed: plan.hash }, quietTask());
    expect(await lab.failureOf(mixed)).toMatchObject({ code: 'plan_drifted' });
    const unread = applyRestore(stanza, wanted, { agreed: '' }, quietTask());
    expect(await lab.failureOf(unread)).toMatchObject({ code: 'plan_needed' });
    const nowhere = { ...wanted, target: { kind: 'name', name: 'never made' } } as const;
    const hopeless = await planRestore(stanza, nowhere, quietTask());
    const failed = await lab.failureOf(applyRestore(stanza, nowhere, { agreed: hopeless.hash }, quietTask()));
    expect(failed).toMatchObject({
      code: 'restored_not_started',
      read: expect.stringContaining('What was there before is in its place again, and runs'),
    });
    expect(await sql("select to_regclass('kept')")).toBe('');
    const result = await applyRestore(stanza, wanted, { agreed: plan.hash }, quietTask());
    expect(result).toMatchObject({ changed: true, timeline: 2, keptAside: `${home}/data.selfhost-before` });
    expect(await sql('select count(*) from kept')).toBe('1');
    expect(await lab.failureOf(planRestore(stanza, changed, quietTask()))).toMatchObject({
      code: 'before_is_there',
    });
    expect(await planRestore(stanza, wanted, quietTask())).toMatchObject({
      ...{ hash: plan.hash, lines: plan.lines, earlier: { step: 'done' } },
    });
    // What is written and backed up from here on belongs to a history that is given up below.
    await sql('insert into kept values (2)');
    const { label } = await takeBackup(stanza, { type: 'full' }, quietTask());
    expect(await undoRestore(stanza, { dryRun: false }, quietTask())).toEqual({ changed: true });
    expect(await sql("select to_regclass('kept')")).toBe('');
    await sql('create table later (id int)');
    await archived();
    const folder = join(home, 'history');
    const copy = await restoreToScratch(stanza, { folder, target: { kind: 'newest' } }, quietTask());
    expect(copy.backup).not.toBe(label);
    expect(await inCopy(copy.socketFolder, "select to_regclass('kept'), to_regclass('later')")).toBe('|later');
    await removeScratch(stanza, { folder, dryRun: false }, quietTask());
    // It is there for who wants it all the same.
    const other = await restoreToScratch(stanza, { folder, target: { kind: 'newest' }, timeline: 2 }, quietTask());
    expect(await inCopy(other.socketFolder, "select to_regclass('kept'), to_regclass('later')")).toBe('kept|');
    await removeScratch(stanza, { folder, dryRun: false }, quietTask());
    expect(await forgetFormerData(stanza, { dryRun: false }, quietTask())).toEqual({ changed: false });
    expect(await readInfo(stanza, {}, quietTask())).toMatchObject({ verdict: 'ok' });
  }, 180_000);

  test('the runbook, step by step: a pair goes back to before a mistake, and is a healthy pair again', async () => {
    const { stanza, pair } = lab;
    const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
    const both = { primary: bruno, standby: eva, allowRestart: true };
    await setUpReplication(pair.cluster, { ...both, synchronous: true }, quietTask());
    await sql('create table photos (id int); insert into photos select generate_series(1, 100805)');
    const time = await lab.now();
    await sql('delete from photos');
    // 2: what the primary has must be in the repository.
    await archived();
    // 3: look at it in a scratch folder first.
    const folder = join(lab.home, 'look');
    const target = { kind: 'time', time } as const;
    const copy = await restoreToScratch(stanza, { folder, target }, quietTask());
    expect(await inCopy(copy.socketFolder, 'select count(*) from photos')).toBe('100805');
    await removeScratch(stanza, { folder: folder, dryRun: false }, quietTask());
    // 4: a standby that follows, or could be promoted, is in the way. What cannot be had is refused while it still is.
    const wanted = { target, method: 'aside', others: [eva] } as const;
    const before = await planRestore(stanza, wanted, quietTask());
    expect(before.inTheWay).toEqual([{ member: 'eva', why: 'its standby eva still follows it' }]);
    expect(await lab.failureOf(applyRestore(stanza, wanted, { agreed: before.hash }, quietTask()))).toMatchObject({
      code: 'standby_in_the_way',
    });
    const never = { ...wanted, target: { kind: 'time', time: '2042-01-01T00:00:00.000Z' } } as const;
    expect(await lab.failureOf(planRestore(stanza, never, quietTask()))).toMatchObject({ code: 'target_not_archived' });
    await setUpReplication(pair.cluster, { ...both, synchronous: false }, quietTask());
    const stop = [join(eva.programs, 'pg_ctl'), '-D', eva.dataFolder, '-m', 'fast', 'stop'];
    const asPostgres = ['setpriv', '--reuid=postgres', '--clear-groups'] as const;
    await runCommand(eva.host, { argv: [...asPostgres, ...stop] }, {}, quietTask());
    // 5 and 6: plan, apply.
    const plan = await planRestore(stanza, wanted, quietTask());
    expect(plan).toEqual({ ...before, inTheWay: [] });
    await applyRestore(stanza, wanted, { agreed: plan.hash }, quietTask());
    expect(await sql('select count(*) from photos')).toBe('100805');
    // 7: a full backup of the new history, the standby anew, and what was put aside goes.
    await takeBackup(stanza, { type: 'full' }, quietTask());
    const back = { primary: bruno, standby: eva, synchronous: true, allowCopy: false };
    expect(await rejoin(pair.cluster, back, quietTask())).toMatchObject({ changed: true, method: 'rewound' });
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary: 'bruno' });
    expect(await pair.sql('eva', 'select count(*) from photos')).toBe('100805');
    expect(await forgetFormerData(stanza, { dryRun: false }, quietTask())).toEqual({ changed: true });
  }, 300_000);

  test('reads its failures aloud: each says what is wrong and what to do', async () => {
    const { stanza, home, failureOf } = lab;
    const folder = join(home, 'copy');
    const told: Record<string, string> = {};
    const hear = async (name: string, work: Promise<unknown>) => {
      const { code, read } = await failureOf(work);
      told[name] = read;
      return code;
    };
    const scratch = (target: RestoreTarget, where = folder) =>
      restoreToScratch(stanza, { folder: where, target }, quietTask());
    const newest = { kind: 'newest' } as const;
    const at = (time: string) => ({ kind: 'time', time }) as const;
    expect(await hear('after the newest WAL', scratch(at('2042-01-01T00:00:00.000Z')))).toBe('target_not_archived');
    expect(await hear('before the first backup', scratch(at('2001-01-01T00:00:00.000Z')))).toBe('backup_missing');
    expect(await hear('somebody’s folder', scratch(newest, join(home, 'logs')))).toBe('folder_not_scratch');
    const xid = { kind: 'xid', xid: '4000000000' } as const;
    expect(await hear('a transaction that has not begun', scratch(xid))).toBe('target_not_archived');
    const lsn = { kind: 'lsn', lsn: 'FFFF/0' } as const;
    expect(await hear('an LSN after the newest WAL', scratch(lsn))).toBe('target_not_archived');
    expect(await readdir(home)).not.toContain('copy');
    // Whether a name was ever given is only known once the WAL was played back.
    const never = { kind: 'name', name: 'never made' } as const;
    expect(await hear('a target that is never met', scratch(never))).toBe('target_not_reached');
    await removeScratch(stanza, { folder: folder, dryRun: false }, quietTask());
    await mkdir(join(home, 'small'));
    const mount = ['mount', '-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', join(home, 'small')] as const;
    await runCommand(stanza.member.host, { argv: mount }, {}, quietTask());
    expect(await hear('a small disk', scratch(newest, join(home, 'small/copy')))).toBe('no_room');
    await runCommand(stanza.member.host, { argv: ['umount', join(home, 'small')] }, {}, quietTask());
    const check = checkArchiving({ ...stanza, name: 'other' }, 2, quietTask());
    expect(await hear('another stanza', check)).toBe('stanza_not_configured');

    await rename(join(home, 'repo'), join(home, 'away'));
    const full = { type: 'full' } as const;
    expect(await hear('the mount is gone: check', checkArchiving(stanza, 2, quietTask()))).toBe('stanza_missing');
    expect(await hear('the mount is gone: backup', takeBackup(stanza, full, quietTask()))).toBe('stanza_missing');
    expect(await hear('the mount is gone: restore', scratch(newest))).toBe('stanza_missing');
    expect(await readInfo(stanza, {}, quietTask())).toMatchObject({ verdict: 'failing' });
    // A repository on a disk that is too small.
    await mkdir(join(home, 'repo'));
    const tiny = ['mount', '-t', 'tmpfs', '-o', `size=2m,uid=${await uid()}`, 'tmpfs', join(home, 'repo')] as const;
    await runCommand(stanza.member.host, { argv: tiny }, {}, quietTask());
    await createStanza(stanza, { dryRun: false }, quietTask());
    expect(await hear('a full repository', takeBackup(stanza, full, quietTask()))).toBe('disk_full');
    await runCommand(stanza.member.host, { argv: ['umount', join(home, 'repo')] }, {}, quietTask());
    await rm(join(home, 'repo'), { recursive: true });
    await rename(join(home, 'away'), join(home, 'repo'));

    // A segment that is gone: pgBackRest calls what is left ok, and a restore would end there without a word.
    await takeBackup(stanza, full, quietTask());
    for (const _ of [1, 2, 3]) await archived();
    const id = (await readdir(join(home, 'repo/archive/immich/15-1')))
      .filter((name) => /^0/.test(name))
      .sort()
      .at(-1);
    const archive = join(home, 'repo/archive/immich/15-1', id ?? '');
    const segments = (await readdir(archive)).filter((name) => name.endsWith('.gz')).sort();
    const lost = segments.at(-2) ?? '';
    await rm(join(archive, lost));
    expect(await verifyRepository(stanza, {}, quietTask())).toMatchObject({ ok: true });
    const info = await readInfo(stanza, {}, quietTask());
    const name = lost.slice(0, 24);
    // What was archived into the small repository meanwhile is missing here, too.
    expect(info.archives[0]?.gaps).toContainEqual({ from: name, to: name, count: 1 });
    expect(info).toMatchObject({ verdict: 'failing', reasons: [expect.stringMatching(/WAL [0-9A-F]{24} .*missing/)] });
    console.log(
      Object.entries(told)
        .map(([name, read]) => `${name}: ${read}`)
        .join('\n'),
    );
  }, 300_000);
});

async function uid(): Promise<string> {
  return (await run(['id', '-u', 'postgres'])).trim();
}
