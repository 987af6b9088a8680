import { readdirSync, readFileSync } from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../lib/host/run';
import { closeSessions } from '../lib/host/sessions';
import type { Service } from '../lib/standby/service';
import { composePlugin } from './compose-plugin';
import { makeDatabaseImage } from './database-image';
import { cgroupFolders } from './docker';
import { type Daemon, startDaemon } from './docker-pair';
import { hostOf } from './hosts/as-host';
import { openLedger, type Ledger } from './hosts/ledger';
import { startNetwork, type Network } from './hosts/network';
import { run } from './hosts/programs';
import { until } from './hosts/waiting';
import { postgresPrograms } from './postgres';
import type { Login, PairName } from './postgres-pair';

const names: readonly PairName[] = ['bruno', 'eva'];
const quiet = { signal: new AbortController().signal, progress: () => undefined, owner: 'lab' };
const PROJECT = '/srv/shop';

export interface ServicePair {
  readonly network: Network<PairName>;
  /** A shop of two containers: a PostgreSQL in a volume, and a web server with a folder it writes to. Nothing runs yet. */
  readonly service: Service;
  readonly app: Login;
  readonly docker: (of: PairName, ...argv: readonly string[]) => Promise<string>;
  /** Where the project's folder of that host is seen from here. */
  readonly folder: (of: PairName) => string;
  readonly sql: (of: PairName, text: string) => Promise<string>;
  /** The power of that host is gone: its Docker and all containers end at once, and nobody is told. */
  readonly powerOff: (of: PairName) => Promise<void>;
  /** It is back, and its Docker starts what it would start after any crash. */
  readonly powerOn: (of: PairName) => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** Two machines with a real dockerd each, and the same Compose project on both. Needs root. */
export async function startServicePair(): Promise<ServicePair> {
  const ledger = await openLedger();
  let network: Network<PairName> | undefined;
  const stop = async () => {
    await closeSessions();
    await network?.stop();
    await ledger.clear();
  };
  try {
    network = await startNetwork<PairName>({ hosts: names });
    return await start(network, ledger, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function start(network: Network<PairName>, ledger: Ledger, stop: () => Promise<void>): Promise<ServicePair> {
  // The machines do not see the home of this one.
  const plugin = join(ledger.folder, 'docker-compose');
  await copyFile(await composePlugin(), plugin);
  const programs = await postgresPrograms();
  const daemons = {} as Record<PairName, Daemon>;
  for (const of of names) {
    const srv = join(ledger.folder, `${of}-srv`);
    await mkdir(join(srv, 'shop', 'www'), { recursive: true });
    await writeFile(join(srv, 'shop', 'compose.yml'), compose(programs));
    await writeFile(join(srv, 'shop', 'www', 'index.html'), 'hello\n');
    await runCommand(hostOf(network.hosts[of]), { script: FURNISH, arguments: [srv, plugin] }, {}, quiet);
    daemons[of] = await startDaemon(network, ledger, of);
  }
  const image = await makeDatabaseImage(daemons.bruno);
  const archive = join(ledger.folder, 'image.tar');
  await daemons.bruno.docker('save', '--output', archive, image);
  await daemons.eva.docker('load', '--input', archive);
  const docker = (of: PairName, ...argv: readonly string[]) => daemons[of].docker(...argv);
  return {
    network,
    service: {
      name: 'shop',
      directory: PROJECT,
      home: { ...hostOf(network.hosts.bruno), watchful: true },
      standby: { ...hostOf(network.hosts.eva), watchful: true },
      sockets: { bruno: daemons.bruno.socket, eva: daemons.eva.socket },
    },
    app: { user: 'app', password: 'app-of-the-lab', database: 'postgres' },
    docker,
    folder: (of) => join(ledger.folder, `${of}-srv`, 'shop'),
    sql: async (of, text) => {
      const psql = [join(programs, 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', '/tmp', '-d', 'postgres'];
      const client = ['docker', '--host', `unix://${daemons[of].socket}`, 'exec', '-i', '-u', 'postgres'] as const;
      return (await run([...client, 'shop-db-1', ...psql], { input: text })).trim();
    },
    async powerOff(of) {
      await network.cut(of);
      const folders = await cgroupFolders(`selfhost-lab-${ledger.id}-${of}`);
      await until(`nothing of ${of} runs`, 20_000, () => {
        const left = [...folders.flatMap(processesIn), ...processesOf(daemons[of].folder)];
        for (const pid of left) kill(pid);
        return Promise.resolve(left.length === 0 ? true : undefined);
      });
    },
    async powerOn(of) {
      // Docker is started over the network; nothing of it runs yet.
      await network.heal(of);
      daemons[of] = await startDaemon(network, ledger, of);
    },
    stop,
  };
}

const FURNISH = `
mount --bind "$1" /srv
install -D -m 755 -- "$2" /root/.docker/cli-plugins/docker-compose
`;

/** With restart policies as people write them. */
function compose(programs: string): string {
  return JSON.stringify({
    name: 'shop',
    services: {
      db: {
        image: 'databases:1',
        restart: 'always',
        user: 'postgres',
        stop_signal: 'SIGINT',
        ports: ['5432:5432'],
        volumes: ['pgdata:/data'],
        command: ['sh', '-c', DATABASE.replaceAll('$', '$$$$'), 'sh', programs],
        healthcheck: {
          test: ['CMD', `${programs}/psql`, '-XAtqc', 'select 1', '-h', '/tmp', '-d', 'postgres'],
          interval: '500ms',
          timeout: '5s',
          retries: 60,
        },
      },
      web: {
        image: 'databases:1',
        restart: 'unless-stopped',
        stop_signal: 'SIGKILL',
        depends_on: { db: { condition: 'service_healthy' } },
        ports: ['80:80'],
        volumes: ['./www:/www'],
        command: ['httpd', '-f', '-p', '80', '-h', '/www'],
      },
    },
    volumes: { pgdata: {} },
  });
}

// What the entrypoint of the usual image does, and a login that may write from anywhere.
const DATABASE = `
bin=$1 data=/data/pg
if [ ! -s $data/PG_VERSION ]; then
  $bin/initdb -D $data -U postgres -E UTF8 --no-locale --no-sync --auth-local=trust --auth-host=scram-sha-256
  echo "host all app 0.0.0.0/0 scram-sha-256" >> $data/pg_hba.conf
  echo "create role app login superuser password 'app-of-the-lab'" | $bin/postgres --single -D $data postgres
fi
exec $bin/postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp
`;

function processesIn(folder: string): readonly number[] {
  try {
    const own = readFileSync(join(folder, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
    const below = readdirSync(folder, { withFileTypes: true }).filter((each) => each.isDirectory());
    return [...own, ...below.flatMap(({ name }) => processesIn(join(folder, name)))];
  } catch {
    return [];
  }
}

/** dockerd, containerd and what they have started outside of any container. */
function processesOf(folder: string): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`${folder}/`);
      } catch {
        return false;
      }
    })
    .map(Number)
    .filter((pid) => pid !== process.pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone already.
  }
}
