import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { until } from '../../../../lab/hosts/waiting';
import { readManifests } from '../../../../lib/backup/stored';
import type { BackupPlan, Destination } from '../../../../lib/backup/plan';
import { applyReplace, previewReplace, type ReplaceRequest } from '../../../../lib/backup/replace';
import { awaitJob } from '../../../../lib/host/jobs/await';
import { listJobs } from '../../../../lib/host/jobs/read';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { filesBelow, startEstate, type Estate } from './estate';

const task = taskOf('replace test');

jest.setTimeout(240_000);

describeAsRoot('a backup in the place of the live database', () => {
  let estate: Estate;
  let wanted: BackupPlan;
  let destinations: readonly [Destination, Destination];
  let request: ReplaceRequest;
  const ask = async (database: string, query: string) =>
    (await estate.postgres.sql(`\\c ${database}\n\\t on\n\\a\n${query};`))
      .trim()
      .split('\n')
      .filter((line) => !/^(You are now connected|Tuples only|Output format)/.test(line))
      .join('\n');
  const databases = () =>
    ask('postgres', `SELECT string_agg(datname, ' ' ORDER BY datname) FROM pg_database WHERE datname LIKE 'immich%'`);

  /** Almost no disk. It is there before the host, which would not see it otherwise. */
  let small: string;
  beforeAll(async () => {
    small = await mkdtemp(join(tmpdir(), 'selfhost-small-disk-'));
    await run(['mount', '-t', 'tmpfs', '-o', 'size=14m', 'selfhost-test', small]);
    await run(['chown', 'postgres', small]);
    estate = await startEstate();
    const { postgres, local, plan, database } = estate;
    await postgres.sql(`
CREATE ROLE app LOGIN PASSWORD 'app-password';
CREATE DATABASE immich OWNER app ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0;
REVOKE ALL ON DATABASE immich FROM PUBLIC;
ALTER DATABASE immich SET search_path TO "$user", public;
ALTER ROLE app IN DATABASE immich SET work_mem TO '5MB';
\\c immich
CREATE TABLE photos (id int PRIMARY KEY, note text);
INSERT INTO photos SELECT n, 'photo ' || n FROM generate_series(1, 2000) n;
ALTER TABLE photos OWNER TO app;`);
    destinations = [local('one'), local('two')];
    wanted = plan({ sources: [database], destinations });
    const report = await estate.backUp(wanted);
    if (report.status !== 'ok') throw new Error(JSON.stringify(report));
    const name = report.sources[0]?.name ?? '';
    request = { plan: wanted, source: database, name, from: destinations[0], safety: 'dump' };
    await ask('immich', 'DELETE FROM photos WHERE id <= 500; CREATE TABLE later AS SELECT 1 AS x');
  });
  afterAll(async () => {
    await estate.stop();
    await run(['umount', '--lazy', small]);
    await rm(small, { recursive: true });
  });

  test('it is said what would be lost, and without that agreement nothing happens', async () => {
    const { machine } = estate;
    const preview = await previewReplace(machine.host, request, task);
    expect(preview).toEqual({
      hash: expect.stringMatching(/^[0-9a-f]{64}$/),
      database: 'immich',
      destination: 'one',
      runId: expect.stringMatching(/^run-/),
      backupAgeHours: 0,
      bytes: expect.any(Number),
      connections: 0,
      neededBytes: expect.any(Number),
      freeBytes: expect.any(Number),
      leftovers: [],
      differences: [
        { table: 'public.later', now: 1, inBackup: null },
        { table: 'public.photos', now: 1500, inBackup: 2000 },
      ],
      warnings: [],
      sentence: `Database immich on bruno would be replaced by its backup ${request.name}, which is 0 h old: 2 tables have not as many rows as the backup, and at least 1 rows would be gone. It is backed up to 2 destinations first, and stays under another name. 0 connections would be cut`,
    });
    // What was agreed to for one way is not agreed to for another.
    for (const change of [{ safety: 'aside' }, { from: destinations[1] }] as const)
      await expect(
        applyReplace(machine.host, { ...request, ...change, hash: preview.hash }, task),
      ).rejects.toMatchObject({
        code: 'replace_plan_changed',
      });
    expect(await databases()).toBe('immich');
    const source = { ...estate.database, database: 'photos' };
    await expect(previewReplace(machine.host, { ...request, source }, task)).rejects.toMatchObject({
      message: 'Database photos was not replaced: it is a backup of the database immich',
    });
  });

  test('a copy that is damaged replaces nothing, and leaves nothing', async () => {
    const { machine, pathOf } = estate;
    const damaged = { ...request, from: destinations[1], safety: 'aside' } as const;
    const { hash } = await previewReplace(machine.host, damaged, task);
    const files = (await filesBelow(pathOf('two'))).map((file) => join(pathOf('two'), file));
    const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
    const part = await open(files[sizes.indexOf(Math.max(...sizes))] ?? '', 'r+');
    await part.write('damaged', 5000);
    await part.close();
    await expect(applyReplace(machine.host, { ...damaged, hash }, task)).rejects.toMatchObject({
      code: 'restore_failed',
    });
    expect(await databases()).toBe('immich');
    expect(await ask('immich', 'SELECT count(*) FROM photos')).toBe('1500');
  });

  test('what a killed replacement has left is told, and taken away by the next one', async () => {
    const { machine, local } = estate;
    // A table whose rows are checked slowly as long as somebody wants it: the restore stands still in the middle.
    await ask(
      'immich',
      `CREATE FUNCTION slow(int) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(300) FROM pg_database WHERE datname = ''gate''; RETURN true; END';
       CREATE TABLE checked (x int CHECK (public.slow(x))); INSERT INTO checked VALUES (1)`,
    );
    const own = { ...wanted, set: 'slow', destinations: [local('slow')] as const };
    const name = (await estate.backUp(own)).sources[0]?.name ?? '';
    const slow: ReplaceRequest = { ...request, plan: own, name, from: own.destinations[0], safety: 'aside' };
    const { hash } = await previewReplace(machine.host, slow, task);
    await ask('postgres', 'CREATE DATABASE gate');
    const stopping = new AbortController();
    const broken = applyReplace(machine.host, { ...slow, hash }, { ...task, signal: stopping.signal });
    const stopped = expect(broken).rejects.toMatchObject({ code: 'cancelled' });
    const left = await until('the restore stands still', 30_000, async () => {
      const found = await ask(
        'postgres',
        "SELECT datname FROM pg_stat_activity WHERE datname LIKE 'immich_next_%' AND wait_event = 'PgSleep'",
      );
      return found === '' ? undefined : found;
    });
    // Who waited for it is gone, and it goes on: then nobody takes it away.
    stopping.abort();
    await stopped;
    const seen = await previewReplace(machine.host, slow, task);
    expect(seen.leftovers).toEqual([{ name: left, bytes: expect.any(Number) }]);
    expect(seen.warnings).toContain(`${left} is left of a replacement that was broken off, and is taken away first`);
    await expect(applyReplace(machine.host, { ...slow, hash: seen.hash }, task)).rejects.toMatchObject({
      message: expect.stringMatching(/a restore of postgres\/immich is going on, as job restore-\S+; wait for it/),
    });
    const [job] = await listJobs(machine.host, { name: 'Restore', states: ['running'] }, task);
    await run([
      'bash',
      '-c',
      'for f in $(grep -lzsxF "SELFHOST_RUN=$1" /proc/[0-9]*/environ); do p=${f%/environ}; kill -KILL "${p#/proc/}" || :; done',
      'bash',
      `${job?.id}/${job?.run}`,
    ]);
    await awaitJob(machine.host, job?.id ?? '', { run: job?.run ?? '', timeoutMs: 20_000 }, task);
    await ask('postgres', 'DROP DATABASE gate');
    const replaced = await applyReplace(machine.host, { ...slow, hash: seen.hash }, task);
    expect(await databases()).toBe(`immich ${replaced.keptAs}`);
    // As it was before this test, for the next one.
    await ask('postgres', `DROP DATABASE "${replaced.keptAs}"`);
    await ask('immich', 'DROP TABLE checked; DROP FUNCTION slow(int)');
  });

  test('a disk that has no room for a second copy is told before, and nothing is begun', async () => {
    const { machine, postgres } = estate;
    try {
      await postgres.sql(`CREATE TABLESPACE small LOCATION '${small}';\nALTER DATABASE immich SET TABLESPACE small;`);
      const { hash, warnings, freeBytes, neededBytes } = await previewReplace(machine.host, request, task);
      expect(freeBytes).toBeLessThan(neededBytes);
      const why = `its server has ${freeBytes} bytes free, and the backup beside it will take about ${neededBytes}`;
      expect(warnings).toEqual([`It would be refused: ${why}`]);
      await expect(applyReplace(machine.host, { ...request, hash }, task)).rejects.toMatchObject({
        code: 'replace_refused',
        message: expect.stringContaining('bytes free, and the backup beside it will take about'),
      });
      expect(await databases()).toBe('immich');
    } finally {
      await postgres.sql('ALTER DATABASE immich SET TABLESPACE pg_default;\nDROP TABLESPACE small;');
    }
  });

  test('it takes its place while people work in it, with all that was there kept twice', async () => {
    const { machine, postgres, vault } = estate;
    const { hash } = await previewReplace(machine.host, request, task);
    const user = spawn(
      'psql',
      ['-XAtq', '-h', postgres.socketFolder, '-p', String(postgres.port), '-U', 'app', '-d', 'immich'],
      { env: { ...process.env, PGPASSWORD: 'app-password' }, stdio: ['pipe', 'ignore', 'pipe'] },
    );
    user.stdin.on('error', () => undefined);
    let said = '';
    user.stderr.on('data', (piece: Buffer) => (said += piece.toString()));
    const gone = once(user, 'close');
    user.stdin.write('BEGIN; LOCK TABLE photos IN ROW EXCLUSIVE MODE; SELECT pg_sleep(600);\n');
    await until('somebody works in it', 20_000, async () => {
      const there = await ask(
        'postgres',
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'app' AND state = 'active'",
      );
      return there === '1' || undefined;
    });
    const replaced = await applyReplace(machine.host, { ...request, hash }, task);
    await gone;
    expect(said).toContain('terminating connection due to administrator command');
    expect(replaced).toEqual({
      database: 'immich',
      destination: 'one',
      runId: expect.stringMatching(/^run-/),
      keptAs: expect.stringMatching(/^immich_before_\d{14}$/),
      safetyBackup: expect.stringMatching(/Z$/),
      tables: [{ schema: 'public', table: 'photos', rows: 2000 }],
      seconds: expect.any(Number),
    });
    expect(await databases()).toBe(`immich ${replaced.keptAs}`);
    expect(await ask('immich', 'SELECT count(*) FROM photos')).toBe('2000');
    expect(await ask(replaced.keptAs, 'SELECT count(*) FROM later')).toBe('1');
    // It belongs to whom it belonged, and is as it was.
    expect(
      await ask(
        'postgres',
        `SELECT concat_ws('|', pg_get_userbyid(datdba), datcollate, datacl, (SELECT string_agg(setrole::regrole || ' ' || setconfig::text, ', ' ORDER BY setrole) FROM pg_db_role_setting WHERE setdatabase = d.oid)) FROM pg_database d WHERE datname = 'immich'`,
      ),
    ).toBe('app|C|{app=CTc/app}|- {"search_path=\\"$user\\", public"}, app {work_mem=5MB}');
    expect(await ask('immich', "SELECT tableowner FROM pg_tables WHERE tablename = 'photos'")).toBe('app');
    const safety = { source: request.source.name, name: replaced.safetyBackup ?? '' };
    expect(await readManifests(machine.host, vault, safety, destinations, task)).toEqual(
      destinations.map((): unknown =>
        expect.objectContaining({
          manifest: expect.objectContaining({
            facts: expect.objectContaining({
              tables: [
                { schema: 'public', table: 'later', rows: 1 },
                { schema: 'public', table: 'photos', rows: 1500 },
              ],
            }),
          }),
        }),
      ),
    );
    // What was agreed to has been done; a second time it would be another database.
    await expect(applyReplace(machine.host, { ...request, hash }, task)).rejects.toMatchObject({
      code: 'replace_plan_changed',
    });
  });
});
