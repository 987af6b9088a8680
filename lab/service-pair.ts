import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { closeSessions } from '../lib/host/sessions';
import type { Service } from '../lib/standby/service';
import { type Power, powerOf, startComposeMachine } from './compose-machine';
import { makeDatabaseImage } from './database-image';
import type { Daemon } from './docker-pair';
import { hostOf } from './hosts/as-host';
import { startNetwork, type Network } from './hosts/network';
import { run } from './hosts/programs';
import { postgresPrograms } from './postgres';
import { type Login, type PairName, pairNames } from './postgres-pair';
import { startTogether, type Together } from './together';

const PROJECT = '/srv/shop';

export interface ServicePair extends Power<PairName> {
  readonly network: Network<PairName>;
  /** A shop of two containers: a PostgreSQL in a volume, and a web server with a folder it writes to. Nothing runs yet. */
  readonly service: Service;
  readonly app: Login;
  readonly docker: (of: PairName, ...argv: readonly string[]) => Promise<string>;
  /** Where the project's folder of that host is seen from here. */
  readonly folder: (of: PairName) => string;
  readonly sql: (of: PairName, text: string) => Promise<string>;
  readonly stop: () => Promise<void>;
}

/** Two machines with a real dockerd each, and the same Compose project on both. Needs root. */
export async function startServicePair(): Promise<ServicePair> {
  return startTogether(start);
}

async function start({ ledger, keep, stop }: Together): Promise<ServicePair> {
  const network = keep(await startNetwork<PairName>({ hosts: pairNames }));
  keep({ stop: closeSessions });
  const programs = await postgresPrograms();
  const daemons = {} as Record<PairName, Daemon>;
  for (const of of pairNames) {
    const srv = join(ledger.folder, `${of}-srv`);
    await mkdir(join(srv, 'shop', 'www'), { recursive: true });
    await writeFile(join(srv, 'shop', 'compose.yml'), compose(programs));
    await writeFile(join(srv, 'shop', 'www', 'index.html'), 'hello\n');
    daemons[of] = await startComposeMachine(network, ledger, of, srv);
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
    app: { user: 'app', password: 'app-of-the-lab', database: 'shop' },
    docker,
    folder: (of) => join(ledger.folder, `${of}-srv`, 'shop'),
    sql: async (of, text) => {
      const psql = [join(programs, 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', '/tmp', '-d', 'shop'];
      const client = ['docker', '--host', `unix://${daemons[of].socket}`, 'exec', '-i', '-u', 'postgres'] as const;
      return (await run([...client, 'shop-db-1', ...psql], { input: text })).trim();
    },
    ...powerOf(network, ledger, daemons),
    stop,
  };
}

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
        // As the usual image has them, for whoever works inside of it.
        environment: { PATH: `${programs}:/usr/sbin:/usr/bin:/sbin:/bin`, PGHOST: '/tmp', PGUSER: 'postgres' },
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
  echo "create database shop owner app" | $bin/postgres --single -D $data postgres
fi
exec $bin/postgres -D $data -c listen_addresses='*' -c unix_socket_directories=/tmp
`;
