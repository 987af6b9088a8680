import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync, mkdirSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from '../lib/host/run';
import { closeSessions } from '../lib/host/sessions';
import type { Cluster, Member } from '../lib/postgres/replication/cluster';
import type { Ledger } from './hosts/ledger';
import { startNetwork, type Network } from './hosts/network';
import { descendantsOf } from './hosts/processes';
import { run } from './hosts/programs';
import { hostOf } from './hosts/as-host';
import { postgresPrograms } from './postgres';
import { startTogether, type Together } from './together';

export type PairName = 'bruno' | 'eva';

export interface Login {
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface PostgresPair {
  readonly network: Network<PairName>;
  readonly cluster: Cluster;
  readonly member: (name: PairName) => Member;
  /** A login that may write, from anywhere in the network. */
  readonly app: Login;
  /** SQL as the superuser by the local socket, as psql prints it; also when the cable is out. */
  readonly sql: (name: PairName, text: string) => Promise<string>;
  /** The server's processes on that host, its postmaster first. */
  readonly processes: (name: PairName) => readonly number[];
  readonly signal: (name: PairName, signal: NodeJS.Signals, which: 'postmaster' | 'all') => void;
  /** Starts the server as a system would that knows nothing of failovers. */
  readonly startServer: (name: PairName) => Promise<void>;
  readonly log: (name: PairName) => Promise<string>;
  readonly stop: () => Promise<void>;
}

const PORT = 5432;
export const pairNames: readonly PairName[] = ['bruno', 'eva'];
const asPostgres = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', '--'] as const;
const quiet = { signal: new AbortController().signal, progress: () => undefined, owner: 'lab' };

/**
 * Two machines, each with its own network, processes and state folder: a primary on bruno that nobody has prepared for
 * replication, and nothing yet on eva. Needs root.
 */
export async function startPostgresPair(
  settings: Readonly<Record<string, string>> = {},
  kept: 'plain' | 'debian' = 'plain',
  { clients = [], initdb = [] }: { readonly clients?: readonly string[]; readonly initdb?: readonly string[] } = {},
): Promise<PostgresPair> {
  return startTogether((together) => start(together, settings, kept, clients, initdb));
}

async function start(
  { ledger, keep, stop }: Together,
  settings: Readonly<Record<string, string>>,
  kept: 'plain' | 'debian',
  clients: readonly string[],
  more: readonly string[],
): Promise<PostgresPair> {
  const programs = await postgresPrograms();
  const base = dataBase(ledger);
  const network = keep(await startNetwork<PairName>({ hosts: pairNames, clients }));
  keep({ stop: closeSessions });
  const folderOf = (of: PairName) => join(base, of);
  const version = programs.split('/').at(-2) ?? '';
  // As seen from here; on its machine the folders of a Debian cluster have the same names on both.
  const dataOf = (of: PairName) => join(folderOf(of), kept === 'plain' ? 'data' : `lib/${version}/main`);
  const configOf = (of: PairName) => (kept === 'plain' ? dataOf(of) : join(folderOf(of), `etc/${version}/main`));
  const member = (of: PairName): Member => ({
    name: of,
    // What is lost has to be noticed soon.
    host: { ...hostOf(network.hosts[of]), watchful: true },
    programs,
    ...(kept === 'plain'
      ? { runtime: { kind: 'plain', log: join(folderOf(of), 'log') }, dataFolder: dataOf(of) }
      : {
          runtime: { kind: 'debian', version, cluster: 'main' },
          dataFolder: `/var/lib/postgresql/${version}/main`,
          configFile: `/etc/postgresql/${version}/main/postgresql.conf`,
        }),
    socketFolder: folderOf(of),
    port: PORT,
    address: network.hosts[of].address,
    systemUser: 'postgres',
    superuser: 'postgres',
  });
  // Through sshd, so that what it starts lives and dies with the machine.
  const onMachine = (of: PairName, argv: readonly string[]) =>
    runCommand(member(of).host, { argv: [...asPostgres, ...argv] }, { timeoutMs: 60_000 }, quiet);
  const startServer = async (of: PairName) => {
    const log = join(folderOf(of), 'log');
    if (kept === 'plain')
      await onMachine(of, [join(programs, 'pg_ctl'), '-D', dataOf(of), '-s', '-w', '-l', log, 'start']);
    else await onMachine(of, ['pg_ctlcluster', version, 'main', 'start']);
  };
  const sql = async (of: PairName, text: string) => {
    const psql = [join(programs, 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', folderOf(of), '-p', String(PORT)];
    return (await run([...asPostgres, ...psql, '-d', 'postgres'], { input: text })).trim();
  };

  for (const of of pairNames) {
    await mkdir(folderOf(of), { mode: 0o755 });
    // A data folder is the same on both hosts, and this is not.
    await writeFile(join(folderOf(of), 'socket.conf'), `unix_socket_directories = '${folderOf(of)}'\n`);
    await run(['chown', '-R', 'postgres:postgres', folderOf(of)]);
  }
  const usual = ['-E', 'UTF8', '--no-locale', '--no-sync', '--auth-local=peer', '--auth-host=scram-sha-256'];
  const initdb = [...usual, ...more];
  if (kept === 'plain') {
    await onMachine('bruno', [join(programs, 'initdb'), '-D', dataOf('bruno'), '-U', 'postgres', ...initdb]);
  } else {
    // As the package leaves every machine: a cluster that is made, with its configuration in /etc.
    for (const of of pairNames) {
      await runCommand(
        member(of).host,
        { script: DEBIAN_FOLDERS, arguments: [folderOf(of), version, String(PORT), ...initdb] },
        { timeoutMs: 60_000 },
        quiet,
      );
    }
  }
  // Shared memory in the folder, where a killed server's is taken away with the rest.
  const own = { listen_addresses: '*', port: String(PORT), dynamic_shared_memory_type: 'mmap' };
  const set = Object.entries({ ...own, ...settings });
  const text = set.map(([key, value]) => `${key} = '${value}'\n`).join('');
  const config = join(configOf('bruno'), 'postgresql.conf');
  await writeFile(
    config,
    `${await readFile(config, 'utf8')}\n${text}include '${kept === 'plain' ? '..' : folderOf('bruno')}/socket.conf'\n`,
  );
  if (kept === 'debian') {
    const other = join(configOf('eva'), 'postgresql.conf');
    await writeFile(other, `${await readFile(other, 'utf8')}\ninclude '${join(folderOf('eva'), 'socket.conf')}'\n`);
  }
  await letIn(join(configOf('bruno'), 'pg_hba.conf'));
  await startServer('bruno');
  await sql('bruno', CREATE_APP);
  return {
    ...{ network, member, sql, startServer },
    ...asPair(member, dataOf),
    log: (of) =>
      readFile(
        kept === 'plain' ? join(folderOf(of), 'log') : join(folderOf(of), `log/postgresql-${version}-main.log`),
        'utf8',
      ),
    stop,
  };
}

/** Who may write. */
const app: Login = { user: 'app', password: 'app-of-the-lab', database: 'postgres' };

export const CREATE_APP = `create role ${app.user} login password '${app.password}'; grant create on schema public to ${app.user}`;

/** A server that runs has to read it again. */
export const letIn = (hba: string): Promise<void> =>
  appendFile(hba, `\nhost all ${app.user} 0.0.0.0/0 scram-sha-256\n`);

/** What two servers are to whoever makes a pair of them, whatever they run in. */
export function asPair(
  member: PostgresPair['member'],
  dataOf: (of: PairName) => string,
): Pick<PostgresPair, 'cluster' | 'app' | 'processes' | 'signal'> {
  const processes = (of: PairName) => serverProcesses(dataOf(of));
  return {
    cluster: {
      name: 'immich',
      members: pairNames.map(member),
      replication: { user: 'selfhost_replication', password: 'replication-of-the-lab' },
    },
    app,
    processes,
    signal: (of, signal, which) => signalServer(processes(of), of, signal, which),
  };
}

/**
 * In memory where there is room: processes are killed here, never the machine, so nothing is proven by a slow disk that
 * all tests share.
 */
function dataBase(ledger: Ledger): string {
  const memory = '/dev/shm';
  const room = existsSync(memory) ? statfsSync(memory) : undefined;
  if (room === undefined || room.bavail * room.bsize < 2 * 1024 ** 3) return ledger.folder;
  const path = join(memory, `selfhost-lab-${ledger.id}`);
  ledger.add({ kind: 'folder', path });
  mkdirSync(path, { mode: 0o711 });
  return path;
}

// Each machine has its own of the folders that Debian's clusters live in.
const DEBIAN_FOLDERS = `
folder=$1 version=$2 port=$3
shift 3
for pair in etc:/etc/postgresql lib:/var/lib/postgresql log:/var/log/postgresql; do
  mkdir -p "$folder/\${pair%%:*}"
  chown postgres: "$folder/\${pair%%:*}"
  mount --bind "$folder/\${pair%%:*}" "\${pair#*:}"
done
pg_createcluster --port "$port" --start-conf auto "$version" main -- "$@"
`;

/** All that stand in the data folder, as every process of a server does; the one that all others come from first. */
export function serverProcesses(data: string): number[] {
  const home = statSync(data);
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const { dev, ino } = statSync(`/proc/${pid}/cwd`);
        return dev === home.dev && ino === home.ino;
      } catch {
        return false;
      }
    });
  const offspring = (pid: number) => descendantsOf([pid]).length;
  return found
    .map((pid) => [pid, offspring(pid)] as const)
    .sort((a, b) => b[1] - a[1])
    .map(([pid]) => pid);
}

export function signalServer(
  [postmaster, ...rest]: readonly number[],
  of: PairName,
  signal: NodeJS.Signals,
  which: 'postmaster' | 'all',
): void {
  if (postmaster === undefined) throw new Error(`No server runs on ${of}`);
  for (const pid of which === 'all' ? [postmaster, ...rest] : [postmaster]) signalNow(pid, signal);
}

function signalNow(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has just ended.
  }
}
