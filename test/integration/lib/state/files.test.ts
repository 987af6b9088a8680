import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { spawn } from 'node:child_process';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { isRoot } from '../../../../lab/hosts/programs';
import { until } from '../../../../lab/hosts/waiting';
import { closeSessions } from '../../../../lib/host/sessions';
import { pathOfKey } from '../../../../lib/state/file-name';
import { fileState } from '../../../../lib/state/files';
import { hostOf } from '../../../../lab/hosts/as-host';
import { race } from '../../../shared/racers';
import { stateContract } from '../../../shared/state-contract';
import { quietTask } from '../../../shared/task';

let lab: SshHost;
let base: string;
let folder: string;

beforeAll(async () => {
  base = mkdtempSync(join(tmpdir(), 'selfhost-state-'));
  // A home of its own, because a login that is killed in the middle may leave its traces in the real one.
  lab = await startSshHost(isRoot() ? { machine: { hostname: 'lab', folder: join(base, 'machine') } } : {});
  folder = join(base, "it's a $(folder)");
}, 60_000);

afterAll(async () => {
  await closeSessions();
  await lab.stop();
  rmSync(base, { recursive: true, force: true });
});

jest.setTimeout(30_000);

const open = () => fileState(hostOf(lab), { folder }, quietTask());

function put(key: string, text: string): void {
  const path = join(folder, pathOfKey(key));
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

const stored =
  '{"schema":1,"version":5,"updatedAt":"2026-01-31T02:00:00.000Z","writes":["0123456789ab:5"],"value":7}\n';

stateContract('files on a host', () => ({
  open,
  plant: (key, what) => {
    put(
      key,
      { newer: '{"schema":2,"data":"unknown"}\n', garbled: '\0\xff not an entry', cut: stored.slice(0, -4) }[what],
    );
    return Promise.resolve();
  },
}));

describe('state in files', () => {
  test('an entry is one file with a line of JSON that only its owner can read', async () => {
    const store = open();
    const version = await store.create('format/one', { b: 1, a: 'é' });
    const path = join(folder, 'format', 'one.json');
    const { updatedAt } = (await store.read('format/one')) ?? {};
    expect(readFileSync(path, 'utf8').replace(/[0-9a-f]{12}:/, 'ID:')).toBe(
      `{"schema":1,"version":${version},"updatedAt":"${updatedAt}","writes":["ID:${version}"],"value":{"a":"é","b":1}}\n`,
    );
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(folder).mode & 0o777).toBe(0o700);
  });

  test('an entry remembers its eight newest writes', async () => {
    const store = open();
    for (let count = 0; count < 12; count += 1) await store.update('format/many', () => count);
    const { writes } = JSON.parse(readFileSync(join(folder, 'format', 'many.json'), 'utf8')) as { writes: string[] };
    expect(writes).toHaveLength(8);
    expect(new Set(writes).size).toBe(8);
  });

  test('an empty file and a file with a stray byte are unreadable, not missing', async () => {
    const store = open();
    for (const [key, text] of [
      ['odd/empty', ''],
      ['odd/byte', `${stored}\0`],
    ] as const) {
      put(key, text);
      await expect(store.read(key)).rejects.toMatchObject({ code: 'state_unreadable' });
      await expect(store.create(key, 1)).rejects.toMatchObject({ code: 'state_unreadable' });
    }
    put('odd/latin', '');
    writeFileSync(join(folder, pathOfKey('odd/latin')), Buffer.from(stored.replace(':7', ':"\xe9"'), 'latin1'));
    await expect(store.read('odd/latin')).rejects.toMatchObject({ code: 'state_unreadable' });
  });

  test('a folder that may not be read is a failure, not an empty state', async () => {
    // Root may read everything, so the name is taken by something that is no file.
    mkdirSync(join(folder, 'odd', 'folder.json'), { recursive: true });
    await expect(open().read('odd/folder')).rejects.toMatchObject({
      code: 'state_failed',
      message: expect.stringContaining('Is a directory') as string,
    });
  });

  test('a broken connection in the middle of writes loses none and repeats none', async () => {
    const store = open();
    let written = 0;
    let broke = 0;
    const stop = Date.now() + 8_000;
    const breaker = (async () => {
      while (written < 25 && Date.now() < stop) {
        const before = written;
        await until('another write', 5_000, () => (written > before || written >= 25 ? true : undefined));
        await lab.dropConnections();
        broke += 1;
      }
    })();
    for (; written < 25; written += 1) await store.update('broken/count', (value) => Number(value ?? 0) + 1);
    await breaker;
    expect((await store.read('broken/count'))?.value).toBe(25);
    expect(broke).toBeGreaterThan(2);
  });

  test('a lock that somebody holds is waited for', async () => {
    const store = open();
    await store.create('lock/first', 1);
    const holder = spawn('flock', ['-x', join(folder, '.lock'), '-c', 'echo held; read _'], { stdio: 'pipe' });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    let done = false;
    const write = store.create('lock/second', 1).then(() => (done = true));
    expect((await store.read('lock/first'))?.value).toBe(1);
    expect(done).toBe(false);
    holder.stdin.end('\n');
    await write;
    expect((await store.read('lock/second'))?.value).toBe(1);
  });

  test('what a killed write left behind is taken away when it is old, and empty folders with it', async () => {
    const store = open();
    await store.create('leftover/deep/er/one', 1, { ttlMs: 1 });
    const rest = join(folder, 'leftover', '.new-0123456789ab');
    writeFileSync(rest, 'half');
    await store.cleanUp();
    expect(readdirSync(join(folder, 'leftover'))).toContain('.new-0123456789ab');
    const old = new Date(Date.now() - 7_200_000);
    (await import('node:fs')).utimesSync(rest, old, old);
    await until('all is gone', 10_000, async () => {
      await store.cleanUp();
      return readdirSync(folder).includes('leftover') ? undefined : true;
    });
  });

  test('four processes at once: each key is once true, and no addition is lost', async () => {
    const onceKeys = Array.from({ length: 10 }, (_, index) => `race/once/${index}`);
    const place = { kind: 'files', host: hostOf(lab), folder } as const;
    const answers = await race(4, { place, onceKeys, counter: 'race/count', increments: 8 });
    const winners = onceKeys.map((_, index) => answers.filter((answer) => answer[index]).length);
    expect(winners).toEqual(onceKeys.map(() => 1));
    expect((await open().read('race/count'))?.value).toBe(32);
  });

  test('a stopped execution stops waiting', async () => {
    const controller = new AbortController();
    const store = fileState(hostOf(lab), { folder }, quietTask(controller.signal));
    const holder = spawn('flock', ['-x', join(folder, '.lock'), '-c', 'echo held; read _'], { stdio: 'pipe' });
    await new Promise((resolve) => holder.stdout.once('data', resolve));
    const write = store.create('stopped/one', 1);
    setImmediate(() => controller.abort());
    await expect(write).rejects.toMatchObject({ code: 'cancelled' });
    holder.stdin.end('\n');
  });
});

