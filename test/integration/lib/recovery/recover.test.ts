import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { openKit } from '../../../../lib/backup/kit/open';
import { writeKit, type KitPlan } from '../../../../lib/backup/kit/kit';
import type { Vault } from '../../../../lib/backup/plan';
import type { JsonObject } from '../../../../lib/json';
import { recover } from '../../../../lib/recovery/recover';
import { parseStep, type RecoveryStep } from '../../../../lib/recovery/steps';
import { describeAsRoot } from '../../lab/as-root';
import { startMachine, taskOf, type Machine } from '../host/machine';
import { startEstate, type Estate } from '../backup/estate';

const task = taskOf('recovery test');
const KIT = '/var/lib/selfhost/recovery/kit';

jest.setTimeout(180_000);

describeAsRoot('what was on a host that is gone', () => {
  let estate: Estate;
  let fresh: Machine;
  let identity: string;
  let kit: KitPlan;
  const at = (...path: string[]) => join(estate.folder, 'srv', ...path);
  const hashOf = (path: string) => createHash('sha256').update(readFileSync(path)).digest('hex');
  const vault: Vault = { rclone: { kind: 'file', path: `${KIT}/rclone.conf` }, crypt: 'vault' };
  let before: { readonly vaults: string };

  beforeAll(async () => {
    [estate, fresh] = await Promise.all([startEstate(), startMachine('fresh')]);
    const { postgres, local, sftp, plan, database, folder, vault: text } = estate;
    mkdirSync(at('vaults', 'notes'), { recursive: true });
    writeFileSync(at('vaults', 'notes', 'day.md'), 'what I wrote\n'.repeat(1000));
    await run(['sqlite3', at('git.db'), 'CREATE TABLE repo (id int); INSERT INTO repo VALUES (1), (2), (3);']);
    await postgres.sql(`
CREATE ROLE app LOGIN PASSWORD 'app-password';
CREATE DATABASE immich OWNER app;
\\c immich
CREATE TABLE photos (id int PRIMARY KEY, note text);
INSERT INTO photos SELECT n, 'photo ' || n FROM generate_series(1, 2000) n;
ALTER TABLE photos OWNER TO app;`);
    before = { vaults: hashOf(at('vaults', 'notes', 'day.md')) };
    const sources = [
      database,
      { kind: 'directory' as const, name: 'vaults', path: at('vaults') },
      { kind: 'sqlite' as const, name: 'git', path: at('git.db') },
    ] as const;
    const report = await estate.backUp(plan({ sources, destinations: [local('one'), sftp('two')] }));
    if (report.status !== 'ok') throw new Error(JSON.stringify(report));

    await run(['age-keygen', '-o', join(folder, 'key.txt')]);
    identity = /AGE-SECRET-KEY-\S+/.exec(readFileSync(join(folder, 'key.txt'), 'utf8'))?.[0] ?? '';
    const place = (name: string, provider: string) => ({ name, provider, remote: join(folder, name) });
    kit = {
      content: {
        estate: 'lab',
        rcloneConf: text.rclone.kind === 'text' ? text.rclone.text : '',
        keys: { 'pg-password': postgres.password, 'env.shop': 'TOKEN=of-the-shop\n' },
        inventory: {},
      },
      recipients: [(await run(['age-keygen', '-y', join(folder, 'key.txt')])).trim()],
      rclone: { kind: 'text', text: '' },
      places: [place('kit-one', 'ovh'), place('kit-two', 'google')],
      protects: { provider: 'hetzner', host: 'bruno' },
    };
    await writeKit(estate.machine.host, kit, task);

    // The disaster. The new server has an empty database of that name, as a container makes it.
    await postgres.sql('DROP DATABASE immich; CREATE DATABASE immich OWNER app');
    rmSync(at(), { recursive: true });
  });
  afterAll(async () => {
    await Promise.all([estate.stop(), fresh.stop()]);
  });

  const step = (name: string, source: JsonObject): RecoveryStep =>
    parseStep({
      stage: 1,
      name,
      does: 'restore',
      keys: { 'credential:PG': 'pg-password' },
      plan: {
        set: 'nightly',
        home: { host: 'bruno', provider: 'hetzner' },
        sources: [{ name, ...source }],
        destinations: ['one', 'two'].map((one) => ({
          ...{ name: one, provider: one },
          remote: one === 'one' ? estate.pathOf(one) : `eva:${estate.pathOf(one)}`,
        })),
      },
    });
  const again = (one: RecoveryStep) =>
    recover(
      fresh.host,
      {
        step: one,
        vault,
        kitFolder: KIT,
        resolve: () => Promise.reject(new Error('No secret is asked for elsewhere')),
      },
      task,
    );
  const note = (folder: string) => join(fresh.state, 'recovery', folder);

  test('the newest kit that any place still has is opened on the new host, once, and for root alone', async () => {
    const request = { rclone: kit.rclone, places: kit.places, identity, folder: KIT };
    rmSync(join(estate.folder, 'kit-one'), { recursive: true });
    const opened = await openKit(fresh.host, request, task);
    expect(opened).toEqual({
      kit: expect.stringMatching(/^recovery-kit-.*\.age$/),
      place: 'kit-two',
      madeAt: expect.any(String),
      ageHours: 0,
      changed: true,
      keys: ['env.shop', 'pg-password'],
    });
    expect(await openKit(fresh.host, request, task)).toEqual({ ...opened, changed: false });
    const folder = note('kit');
    expect(readFileSync(join(folder, 'keys', 'env.shop'), 'utf8')).toBe('TOKEN=of-the-shop\n');
    expect((statSync(folder).mode & 0o777).toString(8)).toBe('700');
    expect((statSync(join(folder, 'rclone.conf')).mode & 0o777).toString(8)).toBe('600');
    expect(readdirSync(dirname(folder)).filter((name) => name.startsWith('.kit'))).toEqual([]);
  });

  test('with another key nothing is opened, and it is said without the key', async () => {
    const other = /AGE-SECRET-KEY-\S+/.exec(await run(['sh', '-c', 'age-keygen 2>/dev/null']))?.[0] ?? '';
    const request = { rclone: kit.rclone, places: kit.places, identity: other, folder: `${KIT}-other` };
    const failed = await openKit(fresh.host, request, task).then(() => '', String);
    expect(failed).toContain('no identity matched any of the recipients');
    expect(failed).not.toContain(other);
    expect(existsSync(note('kit-other'))).toBe(false);
  });

  test('a folder comes back byte for byte, a database with its rows and owners, and a second time nothing is touched', async () => {
    const vaults = step('vaults', { kind: 'directory', path: at('vaults') });
    // Compose makes an empty folder for what it mounts.
    mkdirSync(at('vaults'), { recursive: true });
    expect(await again(vaults)).toEqual([
      {
        ...{ source: 'vaults', state: 'restored', destination: 'one', rows: null, place: at('vaults') },
        ...{ backup: expect.any(String), madeAt: expect.any(String), ageHours: 0, seconds: expect.any(Number) },
      },
    ]);
    expect(hashOf(at('vaults', 'notes', 'day.md'))).toBe(before.vaults);
    writeFileSync(at('vaults', 'new.md'), 'written since\n');
    expect(await again(vaults)).toMatchObject([{ state: 'found', destination: 'one' }]);
    expect(readFileSync(at('vaults', 'new.md'), 'utf8')).toBe('written since\n');

    const { address = '', port = 0, user = '', database } = estate.database;
    const immich = step('postgres/immich', {
      ...{ kind: 'postgres', database, address, port, user, password: 'credential:PG' },
    });
    expect(await again(immich)).toMatchObject([{ state: 'restored', rows: 2000, place: 'database immich' }]);
    expect(
      await estate.postgres.sql("\\c immich\nSELECT tableowner FROM pg_tables WHERE tablename = 'photos'"),
    ).toContain('app');
    expect(await again(immich)).toMatchObject([{ state: 'found', rows: 2000 }]);
    // Killed between the work and its note: the rows are those of the backup, so it is done.
    rmSync(note('done'), { recursive: true });
    expect(await again(immich)).toMatchObject([{ state: 'found', place: 'database immich' }]);
    expect(await again(vaults)).toMatchObject([{ state: 'found' }]);
  });

  test('when the first destination gives a damaged copy, the next one is taken', async () => {
    const parts = await run(['find', estate.pathOf('one'), '-type', 'f', '-size', '-64k', '-size', '+0']);
    for (const file of parts.trim().split('\n')) {
      // What the parts of SQLite are called, their encrypted names do not say; manifests stay as they are.
      const bytes = readFileSync(file);
      if (bytes.length < 600) writeFileSync(file, Buffer.alloc(bytes.length, 7));
    }
    const git = step('git', { kind: 'sqlite', path: at('git.db') });
    const [came] = await again(git);
    expect(came).toMatchObject({ state: 'restored', destination: 'two' });
    expect(await run(['sqlite3', at('git.db'), 'SELECT count(*) FROM repo'])).toBe('3\n');
  });

  test('what stands there and is none of it stays', async () => {
    mkdirSync(at('other'), { recursive: true });
    writeFileSync(at('other', 'mine.txt'), 'mine\n');
    rmSync(note('begun'), { recursive: true });
    rmSync(note('done'), { recursive: true });
    const elsewhere = step('vaults', { kind: 'directory', path: at('other') });
    await expect(again(elsewhere)).rejects.toMatchObject({ code: 'recovery_in_the_way' });
    expect(readFileSync(at('other', 'mine.txt'), 'utf8')).toBe('mine\n');
  });
});
