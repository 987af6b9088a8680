import { chown, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from '../lib/host/run';
import { closeSessions } from '../lib/host/sessions';
import type { Member } from '../lib/postgres/replication/cluster';
import { makeDatabaseImage } from './database-image';
import { cgroupFolders, settings as daemonSettings } from './docker';
import { hostOf } from './hosts/as-host';
import type { Ledger } from './hosts/ledger';
import { startNetwork, type Network } from './hosts/network';
import { run } from './hosts/programs';
import { until } from './hosts/waiting';
import { postgresPrograms } from './postgres';
import { asPair, CREATE_APP, letIn, pairNames, type PairName, type PostgresPair } from './postgres-pair';
import { startTogether, type Together } from './together';

const CONTAINER = 'immich_postgres';
const INSIDE = '/var/lib/postgresql/data';
/** Where a repository of pgBackRest may lie: a folder of the machine, in every container by the same name. */
export const REPOSITORY = '/srv/pgbackrest';
const quiet = { signal: new AbortController().signal, progress: () => undefined, owner: 'lab' };

export type ImageMaker = (daemon: Pick<Daemon, 'docker' | 'folder'>) => Promise<{
  readonly image: string;
  /** Where PostgreSQL's programs are in it. */
  readonly programs: string;
}>;

const imageOfThisMachine: ImageMaker = async (daemon) => ({
  image: await makeDatabaseImage(daemon),
  programs: await postgresPrograms(),
});

export interface Daemon {
  readonly socket: string;
  readonly docker: (...argv: readonly string[]) => Promise<string>;
  readonly folder: string;
}

export interface DockerPair extends PostgresPair {
  /** What a deploy does that knows nothing of failovers: another container from the same description, started. */
  readonly deploy: (of: PairName) => Promise<void>;
}

/**
 * Two machines, each with a real dockerd of its own: a primary in a container on bruno, in a named volume and with
 * `restart: always` as Immich ships it, and on eva a container that is made and was never started, with a bind mount.
 */
export async function startDockerPair(
  settings: Readonly<Record<string, string>> = {},
  makeImage: ImageMaker = imageOfThisMachine,
  clients: readonly string[] = [],
): Promise<DockerPair> {
  return startTogether((together) => start(together, makeImage, settings, clients));
}

async function start(
  { ledger, keep, stop }: Together,
  makeImage: ImageMaker,
  settings: Readonly<Record<string, string>>,
  clients: readonly string[],
): Promise<DockerPair> {
  const network = keep(await startNetwork<PairName>({ hosts: pairNames, clients }));
  keep({ stop: closeSessions });
  const daemons = {
    bruno: await startDaemon(network, ledger, 'bruno'),
    eva: await startDaemon(network, ledger, 'eva'),
  };
  const { image, programs } = await makeImage(daemons.bruno);
  const archive = join(ledger.folder, 'image.tar');
  await daemons.bruno.docker('save', '--output', archive, image);
  await daemons.eva.docker('load', '--input', archive);

  const volume = (await daemons.bruno.docker('volume', 'create', 'immich')).trim();
  const mountpoint = await daemons.bruno.docker('volume', 'inspect', '--format', '{{.Mountpoint}}', volume);
  const data = { bruno: mountpoint.trim(), eva: join(daemons.eva.folder, 'pgdata') };
  await mkdir(data.eva);
  const idOf = async (which: '-u' | '-g') =>
    Number(await daemons.bruno.docker('run', '--rm', '--user', 'postgres', image, 'id', which));
  const [uid, gid] = [await idOf('-u'), await idOf('-g')];
  for (const of of pairNames) {
    await mkdir(join(daemons[of].folder, 'repository'));
    for (const path of [data[of], join(daemons[of].folder, 'repository')]) await chown(path, uid, gid);
  }
  const given = { listen_addresses: '*', unix_socket_directories: '/tmp', ...settings };
  const options = Object.entries(given).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const createContainer = (of: PairName) =>
    daemons[of].docker(
      ...['create', '--name', CONTAINER, '--restart', 'always', '--publish', '5432:5432', '--user', 'postgres'],
      ...['--volume', `${of === 'bruno' ? volume : data.eva}:${INSIDE}`, '--shm-size', '128m'],
      ...['--volume', `${join(daemons[of].folder, 'repository')}:${REPOSITORY}`, image],
      ...['sh', '-c', START, 'sh', programs, INSIDE, ...options],
    );
  for (const of of pairNames) await createContainer(of);
  const member = (of: PairName): Member => ({
    name: of,
    host: { ...hostOf(network.hosts[of]), watchful: true },
    programs,
    runtime: { kind: 'docker', container: CONTAINER, dataInside: INSIDE, dockerSocket: daemons[of].socket },
    dataFolder: data[of],
    socketFolder: '/tmp',
    port: 5432,
    address: network.hosts[of].address,
    systemUser: 'postgres',
    superuser: 'postgres',
  });
  const sql = async (of: PairName, text: string) => {
    const psql = [join(programs, 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', '/tmp', '-d', 'postgres'];
    const client = ['docker', '--host', `unix://${daemons[of].socket}`, 'exec', '-i', '-u', 'postgres'] as const;
    return (await run([...client, CONTAINER, ...psql], { input: text })).trim();
  };
  const startServer = async (of: PairName) => {
    await daemons[of].docker('start', CONTAINER);
    await until(`PostgreSQL in the container on ${of} answers`, 60_000, () =>
      sql(of, 'select 1').then(
        () => true,
        () => undefined,
      ),
    );
  };
  await startServer('bruno');
  await letIn(join(data.bruno, 'pg_hba.conf'));
  await sql('bruno', `${CREATE_APP}; select pg_reload_conf()`);
  return {
    ...{ network, member, sql, startServer },
    ...asPair(member, (of) => data[of]),
    deploy: async (of) => {
      await daemons[of].docker('rm', '--force', CONTAINER);
      await createContainer(of);
      await startServer(of);
    },
    log: (of) => daemons[of].docker('logs', CONTAINER),
    stop,
  };
}

// What the entrypoint of the usual image does.
const START = `
bin=$1 data=$2
shift 2
[ -s "$data/PG_VERSION" ] || "$bin/initdb" -D "$data" -U postgres -E UTF8 --no-locale --no-sync --auth-local=peer --auth-host=scram-sha-256
exec "$bin/postgres" -D "$data" "$@"
`;

/** A dockerd that lives and dies with its machine. Called again it is the same one, after a crash. */
export async function startDaemon<Name extends string>(
  network: Pick<Network<Name>, 'hosts' | 'address'>,
  ledger: Ledger,
  of: Name,
): Promise<Daemon> {
  const folder = join(ledger.folder, of);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const socket = join(folder, 'docker.sock');
  const cgroup = `selfhost-lab-${ledger.id}-${of}`;
  for (const path of await cgroupFolders(cgroup)) ledger.add({ kind: 'cgroup', path });
  const config = join(folder, 'daemon.json');
  await writeFile(config, JSON.stringify(daemonSettings(folder, socket, cgroup, network.address)));
  await runCommand(
    hostOf(network.hosts[of]),
    { script: DAEMON, arguments: [config, join(folder, 'log'), ...(await cgroupMounts())] },
    { timeoutMs: 20_000 },
    quiet,
  );
  const docker = (...argv: readonly string[]) =>
    run(['docker', '--host', `unix://${socket}`, ...argv], { environment: { HOME: folder } });
  await until(`dockerd of ${of} answers`, 30_000, () =>
    docker('version').then(
      () => true,
      () => undefined,
    ),
  ).catch(async (error: unknown) => {
    throw new Error(`dockerd of ${of}: ${await readFile(join(folder, 'log'), 'utf8')}`, { cause: error });
  });
  return { socket, docker, folder };
}

/** Type, folder and options of each: the machine's own /sys hides them. */
async function cgroupMounts(): Promise<string[]> {
  const lines = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return lines
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .flatMap(([, path = '', type = '', options = '']) => {
      const general = ['rw', 'ro', 'nosuid', 'nodev', 'noexec', 'relatime', 'nsdelegate', 'memory_recursiveprot'];
      const own = options.split(',').filter((one) => !general.includes(one));
      return [type, path, own.length === 0 ? 'rw' : own.join(',')];
    });
}

const DAEMON = `
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
setsid unshare --mount --propagation slave bash -euc '
  config=$1 log=$2
  shift 2
  [ "$1" = cgroup2 ] || mount -t tmpfs cgroups /sys/fs/cgroup
  while (($# > 0)); do
    mkdir -p "$2"
    mount -t "$1" -o "$3" cgroup "$2"
    shift 3
  done
  exec dockerd --config-file "$config"' bash "$@" >> "$2" 2>&1 < /dev/null &
`;