describe('the folder of the host', () => {
  test('is /var/lib/selfhost/state for root and ~/.local/state/selfhost/state for others', async () => {
    const kept = join(base, 'other');
    mkdirSync(kept);
    chmodSync(base, 0o711);
    const machine = await startSshHost({ name: 'machine', machine: { hostname: 'machine', folder: kept } });
    const plain = await startSshHost({ name: 'plain', user: 'plain' });
    try {
      await fileState(hostOf(machine), {}, quietTask()).create('place/one', 1);
      expect(readdirSync(join(kept, 'state', 'state', 'place'))).toEqual(['one.json']);

      const store = fileState(hostOf(plain), {}, quietTask());
      const key = `place/${process.pid}`;
      await store.create(key, 1);
      const home = `/home/${plain.user}/.local/state/selfhost/state`;
      expect(readdirSync(join(home, 'place'))).toContain(`${process.pid}.json`);
      await store.remove(key);
      rmSync(join(home, pathOfKey(key)));
    } finally {
      await closeSessions();
      await machine.stop();
      await plain.stop();
    }
  });

  test('a folder that is no absolute path is refused', () => {
    expect(() => fileState(hostOf(lab), { folder: 'state' }, quietTask())).toThrow(
      '"state" is not a folder for state: it must be an absolute path',
    );
  });
});
