import { access, chmod, copyFile, cp, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { makeAuthority, type Authority, type Certificate } from './certificates';
import { composePlugin } from './compose-plugin';
import { removeContainers } from './docker-leftovers';
import { startInBackground } from './hosts/background';
import { openLedger, type Ledger } from './hosts/ledger';
import { findProgram, isRoot, missingPrograms, run } from './hosts/programs';
import { ip, takeSubnet } from './hosts/subnet';
import { until } from './hosts/waiting';

export interface DockerOptions {
  /** Listens on port 2376 of its address as well, for those whose certificate the authority has signed. */
  readonly tls?: boolean;
}

export interface DockerHost {
  readonly tls: { readonly authority: Authority; readonly client: Certificate } | null;
  /** Its socket, as the client wants it and as a path. */
  readonly socket: string;
  /** The address under which published ports are reached from here. */
  readonly address: string;
  /** The network namespace it is in: for a host that reaches containers at their own addresses. */
  readonly namespace: string;
  /** The address of this machine as dockerd sees it: a plain registry there is trusted. */
  readonly gateway: string;
  /** Same path for this process, for sshd and for dockerd: projects with bind mounts lie here. */
  readonly folder: string;
  /** `tiny:1`: a shell, an HTTP server and sleep from busybox. */
  readonly image: string;
  /** Puts the Compose plugin into the client configuration below this home. */
  readonly installCompose: (home: string) => Promise<void>;
  /** Runs the docker client; throws with what it complained about. */
  readonly docker: (...argv: readonly string[]) => Promise<string>;
  /** Another image made of the same files, with these settings (`CMD […]`, `LABEL …`). */
  readonly makeImage: (name: string, ...changes: readonly string[]) => Promise<string>;
  readonly log: () => Promise<string>;
  /** Ends dockerd, and with it its containers, does what is given meanwhile, and starts it again. */
  readonly restart: (meanwhile?: () => Promise<void>) => Promise<void>;
  /** Everything it made is gone after this. */
  readonly stop: () => Promise<void>;
}

/**
 * A real dockerd of its own: own data, socket, network namespace (so that its firewall rules and bridges are nobody
 * else's), mount namespace and cgroups. It needs root with all the rights of a machine: an unprivileged CI container
 * (no CAP_SYS_ADMIN, cgroups read-only) cannot run it, and then this throws and says so.
 */
export async function startDocker(options: DockerOptions = {}): Promise<DockerHost> {
  if (!isRoot()) throw new Error('A lab dockerd needs root: it makes namespaces, mounts and cgroups');
  const missing = await missingPrograms(['dockerd', 'docker', 'busybox', 'ip', 'iptables', 'nsenter', 'unshare']);
  if (missing.length > 0) {
    throw new Error(`Not installed: ${missing.join(', ')} (Debian: docker.io, busybox, iproute2, iptables)`);
  }
  const ledger = await openLedger();
  try {
    return await start(ledger, options);
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

async function start(ledger: Ledger, options: DockerOptions): Promise<DockerHost> {
  const folder = join(ledger.folder, 'projects');
  const home = join(ledger.folder, 'docker');
  const socket = join(home, 'docker.sock');
  const logFile = join(home, 'log');
  // Below a folder that only root enters: what others may do is for the socket's own mode to say.
  await mkdir(folder, { mode: 0o755 });
  await mkdir(home, { mode: 0o755 });
  const address = await makeNetwork(ledger);
  const cgroup = `selfhost-lab-${ledger.id}`;
  for (const path of await cgroupFolders(cgroup)) ledger.add({ kind: 'cgroup', path });
  const config = join(home, 'daemon.json');
  const authority = options.tls === true ? await makeAuthority(home) : undefined;
  const server = await authority?.sign('server', address);
  const listening =
    authority === undefined || server === undefined
      ? {}
      : {
          hosts: [`unix://${socket}`, `tcp://${address}:2376`],
          tlsverify: true,
          tlscacert: authority.file,
          tlscert: server.files[0],
          tlskey: server.files[1],
        };
  const daemonSettings = { ...settings(home, socket, cgroup, gatewayOf(address)), ...listening };
  await writeFile(config, JSON.stringify(daemonSettings));

  const namespace = `/run/netns/${namespaceOf(ledger)}`;
  const launch = () =>
    startInBackground(ledger, {
      name: 'dockerd',
      argv: [
        ...(['nsenter', `--net=${namespace}`, 'unshare', '--mount', '--propagation', 'slave'] as const),
        ...['dockerd', '--config-file', config],
      ],
      log: logFile,
      folder: '/',
      environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    });
  let daemon = launch();

  const readLog = async () => await readFile(logFile, 'utf8').catch(() => '');
  const client =
    (await access('/usr/bin/docker').then(
      () => '/usr/bin/docker',
      () => undefined,
    )) ?? 'docker';
  const docker = (...argv: readonly string[]) =>
    run([client, '--host', `unix://${socket}`, ...argv], { environment: { HOME: home } });
  const answers = () =>
    until('dockerd answers', 30_000, async () => {
      await daemon.mustRun();
      return await docker('version').then(
        () => true,
        () => undefined,
      );
    });
  await answers();
  const end = async () => {
    if (daemon.pid !== undefined && !daemon.hasEnded()) process.kill(daemon.pid, 'SIGTERM');
    await until('dockerd has ended', 20_000, () => (daemon.hasEnded() ? true : undefined));
  };
  const archive = await tinyRoot(home);
  const makeImage = async (name: string, ...changes: readonly string[]) => {
    await docker('import', ...changes.flatMap((change) => ['--change', change]), archive, name);
    return name;
  };
  const image = await makeImage('tiny:1', 'CMD ["sleep","3600"]', 'ENV PATH=/bin');
  return {
    tls: authority === undefined ? null : { authority, client: await authority.sign('client') },
    socket,
    address,
    namespace: namespaceOf(ledger),
    gateway: gatewayOf(address),
    folder,
    image,
    docker,
    makeImage,
    installCompose: async (where) => {
      const plugins = join(where, '.docker', 'cli-plugins');
      await mkdir(plugins, { recursive: true });
      await copyFile(await composePlugin(), join(plugins, 'docker-compose'));
      await chmod(join(plugins, 'docker-compose'), 0o755);
    },
    log: readLog,
    restart: async (meanwhile) => {
      await end();
      await meanwhile?.();
      daemon = launch();
      await answers();
    },
    stop: async () => {
      await removeContainers(docker);
      await end().catch(() => undefined);
      await ledger.clear();
    },
  };
}

function namespaceOf({ id }: Ledger): string {
  return `sl-${id}-docker`;
}

/** A network namespace joined to this one by a cable; answers the address of its end. */
async function makeNetwork(ledger: Ledger): Promise<string> {
  const namespace = namespaceOf(ledger);
  const prefix = await takeSubnet(ledger);
  const cable = `sl${ledger.id}`;
  ledger.add({ kind: 'namespace', name: namespace });
  await ip([`netns add ${namespace}`]);
  ledger.add({ kind: 'link', name: cable });
  await ip([
    `link add ${cable} type veth peer name eth0 netns ${namespace}`,
    `addr add ${prefix}.1/30 dev ${cable}`,
    `link set ${cable} up`,
  ]);
  await ip(
    [
      'link set lo up',
      `addr add ${prefix}.2/30 dev eth0`,
      'link set eth0 up',
      // Docker looks for a free range; the machine's own are of no concern in here.
      `route add default via ${prefix}.1`,
    ],
    namespace,
  );
  return `${prefix}.2`;
}

function gatewayOf(address: string): string {
  return address.replace(/\.2$/, '.1');
}

export function settings(home: string, socket: string, cgroup: string, gateway: string): object {
  return {
    hosts: [`unix://${socket}`],
    'data-root': join(home, 'data'),
    'exec-root': join(home, 'run'),
    pidfile: join(home, 'pid'),
    'storage-driver': 'overlay2',
    'exec-opts': ['native.cgroupdriver=cgroupfs'],
    'cgroup-parent': `/${cgroup}`,
    'default-address-pools': [{ base: '172.30.0.0/16', size: 24 }],
    'insecure-registries': [`${gateway}/32`],
    'shutdown-timeout': 3,
    'userland-proxy': false,
  };
}

/** Where containers of this daemon will be counted: one folder, or one for each controller of the older cgroups. */
export async function cgroupFolders(name: string): Promise<string[]> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8')).split('\n').map((line) => line.split(' '));
  return mounts
    .filter(([, , type]) => type === 'cgroup' || type === 'cgroup2')
    .map(([, path = '']) => join(path, name));
}

/** A file system as small as it can be: busybox under all of its names. */
async function tinyRoot(home: string): Promise<string> {
  const root = join(home, 'tiny');
  const archive = join(home, 'tiny.tar');
  await mkdir(join(root, 'bin'), { recursive: true });
  await mkdir(join(root, 'tmp'), { mode: 0o1777 });
  await mkdir(join(root, 'www'));
  await writeFile(join(root, 'www', 'index.html'), 'tiny\n');
  const busybox = await findProgram('busybox');
  if (busybox === undefined) throw new Error('busybox is not installed: apt-get install busybox');
  for (const file of [busybox, ...(await librariesOf(busybox))]) {
    const place = file === busybox ? join(root, 'bin', 'busybox') : join(root, file);
    await mkdir(dirname(place), { recursive: true });
    await cp(file, place, { dereference: true });
  }
  const names = [
    'sh',
    'sleep',
    'httpd',
    'cat',
    'echo',
    'ls',
    'test',
    'wget',
    'true',
    'false',
    'yes',
    'head',
    'touch',
    'date',
    'mkdir',
    'kill',
    'dd',
    'trap',
    'id',
  ];
  for (const name of names) await symlink('busybox', join(root, 'bin', name));
  await run(['tar', '--create', '--file', archive, '--directory', root, '.']);
  await rm(root, { recursive: true });
  return archive;
}

/** What a program that is not static needs beside it, its loader included. */
export async function librariesOf(program: string): Promise<string[]> {
  const listed = await run(['ldd', program]).catch(() => '');
  return [...listed.matchAll(/(?:^|\s)(\/\S+) \(0x/gm)].map(([, path = '']) => path);
}
