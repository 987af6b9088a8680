import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Failure } from '../lib/failure';
import { cacheFolder, logFolder } from './folders';
import { lockFile } from './lock';
import { mustRun, run } from './processes';

export interface DebianPackage {
  readonly name: string;
  readonly purpose: string;
  /** `lab`: `npm start` needs it too; `tests`: only `npm test` does. */
  readonly neededBy: 'lab' | 'tests';
  /** Services it would start at the next boot. Nobody asked for those, so they are switched off after installing. */
  readonly services?: readonly string[];
}

/** The one list of what the lab and the tests need from Debian. */
export const debianPackages: readonly DebianPackage[] = [
  { name: 'gcc', purpose: 'compiles the two native modules of n8n', neededBy: 'lab' },
  { name: 'g++', purpose: 'compiles the two native modules of n8n', neededBy: 'lab' },
  { name: 'make', purpose: 'compiles the two native modules of n8n', neededBy: 'lab' },
  { name: 'python3', purpose: 'node-gyp, which compiles them, is written in it', neededBy: 'lab' },
  { name: 'openssh-server', purpose: 'the real sshd of the test hosts', neededBy: 'tests', services: ['ssh'] },
  { name: 'openssh-client', purpose: 'a second opinion about that sshd', neededBy: 'tests' },
  { name: 'sudo', purpose: 'commands as another user on the test hosts', neededBy: 'tests' },
  { name: 'curl', purpose: 'with which hosts tell how their backups go', neededBy: 'tests' },
  { name: 'openssl', purpose: 'certificates of the test servers', neededBy: 'tests' },
  { name: 'psmisc', purpose: 'fuser, which ends the holders of locks', neededBy: 'tests' },
  { name: 'procps', purpose: 'ps, to prove that no secret stands in it', neededBy: 'tests' },
  { name: 'iproute2', purpose: 'network namespaces of the test hosts', neededBy: 'tests' },
  { name: 'iptables', purpose: 'drops traffic between them', neededBy: 'tests' },
  { name: 'nftables', purpose: 'the firewall that a fence prefers', neededBy: 'tests' },
  { name: 'ethtool', purpose: 'their cables where the kernel has no netem', neededBy: 'tests' },
  { name: 'systemd-container', purpose: 'a test host whose first process is systemd', neededBy: 'tests' },
  {
    name: 'busybox',
    purpose: 'facts of a host without GNU tools; a login shell; the images of the test dockerd',
    neededBy: 'tests',
  },
  {
    name: 'docker.io',
    purpose: 'the real dockerd of the tests',
    neededBy: 'tests',
    services: ['docker.socket', 'docker', 'containerd'],
  },
  { name: 'git', purpose: 'deploys fetch commits with it, and a test serves them', neededBy: 'tests' },
  { name: 'fish', purpose: 'a login shell that is not like sh', neededBy: 'tests' },
  { name: 'tcsh', purpose: 'a login shell that is not like sh', neededBy: 'tests' },
  { name: 'zsh', purpose: 'a login shell', neededBy: 'tests' },
  { name: 'mmdebstrap', purpose: 'builds the file system of that host', neededBy: 'tests' },
  {
    name: 'redis-server',
    purpose: "n8n's queue mode",
    neededBy: 'tests',
    services: ['redis-server'],
  },
  { name: 'chromium', purpose: 'looks at the status page', neededBy: 'tests' },
  {
    name: 'prometheus-alertmanager',
    purpose: 'sends its webhooks to the alert engine',
    neededBy: 'tests',
    services: ['prometheus-alertmanager'],
  },
  {
    name: 'postgresql',
    purpose: "n8n's queue mode, state in a database, replication",
    neededBy: 'tests',
    services: ['postgresql'],
  },
  {
    name: 'pgbackrest',
    purpose: 'keeps the backups and the WAL of the test PostgreSQL',
    neededBy: 'tests',
    services: ['pgbackrest'],
  },
  { name: 'haproxy', purpose: 'is pointed at another primary', neededBy: 'tests', services: ['haproxy'] },
  { name: 'pgbouncer', purpose: 'is pointed at another primary', neededBy: 'tests', services: ['pgbouncer'] },
  {
    name: 'mariadb-server',
    purpose: 'looked at by health checks, a source of backups, and has accounts whose password is rotated',
    neededBy: 'tests',
    services: ['mariadb'],
  },
  {
    name: 'exim4-daemon-light',
    purpose: 'takes the letters of the health checks',
    neededBy: 'tests',
    services: ['exim4'],
  },
  {
    name: 'dovecot-imapd',
    purpose: 'shows the letters of the health checks',
    neededBy: 'tests',
    services: ['dovecot'],
  },
  { name: 'iputils-ping', purpose: 'a health check of hosts', neededBy: 'tests' },
  { name: 'rclone', purpose: 'carries backups to their destinations, and plays one', neededBy: 'tests' },
  { name: 'zstd', purpose: 'compresses backups', neededBy: 'tests' },
  { name: 'sqlite3', purpose: 'a source of backups', neededBy: 'tests' },
  { name: 'restic', purpose: 'keeps the versions of trees', neededBy: 'tests' },
  { name: 'fuse3', purpose: 'mounts buckets, to be read as trees', neededBy: 'tests' },
  { name: 'age', purpose: 'closes the recovery kit, and opens it as a human would', neededBy: 'tests' },
];

