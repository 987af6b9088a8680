import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeKey, pinOf } from './keys';
import { openLedger, type Ledger } from './ledger';
import { descendantsOf } from './processes';
import { isRoot, missingPrograms, run } from './programs';
import { rootFileSystem } from './root-file-system';
import type { LabHost } from './ssh-host';
import { ip, takeSubnet } from './subnet';
import { sshBanner, until } from './waiting';

export interface SystemdHost extends LabHost {
  /** Users that the same key lets in; the second becomes root by `sudo -n`. */
  readonly accounts: { readonly plain: string; readonly sudo: string };
  /** Its file system, as seen from here. */
  readonly root: string;
  /** How long it took from nothing until SSH answered, without the one-time build. */
  readonly bootMs: number;
  /** How long the one-time build took, when it was done by this start. */
  readonly buildMs: number | undefined;
  /** Makes apt on the host see a newer version of an installed package; apt-get update there finds it. */
  readonly offerUpdate: (packageName: string, archive?: 'stable' | 'security') => Promise<void>;
}

export interface SystemdHostOptions {
  readonly name?: string;
  readonly log?: (line: string) => void;
}

/** A fresh Debian whose first process is systemd, with its own network. Needs root. */
export async function startSystemdHost(options: SystemdHostOptions = {}): Promise<SystemdHost> {
  if (!isRoot()) throw new Error('A host with systemd needs root: it is a container');
  const missing = await missingPrograms(['systemd-nspawn', 'ip']);
  if (missing.length > 0) throw new Error(`Not installed: ${missing.join(', ')} (Debian: systemd-container, iproute2)`);
  const ledger = await openLedger();
  try {
    return await start(ledger, options);
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

async function start(ledger: Ledger, options: SystemdHostOptions): Promise<SystemdHost> {
  const name = options.name ?? 'lab';
  const built = await rootFileSystem(options.log);
  const begin = performance.now();
  const root = await freshCopy(ledger, built.folder);

  const loginKey = await makeKey('ed25519');
  const hostKey = await makeKey('ed25519');
  const privateKeyFile = join(ledger.folder, 'login-key');
  await writeFile(privateKeyFile, loginKey.privateKey, { mode: 0o600 });
  await writeFile(join(root, 'etc/ssh/ssh_host_ed25519_key'), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(root, 'etc/ssh/ssh_host_ed25519_key.pub'), `${hostKey.publicKey}\n`);
  await writeFile(join(root, 'etc/ssh/lab_authorized_keys'), `${loginKey.publicKey}\n`);
  await writeFile(join(root, 'etc/ssh/sshd_config.d/host-key.conf'), 'HostKey /etc/ssh/ssh_host_ed25519_key\n');
  await writeFile(join(root, 'etc/hostname'), `${name}\n`);
  await writeFile(join(root, 'etc/hosts'), `127.0.0.1 localhost\n127.0.1.1 ${name}\n`);

  const { namespace, address } = await connectNetwork(ledger);
  const supervisor = await boot(ledger, root, name, namespace);
  await until(`${name} answers at ${address}:22`, 30_000, () => sshBanner(address, 22));
  // While it boots, only root may log in; so wait until systemd has done all it had to.
  const runInside = async (argv: readonly string[]) => {
    // Asked anew each time: a reboot makes another one.
    const inside = await until(`${name} has a first process`, 5000, () => firstProcess(supervisor));
    return await run(['nsenter', '--target', String(inside), '--all', '--', ...argv]);
  };
  const state = await runInside(['sh', '-c', 'systemctl is-system-running --wait || :']);
  if (state.trim() !== 'running') {
    throw new Error(`${name} booted, but is ${state.trim()}: ${await runInside(['systemctl', '--failed', '--plain'])}`);
  }

  return {
    name,
    address,
    port: 22,
    user: 'root',
    privateKey: loginKey.privateKey,
    privateKeyFile,
    pins: [pinOf(hostKey.publicKey)],
    accounts: { plain: 'selfhost-lab', sudo: 'selfhost-lab-sudo' },
    root,
    bootMs: Math.round(performance.now() - begin),
    buildMs: built.buildMs,
    async offerUpdate(packageName, archive = 'stable') {
      await writeArchive(root, packageName, archive);
      await runInside(['apt-get', 'update', '--quiet']);
    },
    stop: () => ledger.clear(),
  };
}

/** A copy of the built system that may be written to; what the host does to it is forgotten when it stops. */
async function freshCopy(ledger: Ledger, lower: string): Promise<string> {
  const [root, upper, work] = ['root', 'upper', 'work'].map((part) => join(ledger.folder, 'system', part));
  if (root === undefined || upper === undefined || work === undefined) throw new Error('Three folders');
  for (const folder of [root, upper, work]) await mkdir(folder, { recursive: true, mode: 0o755 });
  ledger.add({ kind: 'mount', path: root });
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  try {
    await run(['mount', '-t', 'overlay', 'overlay', '-o', options, root]);
  } catch {
    // No overlay upon an overlay: inside many containers only a real copy works.
    await run(['cp', '--archive', '--reflink=auto', `${lower}/.`, root]);
  }
  return root;
}

/** A network namespace with one cable to this process. */
async function connectNetwork(ledger: Ledger): Promise<{ namespace: string; address: string }> {
  const prefix = await takeSubnet(ledger);
  const namespace = `sl-${ledger.id}-systemd`;
  const device = `sl${ledger.id}`;
  ledger.add({ kind: 'namespace', name: namespace });
  ledger.add({ kind: 'link', name: device });
  await ip([
    `netns add ${namespace}`,
    `link add ${device} type veth peer name eth0 netns ${namespace}`,
    `addr add ${prefix}.1/24 dev ${device}`,
    `link set ${device} up`,
  ]);
  await ip(['link set lo up', 'link set eth0 up', `addr add ${prefix}.2/24 dev eth0`], namespace);
  return { namespace, address: `${prefix}.2` };
}

// Joins the cgroups named before "--", then becomes the program after it.
const joinAndBecome = `
set -eu
while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs"; shift; done
shift
exec "$@"
`;

// systemd-nspawn leaves a reboot to whoever started it, and says so with 133.
const startAgainAfterReboot = `
while :; do
  status=0
  sh -c "$@" || status=$?
  [ "$status" = 133 ] || exit "$status"
done
`;

async function boot(ledger: Ledger, root: string, name: string, namespace: string): Promise<number> {
  // Where systemd runs the machine it gives the container a place; elsewhere the place is made by hand.
  ledger.add({ kind: 'folder', path: `/run/systemd/nspawn/propagate/sl-${ledger.id}` });
  const managed = await access('/run/systemd/system').then(
    () => true,
    () => false,
  );
  const cgroups = managed ? [] : await ownCgroups(ledger);
  const child = spawn(
    'sh',
    [
      ...['-c', startAgainAfterReboot, 'supervise', joinAndBecome, 'boot', ...cgroups, '--'],
      ...['systemd-nspawn', '--quiet', '--boot', '--register=no', ...(managed ? [] : ['--keep-unit'])],
      ...[`--directory=${root}`, `--machine=sl-${ledger.id}`, `--hostname=${name}`, '--console=pipe'],
      ...[
        `--network-namespace-path=/run/netns/${namespace}`,
        '--resolv-conf=off',
        '--timezone=off',
        '--link-journal=no',
      ],
    ],
    {
      cwd: '/',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    },
  );
  let said = '';
  let ended = false;
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.on('error', (error) => (said += error.message));
  child.on('close', () => (ended = true));
  const { pid } = child;
  if (pid === undefined) throw new Error(`systemd-nspawn did not start: ${said}`);
  ledger.addProcess(pid);
  await until('the container starts', 10_000, async () => {
    if (ended) throw new Error(`systemd-nspawn ended: ${said.trim().slice(-2000)}`);
    return await firstProcess(pid);
  });
  return pid;
}

/** The systemd inside: the only one of the container whose first PID namespace number is 1. */
async function firstProcess(supervisor: number): Promise<number | undefined> {
  for (const { pid } of descendantsOf([supervisor])) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    const numbers = /^NSpid:\s+(.*)$/m.exec(status)?.[1]?.split(/\s+/) ?? [];
    if (numbers.length > 1 && numbers.at(-1) === '1') return pid;
  }
  return undefined;
}

/** A cgroup of its own in each hierarchy that systemd looks after. */
async function ownCgroups(ledger: Ledger): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  const hierarchies = mounts.filter(
    ([, , type, options]) => type === 'cgroup2' || (type === 'cgroup' && options?.split(',').includes('name=systemd')),
  );
  const folders = hierarchies.flatMap(([, path]) =>
    path === undefined ? [] : [join(path, `selfhost-lab-${ledger.id}`)],
  );
  for (const folder of folders) {
    ledger.add({ kind: 'cgroup', path: folder });
    await mkdir(folder);
  }
  return folders;
}

