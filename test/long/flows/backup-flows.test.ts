import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import type { JsonObject } from '../../../lib/json';
import { listJobs } from '../../../lib/host/jobs/read';
import { jobId } from '../../../lib/host/jobs/start';
import { describeAsRoot } from '../../integration/lab/as-root';
import {
  fillDatabase,
  filesBelow,
  startEstate as startSources,
  type Estate as Sources,
} from '../../integration/lib/backup/estate';
import { taskOf } from '../../integration/lib/host/machine';
import { type Estate, startEstate } from '../../e2e/estate';
import { people } from '../../shared/people';

const CANARY = 'CANARY-0815-in-the-night';

// The hooks, too: n8n and its hosts are long in starting on a busy machine.
jest.setTimeout(600_000);

describeAsRoot('the flows of backups, in n8n', () => {
  let estate: Estate;
  let sources: Sources;
  let site: { readonly server: Server; readonly calls: string[]; readonly url: string };
  const at = (...path: string[]) => join(sources.folder, ...path);

  beforeAll(async () => {
    [estate, sources, site] = await Promise.all([startEstate(), startSources(), startSite()]);
    await fillDatabase(sources.postgres, 'immich', CANARY, 500);
    for (const folder of ['vault', 'notes', 'services']) mkdirSync(at(folder));
    writeFileSync(at('vault', 'note.md'), `${CANARY}\n`);
    writeFileSync(at('notes', 'note.md'), `${CANARY}\n`);
    writeFileSync(at('n8n-config'), JSON.stringify({ encryptionKey: CANARY }));
    await run(['sqlite3', at('services', 'forgotten.db'), 'CREATE TABLE t (x); INSERT INTO t VALUES (1)']);
    // What is no folder cannot take a backup.
    writeFileSync(sources.pathOf('two'), 'in the way');
    hold();
    breakStart();
    const { vault, machine, postgres } = sources;
    const text = vault.rclone.kind === 'text' ? vault.rclone.text : '';
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...['backup-scatter.json', 'backup-trees.json', 'backup-ended.json'],
      ],
      inventory: inventory(),
      everySeconds: 10,
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([machine.server]) },
        'Rclone remotes': {
          type: 'selfhostRclone',
          data: { place: 'here', configuration: `${text}\n[disk]\ntype = local\n` },
        },
        Secrets: { type: 'selfhostSecrets', data: { secrets: `DB=${postgres.password}\nTREES=of-the-trees` } },
      },
    });
  });
  afterAll(async () => {
    await estate.stop();
    await sources.stop();
    site.server.closeAllConnections();
    await new Promise((resolve) => site.server.close(resolve));
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const hold = () => {
    mkdirSync(sources.machine.state, { recursive: true });
    writeFileSync(join(sources.machine.state, 'hold'), 'who=Dana\nwhy=replacing a disk\n');
  };

  /** What lies there when a start of tonight's run broke off after the run was made, and before it began. */
  const breakStart = () => {
    const night = new Date(Date.now() - 2 * 3_600_000).toLocaleDateString('sv-SE', { timeZone: 'Europe/Berlin' });
    const command = { argv: ['true'] };
    const journal = { version: 1, name: 'Backup nightly', intent: night, owner: 'n8n', runAs: 'root', command };
    const job = join(sources.machine.state, 'jobs', jobId('Backup nightly', night));
    const name = '20260101T010203Z-0a1b2c3d4e5f';
    mkdirSync(join(job, 'runs', name), { recursive: true });
    writeFileSync(join(job, 'runs', name, 'journal'), `${JSON.stringify(journal)}\n`);
    writeFileSync(join(job, 'runs', name, 'limit'), '65536\n');
    writeFileSync(join(job, 'current'), `${name}\n`);
  };
  const begun = async () => (await runs()).filter(({ state }) => !('why' in state && state.why === 'never started'));

  const inventory = (): JsonObject => {
    const { machine, postgres, pathOf, spool, logFile } = sources;
    const quick = { attempts: 1, pauseSeconds: 1 };
    return {
      estate: 'lab',
      timezone: 'Europe/Berlin',
      hosts: [{ name: 'bruno', address: machine.server.address, port: machine.server.port, provider: 'hetzner' }],
      databases: [
        {
          ...{
            name: 'databases',
            kind: 'postgres',
            host: 'bruno',
            address: postgres.socketFolder,
            port: postgres.port,
          },
          ...{ user: postgres.user, password: 'credential:DB' },
        },
      ],
      commands: [{ name: 'n8n-key', host: 'bruno', argv: ['cat', at('n8n-config')] }],
      folders: [
        { name: 'vault', host: 'bruno', path: at('vault'), as: 'archive' },
        { name: 'notes', host: 'bruno', path: at('notes'), to: ['one'] },
      ],
      destinations: [
        { name: 'one', remote: `disk:${pathOf('one')}`, provider: 'ovh', ...quick },
        { name: 'two', remote: `eva:${pathOf('two')}`, provider: 'google', ...quick },
      ],
      backups: {
        quorum: 1,
        treePassword: 'credential:TREES',
        deadManUrl: `${site.url}/alive/{host}`,
        searched: [at('services')],
        retryMinutes: 0.1,
        spool,
        logFile,
      },
      ...people,
    };
  };

  const told = (chat: string, text: string) => estate.told(chat, text);
  const runs = async () => await listJobs(sources.machine.host, { name: 'Backup nightly' }, taskOf('test'));
  const manifests = async (place: string) =>
    (await filesBelow(place)).filter((file) => !file.includes('uploading')).length;

  test('nothing begins on a host that is on hold, and that is told once', async () => {
    const title = 'Backups that do not go as they should';
    const message = await told('777', title);
    expect(message.text).toContain('bruno: waits, on hold by Dana (replacing a disk) until it is lifted');
    await told('777', 'notes on bruno: waits, on hold by Dana');
    await until('it has looked twice more', 60_000, async () => {
      const ended = (await estate.own.api.executionsOf('selfhostBackupScatter')).filter(
        ({ status }) => status === 'success',
      );
      return ended.length > 2 ? true : undefined;
    });
    expect(estate.telegram.messages.filter(({ text }) => text.includes(title))).toHaveLength(1);
    expect(await begun()).toEqual([]);
    expect(await runs()).toHaveLength(1);
    expect(existsSync(sources.pathOf('one'))).toBe(false);
  }, 600_000);

  test('what was held is begun when the hold is lifted, also where a start had broken off; a destination that fails is told, filled again without a new dump, and then it is good', async () => {
    rmSync(join(sources.machine.state, 'hold'));
    const first = await told('777', 'Backup nightly on bruno is degraded');
    expect(first.text).toContain('Tried again in 0.1 minutes.');
    expect(await manifests(sources.pathOf('one'))).toBeGreaterThan(0);
    rmSync(sources.pathOf('two'));
    const good = await told('888', 'Backup nightly on bruno is good');
    expect(good.text).toContain('sources, each at all 2 destinations');
    const found = `found${at('services', 'forgotten.db')}`;
    const names = ['databases/globals', 'databases/immich', 'n8n-key', 'vault', found];
    const log = readFileSync(sources.logFile, 'utf8');
    for (const name of names) expect(log).toContain(`${name}@bruno: ok: all 2 destinations hold a proven copy`);
    expect(log.match(/databases\/immich@bruno: dump begins/g)).toHaveLength(1);
    expect(await filesBelow(join(sources.pathOf('two'), 'bruno'))).toHaveLength(
      (await filesBelow(join(sources.pathOf('one'), 'bruno'))).length,
    );
    expect(site.calls).toEqual(expect.arrayContaining(['/alive/bruno/start', '/alive/bruno']));
  }, 600_000);

  test('a tree goes only where the inventory sends it, and its end is told', async () => {
    await told('888', 'Tree folder-notes on bruno is good');
    expect((await filesBelow(join(sources.pathOf('one'), 'bruno-trees'))).length).toBeGreaterThan(0);
    expect(existsSync(join(sources.pathOf('two'), 'bruno-trees'))).toBe(false);
  }, 400_000);

  test('a day is run once, however often the flow looks', async () => {
    const looked = (await estate.own.api.executionsOf('selfhostBackupScatter')).length;
    await until('it has looked twice more', 60_000, async () =>
      (await estate.own.api.executionsOf('selfhostBackupScatter')).length > looked + 2 ? true : undefined,
    );
    expect((await begun()).map(({ intent }) => intent.replace(/run-\S+/, 'RUN')).sort()).toEqual([
      expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      'retry of RUN',
    ]);
  }, 400_000);

  async function startSite() {
    const calls: string[] = [];
    const server = createServer((request, response) => {
      calls.push(request.url ?? '');
      response.end('heard');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { server, calls, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
});