/** What only the long proofs need. */
export const proofPackages: readonly DebianPackage[] = [
  { name: 'ansible-core', purpose: 'runs the playbook of a flow', neededBy: 'tests' },
];

/** Whom the failover bench is measured against. */
export const rivalPackages: readonly DebianPackage[] = [
  { name: 'patroni', purpose: 'a rival of the failover bench', neededBy: 'tests', services: ['patroni'] },
  { name: 'etcd-server', purpose: 'where Patroni keeps who leads', neededBy: 'tests', services: ['etcd'] },
  { name: 'postgresql-15-repmgr', purpose: 'a rival of the failover bench', neededBy: 'tests', services: ['repmgrd'] },
];

export async function missingPackages(packages: readonly DebianPackage[]): Promise<readonly DebianPackage[]> {
  const missing: DebianPackage[] = [];
  for (const wanted of packages) {
    const { exitCode, output } = await run('dpkg-query', ['-W', '-f=${Status}', wanted.name]);
    const installed = exitCode === 0 && output.trim() === 'install ok installed';
    if (!installed && !(wanted.neededBy === 'lab' && (await programExists(wanted.name)))) missing.push(wanted);
  }
  return missing;
}

/** Compilers may come from elsewhere than Debian. */
async function programExists(program: string): Promise<boolean> {
  const { exitCode } = await run('sh', ['-c', 'command -v "$0"', program]);
  return exitCode === 0;
}

/** Installs what is missing, as root or through a sudo that asks nothing; otherwise says what to type. */
export async function installDebianPackages(packages: readonly DebianPackage[]): Promise<void> {
  const missing = await missingPackages(packages);
  if (missing.length === 0) return;
  const asRoot = await rootPrefix();
  const names = missing.map(({ name }) => name);
  if (asRoot === undefined || !existsSync('/usr/bin/apt-get')) {
    throw new Failure({
      code: 'packages_missing',
      subject: names.join(', '),
      message: `These Debian packages are missing: ${names.join(', ')}.`,
      nextStep: `Install them, then run the command again: sudo apt-get install ${names.join(' ')}`,
    });
  }
  mkdirSync(cacheFolder, { recursive: true });
  // Of two checkouts that start at once one waits: apt-get itself does not, where it reads the lists.
  const release = await lockFile(join(cacheFolder, 'packages.lock'), { wait: true });
  try {
    const stillMissing = await missingPackages(packages);
    if (stillMissing.length > 0) await install(stillMissing, asRoot);
  } finally {
    release?.();
  }
}

async function install(missing: readonly DebianPackage[], asRoot: readonly string[]): Promise<void> {
  const names = missing.map(({ name }) => name);
  const log = join(logFolder, 'apt.log');
  const lock = ['-o', 'DPkg::Lock::Timeout=600'];
  const asRootRun = (step: string, ...argv: string[]) => mustRun(step, 'env', [...asRoot, ...argv], { log });
  await asRootRun('Reading the package lists of Debian', 'apt-get', ...lock, 'update');
  const restore = await forbidStartingServices(asRoot, log);
  try {
    await asRootRun(
      `Installing the Debian packages ${names.join(', ')}`,
      ...['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', ...lock],
      ...['install', '-y', '--no-install-recommends', ...names],
    );
  } finally {
    await restore();
  }
  if (existsSync('/run/systemd/system')) {
    const services = missing.flatMap(({ services: own = [] }) => own);
    if (services.length > 0) await run('env', [...asRoot, 'systemctl', 'disable', '--now', ...services], { log });
  }
}

async function rootPrefix(): Promise<readonly string[] | undefined> {
  if (process.getuid?.() === 0) return [];
  try {
    const { exitCode } = await run('sudo', ['-n', 'true']);
    return exitCode === 0 ? ['sudo', '-n'] : undefined;
  } catch {
    return undefined;
  }
}

const policy = '/usr/sbin/policy-rc.d';

/** Debian starts a server as soon as it is installed, unless policy-rc.d says no. One that is there already stays. */
async function forbidStartingServices(asRoot: readonly string[], log: string): Promise<() => Promise<void>> {
  if (existsSync(policy)) return () => Promise.resolve();
  const script = 'printf "#!/bin/sh\\nexit 101\\n" > "$0" && chmod 755 "$0"';
  await mustRun('Keeping new services from starting', 'env', [...asRoot, 'sh', '-c', script, policy], { log });
  return async () => {
    await run('env', [...asRoot, 'rm', '-f', policy], { log });
  };
}

/** Where Debian keeps the programs of its newest PostgreSQL. */
export function postgresPrograms(): string {
  const base = '/usr/lib/postgresql';
  const newest = (existsSync(base) ? readdirSync(base) : [])
    .filter((version) => existsSync(join(base, version, 'bin', 'initdb')))
    .sort((a, b) => Number(b) - Number(a))[0];
  if (newest === undefined) {
    throw new Failure({
      code: 'packages_missing',
      subject: 'postgresql',
      message: 'PostgreSQL is not installed.',
      nextStep: 'Install it, then run the command again: sudo apt-get install postgresql',
    });
  }
  return join(base, newest, 'bin');
}
