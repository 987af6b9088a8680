import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startComposeMachine } from '../../lab/compose-machine';
import { makeDatabaseImage } from '../../lab/database-image';
import type { Daemon } from '../../lab/docker-pair';
import { type GitServer, startGitServer } from '../../lab/git-server';
import { hostOf } from '../../lab/hosts/as-host';
import { type KeyPair, makeKey } from '../../lab/hosts/keys';
import { type Network, startNetwork } from '../../lab/hosts/network';
import { run } from '../../lab/hosts/programs';
import { until } from '../../lab/hosts/waiting';
import { postgresPrograms } from '../../lab/debian-packages';
import { startTogether, type Together } from '../../lab/together';
import { parseDescribed, withSecrets } from '../../lib/backup/described/described';
import { parseDescribedKit } from '../../lib/backup/described/kit';
import { parseDescribedTree } from '../../lib/backup/described/tree';
import { nightlyDraft, plannedKit, plannedTrees } from '../../lib/backup/estate/plans';
import { writeKit } from '../../lib/backup/kit/kit';
import type { BackupPlan, Vault } from '../../lib/backup/plan';
import { awaitBackup, startBackup } from '../../lib/backup/scatter';
import { awaitTree, startTree } from '../../lib/backup/tree/tree';
import { deployStack } from '../../lib/docker/deploy/deploy';
import { readFile } from '../../lib/host/files/read';
import { closeSessions } from '../../lib/host/sessions';
import { parseInventory } from '../../lib/inventory/parse';
import type { JsonObject } from '../../lib/json';
import type { Task } from '../../lib/task';
import { handOutServers, type HandedOut } from './handed-out';
import { people } from './people';

type Name = 'bruno' | 'eva';
const quiet: Task = { signal: new AbortController().signal, progress: () => undefined, owner: 'lab' };

/** What is looked for in everything that is kept, where it must not be. */
export const SECRETS = { app: 'the-word-of-the-app', trees: 'the-word-of-the-trees', crypt: 'the-word-of-the-crypt' };

export interface LostHost {
  readonly network: Network<Name>;
  readonly git: GitServer;
  readonly handedOut: HandedOut;
  readonly login: KeyPair;
  /** The private half of the key that the kit was closed to. */
  readonly identity: string;
  /** rclone.conf with the one remote that is needed to fetch the kit. */
  readonly places: string;
  readonly rcloneConf: string;
  /** As it stands in an n8n that survives; Docker's socket is that of the server to come. */
  readonly inventory: JsonObject;
  readonly rows: number;
  /** Of the files by their addresses on the app. */
  readonly hashes: Readonly<Record<string, string>>;
  readonly stop: () => Promise<void>;
}

/**
 * A host with a proxy, a PostgreSQL and an app, each from a repository and with its variables; backed up to another host,
 * with a recovery kit; and then gone, with whatever was called Forgejo, Infisical and n8n on it.
 */
export async function loseHost(): Promise<LostHost> {
  return startTogether(lose);
}