const archives = {
  stable: { Label: 'Debian', Suite: 'stable', Codename: 'bookworm' },
  security: { Label: 'Debian-Security', Suite: 'stable-security', Codename: 'bookworm-security' },
} as const;

/** An apt archive on the host's own disk that lists a newer version of one package. There is nothing to download in it. */
async function writeArchive(root: string, packageName: string, archive: 'stable' | 'security'): Promise<void> {
  const status = await readFile(join(root, 'var/lib/dpkg/status'), 'utf8');
  const entry = status.split('\n\n').find((text) => text.startsWith(`Package: ${packageName}\n`));
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(entry ?? '')?.[1];
  const version = field('Version');
  if (entry === undefined || version === undefined) throw new Error(`${packageName} is not installed on the host`);
  const packages = [
    ...[`Package: ${packageName}`, `Version: ${version}+lab1`, `Architecture: ${field('Architecture')}`],
    ...[
      'Maintainer: The lab <lab@localhost>',
      `Filename: ./${packageName}.deb`,
      'Size: 1',
      `SHA256: ${'0'.repeat(64)}`,
    ],
    ...['Description: a newer version, for tests', ''],
  ].join('\n');
  const hash = createHash('sha256').update(packages).digest('hex');
  const about = Object.entries(archives[archive]).map(([key, value]) => `${key}: ${value}`);
  const release = [
    ...['Origin: Debian', 'Version: 12', ...about, 'Date: Thu, 01 Jan 2026 00:00:00 UTC', 'SHA256:'],
    ...[` ${hash} ${Buffer.byteLength(packages)} Packages`, ''],
  ].join('\n');
  const folder = join(root, 'var/lib/lab-updates', archive);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'Packages'), packages);
  await writeFile(join(folder, 'Release'), release);
  const source = `deb [trusted=yes] file:/var/lib/lab-updates/${archive} ./\n`;
  await writeFile(join(root, `etc/apt/sources.list.d/lab-${archive}.list`), source);
}
