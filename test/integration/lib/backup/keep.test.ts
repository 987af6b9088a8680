import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { parseDescribed, type Described } from '../../../../lib/backup/described/described';
import { run } from '../../../../lab/hosts/programs';
import { takeCoverage } from '../../../../lib/backup/coverage/coverage';
import { takeInventory } from '../../../../lib/backup/inventory/inventory';
import { applyRetention, previewRetention } from '../../../../lib/backup/retention/apply';
import { describeAsRoot } from '../../lab/as-root';
import { taskOf } from '../host/machine';
import { filesBelow, startEstate, type Estate } from './estate';

const task = taskOf('keep test');

describeAsRoot('what is kept of backups', () => {
  let estate: Estate;
  let described: Described;
  const names: string[] = [];
  beforeAll(async () => {
    estate = await startEstate();
    const { local, sftp, webdav, spool, logFile, vault } = estate;
    const plain = ({ name, remote, provider }: ReturnType<Estate['local']>) => ({ name, remote, provider });
    described = parseDescribed(
      {
        set: 'nightly',
        home: { provider: 'hetzner' },
        sources: [{ kind: 'command', name: 'notes', argv: ['head', '-c', '300000', '/dev/urandom'] }],
        destinations: [
          plain(local('one')),
          plain(sftp('two')),
          plain(webdav('three')),
          { name: 'gone', remote: 'nowhere:x', provider: 'none' },
        ],
        keep: { last: 1 },
        spool: { folder: spool, partBytes: 262_144, reserveBytes: 1_048_576 },
        logFile,
      },
      vault,
      'bruno',
    );
    const living = { ...described.plan, destinations: [local('one'), sftp('two'), webdav('three')] as const };
    for (let round = 0; round < 3; round += 1) names.push((await estate.backUp(living)).sources[0]?.name ?? '');
  });
  afterAll(() => estate.stop());

  /** The files of a backup at a destination, by the folder in which it is stored. */
  const stored = async (place: string): Promise<Map<string, string[]>> => {
    const folders = new Map<string, string[]>();
    for (const file of await filesBelow(estate.pathOf(place))) {
      const folder = dirname(file);
      folders.set(folder, [...(folders.get(folder) ?? []), file]);
    }
    return folders;
  };

  test('the inventory tells for every destination how old the newest proven copy is, and what is wrong', async () => {
    const [first = '', , last = ''] = names;
    // A byte of the newest copy at one destination is flipped; its size stays.
    const folder = await folderOf(last);
    const part = join(estate.pathOf('two'), folder, (await largest(join(estate.pathOf('two'), folder))) ?? '');
    const bytes = await readFile(part);
    bytes[5000] = (bytes[5000] ?? 0) ^ 1;
    await writeFile(part, bytes);

    const { holdings } = await takeInventory(estate.machine.host, described, { depth: 'hash' }, task);
    expect(
      holdings.map(({ destination, state, backups, damaged, newest, verified, copy, oldest }) => ({
        destination,
        state,
        backups,
        damaged,
        newest,
        verified,
        copy,
        oldest,
      })),
    ).toEqual([
      {
        destination: 'one',
        state: 'fresh',
        backups: 3,
        damaged: 0,
        newest: last,
        verified: last,
        copy: 'proven',
        oldest: first,
      },
      {
        destination: 'two',
        state: 'fresh',
        backups: 2,
        damaged: 1,
        newest: names[1],
        verified: names[1],
        copy: 'proven',
        oldest: first,
      },
      {
        destination: 'three',
        state: 'fresh',
        backups: 3,
        damaged: 0,
        newest: last,
        verified: null,
        copy: 'unproven',
        oldest: first,
      },
      {
        destination: 'gone',
        state: 'unreachable',
        backups: 0,
        damaged: 0,
        newest: null,
        verified: null,
        copy: 'none',
        oldest: null,
      },
    ]);
    expect(holdings[1]?.problems).toEqual([
      {
        name: last,
        problem: expect.stringMatching(/^1 of 2 parts are not as they were written, first .*part-0000\d \(hash\)$/),
      },
    ]);
    expect(holdings[3]?.sentence).toMatch(/^What gone holds of notes is not known: .*didn't find section/);
  });

  test('retention removes what the agreed plan removes, never the last good copy, and nothing of others', async () => {
    const [first = '', second = '', last = ''] = names;
    const strange = join(estate.pathOf('one'), 'somebody-else.txt');
    await writeFile(strange, 'mine');
    const { host } = estate.machine;
    const plan = await previewRetention(host, described, {}, task);
    expect(plan.removals.map(({ destination, name }) => [destination, name])).toEqual([
      ['one', first],
      ['one', second],
      // Its newest is damaged, so the one before is the last good copy.
      ['two', first],
      ['three', first],
      ['three', second],
    ]);
    expect(plan.untouched).toEqual([{ destination: 'gone', why: expect.stringContaining('it could not be read') }]);
    await expect(applyRetention(host, described, { hash: 'f'.repeat(64) }, task)).rejects.toMatchObject({
      code: 'retention_plan_changed',
    });
    expect((await stored('one')).size).toBe(4);

    const outcome = await applyRetention(host, described, { hash: plan.hash }, task);
    expect(outcome.failures).toEqual([]);
    expect(outcome.removed).toHaveLength(5);
    expect([...(await stored('one')).keys()].sort()).toEqual(['.', await folderOf(last)].sort());
    expect([...(await stored('two')).keys()].sort()).toEqual([await folderOf(second), await folderOf(last)].sort());
    expect([...(await stored('three')).keys()]).toEqual([await folderOf(last)]);
    expect(await readFile(strange, 'utf8')).toBe('mine');
  });

  test('a removal that broke off leaves no backup, and the rest ages out', async () => {
    const [, , last = ''] = names;
    const folder = await folderOf(last);
    const manifest = (
      await estate.rclone('cryptdecode', '--reverse', 'vault:', `notes/${last}/${last}.manifest.json`)
    ).trim();
    await rm(join(estate.pathOf('one'), manifest.split('\t')[1]?.trim() ?? ''));
    const { host } = estate.machine;
    const now = new Date(Date.now() + 3 * 24 * 3_600_000);
    const late = await previewRetention(host, described, { now }, task);
    expect(late.removals.map(({ destination, name, reason }) => [destination, name, reason])).toEqual([
      ['one', last, 'never became a backup'],
    ]);
    await applyRetention(host, described, { hash: late.hash, now }, task);
    expect([...(await stored('one')).keys()]).not.toContain(folder);
  });

  test('what is on the host and in no backup is told, and what could not be looked at is not taken for nothing', async () => {
    const { postgres, folder, database, machine } = estate;
    await postgres.sql('CREATE DATABASE immich;\nCREATE DATABASE wiki;');
    const data = join(folder, 'data');
    await run(['mkdir', '-p', data]);
    await run(['sqlite3', join(data, 'forgejo.db'), 'CREATE TABLE a (x)']);
    await run(['sqlite3', join(data, 'no-ending'), 'CREATE TABLE a (x)']);
    await writeFile(join(data, 'looks-like.db'), 'this is none');
    const plan = estate.plan({
      destinations: [estate.local('one')],
      sources: [database, { kind: 'sqlite', name: 'forgejo', path: join(data, 'forgejo.db') }],
    });
    const request = { plan, folders: [data, '/nowhere'], buckets: ['s3:images'], trees: [], ignore: [] };
    const covered = await takeCoverage(machine.host, request, task);
    const own = covered.filter(({ what }) => !/docker|volume/i.test(what));
    expect(own.map(({ what, state, sources }) => [what.replace(folder, ''), state, sources])).toEqual([
      [`database wiki (port ${postgres.port})`, 'in no backup', []],
      ['/data/no-ending', 'in no backup', []],
      ['s3:images', 'in no backup', []],
      ['/nowhere', 'unknown', []],
      [`database immich (port ${postgres.port})`, 'covered', ['postgres/immich']],
      ['/data/forgejo.db', 'covered', ['forgejo']],
    ]);
    const wrong = { ...plan, sources: [{ ...database, password: 'not the password' }] as const };
    const blind = await takeCoverage(machine.host, { ...request, plan: wrong, folders: [] }, task);
    expect(
      blind.flatMap(({ state, sentence }) => (state === 'unknown' && !/Docker/.test(sentence) ? [sentence] : [])),
    ).toEqual([
      expect.stringMatching(
        /^the databases of PostgreSQL \(port \d+\) could not be looked at: .*password authentication failed/,
      ),
    ]);
  });

  async function folderOf(name: string): Promise<string> {
    const answer = await estate.rclone('cryptdecode', '--reverse', 'vault:', `notes/${name}/x`);
    const folder = dirname(answer.split('\t')[1]?.trim() ?? '');
    expect(folder).not.toBe('.');
    return folder;
  }

  async function largest(folder: string): Promise<string | undefined> {
    const files = await filesBelow(folder);
    const sizes = await Promise.all(files.map(async (file) => (await readFile(join(folder, file))).length));
    return files[sizes.indexOf(Math.max(...sizes))];
  }
});