async function lose({ ledger, keep, stop }: Together): Promise<LostHost> {
  const login = await makeKey('ed25519');
  const hostKeys = [await makeKey('ed25519')];
  const network = keep(
    await startNetwork<Name>({
      hosts: ['bruno', 'eva'],
      clients: ['fresh'],
      ssh: { keys: { host: hostKeys, login } },
    }),
  );
  keep({ stop: closeSessions });
  const git = keep(await startGitServer(network.address));
  const bruno = hostOf(network.hosts.bruno);
  const srv = join(ledger.folder, 'bruno-srv');
  mkdirSync(srv);
  const daemon = await startComposeMachine(network, ledger, 'bruno', srv);
  const image = join(ledger.folder, 'image.tar');
  await daemon.docker('save', '--output', image, await makeDatabaseImage(daemon));
  const handedOut = keep(await handOutServers(network, network.clients[0] ?? '', login, image));
  const commit = await git.commit(await files());

  // What only the host knows: variables, data, files.
  for (const name of ['app', 'databases'])
    put(join(srv, name, name, '.env'), `APP_PASSWORD=${SECRETS.app}\nPGPASSWORD=${SECRETS.app}\n`);
  put(join(srv, 'proxy', 'certificates', 'acme.json'), '{"certificates":["of the lab"]}\n');
  const upload = Buffer.alloc(700_000, 'an upload that somebody cares about; ');
  put(join(srv, 'app', 'uploads', 'photo.jpg'), upload);
  await run([
    'sqlite3',
    join(srv, 'app', 'notes.db'),
    'CREATE TABLE notes (id int); INSERT INTO notes VALUES (1), (2);',
  ]);
  const repository = git.url;
  for (const stack of ['proxy', 'databases', 'app']) {
    const wish = {
      stack,
      directory: `/srv/${stack}`,
      folder: stack,
      repository,
      commit,
      pull: 'missing',
      graceSeconds: 0,
    } as const;
    const access = { host: bruno, socketPath: daemon.socket };
    const deployed = await deployStack(access, { ...wish, login: { user: git.user, password: git.password } }, quiet);
    if (!deployed.succeeded) throw new Error(`${stack}: ${String(deployed.reason)} ${String(deployed.log)}`);
  }
  const rows = 4321;
  await sql(
    daemon,
    `CREATE TABLE orders (id int PRIMARY KEY, what text); ALTER TABLE orders OWNER TO app;
INSERT INTO orders SELECT n, 'order ' || n FROM generate_series(1, ${rows}) n;`,
  );

  const { text: rcloneConf, place: places } = await remotes(network);
  await run(['age-keygen', '-o', join(ledger.folder, 'key.txt')]);
  const identity = /AGE-SECRET-KEY-\S+/.exec(readFileSync(join(ledger.folder, 'key.txt'), 'utf8'))?.[0] ?? '';
  const recipient = (await run(['age-keygen', '-y', join(ledger.folder, 'key.txt')])).trim();
  const written = (docker: string) => inventoryOf(network, git, recipient, docker);
  await backUp(network, written(daemon.socket), { rclone: { kind: 'text', text: rcloneConf }, crypt: 'vault' });
  const kept = JSON.stringify(await run(['sqlite3', join(srv, 'app', 'notes.db'), 'SELECT count(*) FROM notes']));
  if (!kept.includes('2')) throw new Error('The notes were not written');

  // The disaster: its cable first, so that nobody is told.
  await network.cut('bruno');
  await network.hosts.bruno.stop();
  return {
    network,
    git,
    handedOut,
    login,
    identity,
    places,
    rcloneConf,
    inventory: written(handedOut.dockerSocket),
    rows,
    hashes: { '/uploads/photo.jpg': createHash('sha256').update(upload).digest('hex') },
    stop,
  };
}

function put(path: string, content: string | Buffer): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content, { mode: path.endsWith('.env') ? 0o600 : 0o644 });
}

async function sql(daemon: Daemon, text: string): Promise<void> {
  const programs = postgresPrograms();
  await until('the database answers', 30_000, () =>
    daemon
      .docker(
        'exec',
        'shop-db',
        join(programs, 'psql'),
        '-XAtqc',
        'select 1',
        '-h',
        '/tmp',
        '-U',
        'postgres',
        '-d',
        'shop',
      )
      .then(
        () => true,
        () => undefined,
      ),
  );
  const psql = [join(programs, 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', '/tmp', '-U', 'postgres', '-d', 'shop'];
  await run(['docker', '--host', `unix://${daemon.socket}`, 'exec', '-i', 'shop-db', ...psql], { input: text });
}

/** One folder for each service. No image is pulled: a lab has no registry. */
async function files(): Promise<Record<string, string>> {
  const programs = postgresPrograms();
  const project = (name: string, service: JsonObject, more: JsonObject = {}) =>
    `${JSON.stringify({ name, services: { [name]: { image: 'databases:1', network_mode: 'host', restart: 'unless-stopped', stop_signal: 'SIGKILL', ...service } }, ...more }, null, 1)}\n`;
  const psql = `${programs}/psql`;
  return await Promise.resolve({
    'proxy/compose.yml': project('proxy', {
      command: ['httpd', '-f', '-p', '80', '-h', '/www'],
      volumes: ['/srv/proxy/certificates:/www/certificates:ro'],
    }),
    'databases/compose.yml': project(
      'databases',
      {
        container_name: 'shop-db',
        user: 'postgres',
        stop_signal: 'SIGINT',
        environment: { APP_PASSWORD: '${APP_PASSWORD:?}' },
        volumes: ['pgdata:/data'],
        command: ['sh', '-c', DATABASE.replaceAll('$', '$$$$'), 'sh', programs],
        healthcheck: {
          test: ['CMD', psql, '-XAtqc', 'select 1', '-h', '/tmp', '-d', 'shop'],
          ...{ interval: '500ms', timeout: '5s', retries: 120 },
        },
      },
      { volumes: { pgdata: {} } },
    ),
    'app/compose.yml': project('app', {
      environment: { PGPASSWORD: '${PGPASSWORD:?}' },
      volumes: ['/srv/app/uploads:/uploads:ro', './orders.sh:/orders.sh:ro'],
      command: ['sh', '-c', APP.replaceAll('$', '$$$$')],
    }),
    'app/orders.sh': `#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n${psql} -XAtq -h 127.0.0.1 -U app -d shop -c 'select count(*) from orders'\n`,
  });
}

// What the entrypoint of the usual image does: an empty database of that name, and a login.
const DATABASE = `
bin=$1 data=/data/pg
if [ ! -s $data/PG_VERSION ]; then
  $bin/initdb -D $data -U postgres -E UTF8 --no-locale --no-sync --auth-local=trust --auth-host=scram-sha-256 > /dev/null
  echo "create role app login password '$APP_PASSWORD'" | $bin/postgres --single -D $data postgres > /dev/null
  echo "create database shop owner app" | $bin/postgres --single -D $data postgres > /dev/null
fi
exec $bin/postgres -D $data -c listen_addresses=127.0.0.1 -c unix_socket_directories=/tmp
`;
const APP = `
mkdir -p /tmp/www/cgi-bin
cp /orders.sh /tmp/www/cgi-bin/orders
chmod 755 /tmp/www/cgi-bin/orders
ln -s /uploads /tmp/www/uploads
exec httpd -f -p 8080 -h /tmp/www
`;

async function remotes({ hosts }: Network<Name>): Promise<{ readonly text: string; readonly place: string }> {
  const { address, privateKey } = hosts.eva;
  const pem = privateKey.trim().replaceAll('\n', '\\n');
  const place = [
    '[eva]',
    'type = sftp',
    `host = ${address}`,
    'user = root',
    `key_pem = ${pem}`,
    'shell_type = unix',
    '',
  ];
  const word = (await run(['rclone', 'obscure', SECRETS.crypt])).trim();
  const vault = ['[vault]', 'type = crypt', 'remote = /nonexistent', `password = ${word}`, `password2 = ${word}`, ''];
  return { text: [...place, ...vault].join('\n'), place: place.join('\n') };
}

function inventoryOf({ hosts, address }: Network<Name>, git: GitServer, recipient: string, docker: string): JsonObject {
  const fresh = address.replace(/\.1$/, '.12');
  const service = (name: string, url = '') => ({
    ...{ name, host: 'bruno', project: `/srv/${name}`, repository: 'shop', folder: name, watchSeconds: 1 },
    ...(url !== '' && { url }),
  });
  return {
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [
      {
        ...{ name: 'bruno', address: hosts.bruno.address, provider: 'hetzner', server: 'bruno', docker },
        recovery: { type: 'cx33', image: 'ubuntu-24.04', location: 'fsn1', sshKeys: ['operator'] },
      },
      { name: 'eva', address: hosts.eva.address, provider: 'ovh' },
    ],
    git: {
      url: 'http://forgejo.gone',
      mirror: { url: git.url.replace('/shop.git', ''), user: git.user, token: 'credential:MIRROR_TOKEN' },
    },
    services: [
      service('app', `http://${fresh}:8080/cgi-bin/orders`),
      service('databases'),
      service('proxy', `http://${fresh}/certificates/acme.json`),
    ],
    recoveryOrder: [['proxy'], ['databases'], ['app']],
    databases: [
      {
        ...{
          name: 'shop-db',
          kind: 'postgres',
          host: 'bruno',
          container: 'shop-db',
          database: 'shop',
          service: 'databases',
        },
        ...{ user: 'postgres', address: '/tmp' },
      },
      { name: 'notes', kind: 'sqlite', host: 'bruno', database: '/srv/app/notes.db' },
    ],
    folders: [
      { name: 'certificates', host: 'bruno', path: '/srv/proxy/certificates', as: 'archive' },
      { name: 'uploads', host: 'bruno', path: '/srv/app/uploads' },
    ],
    destinations: [
      { name: 'eva-disks', remote: 'eva:/root/one', provider: 'ovh', host: 'eva' },
      { name: 'drive', remote: 'eva:/root/two', provider: 'google' },
    ],
    domains: [
      {
        ...{ zone: 'lab.test', at: 'hetzner', owner: 'n8n' },
        names: ['lab.test', 'app.lab.test'].map((name) => ({ name, host: 'bruno' })),
      },
    ],
    backups: {
      ...{ quorum: 1, treePassword: 'credential:TREES' },
      // /var/log is that of the machine around.
      ...{ spool: '/var/lib/selfhost/spool', logFile: '/var/lib/selfhost/scatter.log' },
      kit: {
        ...{ host: 'bruno', recipients: [recipient], keys: { 'tree-password': 'credential:TREES' } },
        places: [
          { name: 'eva-disks', remote: 'eva:/root/kit-one', provider: 'ovh', host: 'eva' },
          { name: 'drive', remote: 'eva:/root/kit-two', provider: 'google' },
        ],
      },
    },
    ...people,
  };
}

/** As the flows do it every night, without an n8n. */
async function backUp({ hosts }: Network<Name>, written: JsonObject, vault: Vault): Promise<void> {
  const bruno = hostOf(hosts.bruno);
  const inventory = parseInventory(written);
  const resolve = () => Promise.resolve(SECRETS.trees);
  const draft = nightlyDraft(inventory, 'bruno');
  const { plan } = parseDescribed({ ...draft?.frame, sources: draft?.wanted }, vault, 'bruno');
  const ready: BackupPlan = await withSecrets(plan, resolve);
  const report = await awaitBackup(
    bruno,
    ready,
    await startBackup(bruno, ready, {}, quiet),
    { timeoutMs: 120_000 },
    quiet,
  );
  if (report.status !== 'ok') throw new Error(JSON.stringify(report));
  for (const { plan: tree } of plannedTrees(inventory)) {
    const copied = { ...parseDescribedTree(tree, vault, 'bruno').plan, password: SECRETS.trees };
    const came = await awaitTree(
      bruno,
      copied,
      await startTree(bruno, copied, {}, quiet),
      { timeoutMs: 120_000 },
      quiet,
    );
    if (came.status !== 'ok') throw new Error(JSON.stringify(came));
  }
  const read = async (path: string) => {
    const found = await readFile(bruno, path, {}, quiet).catch(() => undefined);
    return found?.content.toString('utf8');
  };
  const kit = await parseDescribedKit(plannedKit(inventory)?.kit, vault.rclone, { resolve, read });
  const { report: closed } = await writeKit(bruno, kit, quiet);
  if (closed.status !== 'ok') throw new Error(JSON.stringify(closed));
}
