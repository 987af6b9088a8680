import { spawn } from 'node:child_process';
import { appendFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pin } from '../../lib/host/host';
import { ensureAccounts, grantSudo, isOwnAccountLocked, ownUser, type Accounts } from './accounts';
import { makeKey, pinOf, type KeyPair, type KeyType } from './keys';
import { openLedger, type Ledger } from './ledger';
import { descendantsOf, hostMark, identify, killUntilGone, lives, markedProcesses } from './processes';
import { freePort } from '../ports';
import { findProgram, isRoot } from './programs';
import { sshBanner, until } from './waiting';

/** What every lab host offers to a client, whatever it is made of. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly user: string;
  /** OpenSSH format, no passphrase. */
  readonly privateKey: string;
  readonly privateKeyFile: string;
  readonly pins: readonly Required<Pin>[];
  stop(): Promise<void>;
}

export interface Attempt {
  readonly user: string;
  readonly method: string;
}

export interface SshHost extends LabHost {
  /** The test users; only when this process is root. */
  readonly accounts?: Accounts;
  /** What sshd writes down, at debug level. */
  readonly logFile: string;
  readonly log: () => Promise<string>;
  /** Connections since the start, counted when sshd accepted them. */
  readonly connections: () => Promise<number>;
  /** Every request to be let in. Empty means: no client has sent a name, a key or a password. */
  readonly authenticationAttempts: () => Promise<Attempt[]>;
  /** A second authorized key, encrypted. */
  readonly keyWithPassphrase: () => Promise<{ readonly privateKey: string; readonly passphrase: string }>;
  /** Ends every connection the hard way; the server goes on. */
  readonly dropConnections: () => Promise<void>;
  /** Ends the server and every connection, and listens again on the same port once this work is done. */
  readonly whileAway: <T>(work: () => Promise<T>) => Promise<T>;
  /** Comes back on the same port, by default with the same keys. Its new pins are the answer. */
  readonly restart: (change?: { readonly hostKeys: readonly KeyType[] }) => Promise<readonly Required<Pin>[]>;
  /** Stops the server and its connections in the middle of what they do, as a frozen machine would. */
  readonly freeze: () => void;
  readonly thaw: () => void;
}

export interface SshHostOptions {
  readonly name?: string;
  readonly hostKeys?: readonly KeyType[];
  /** Logs in as this user: of `accounts` when root. Default: the user of this process. */
  readonly user?: 'own' | 'plain' | 'sudo' | 'sudoWithPassword';
  readonly maxSessions?: number;
  readonly passwordLogin?: boolean;
  readonly sftp?: boolean;
  readonly streamLocalForwarding?: boolean;
  readonly tcpForwarding?: boolean;
  readonly clientAlive?: { readonly intervalSeconds: number; readonly countMax: number };
  /** Names of variables that a client may send. OpenSSH takes none by default. */
  readonly acceptEnvironment?: readonly string[];
  /** What its shells find in place of the usual: a PATH without a program, for one. */
  readonly environment?: Readonly<Record<string, string>>;
  /** More lines for sshd_config. */
  readonly extraConfig?: readonly string[];
  /** Keys that outlive this host; default: fresh ones. */
  readonly keys?: { readonly host: readonly KeyPair[]; readonly login: KeyPair };
  /** Where it listens. Default: 127.0.0.1 and a free port. */
  readonly address?: string;
  readonly port?: number;
  /** Runs inside this network namespace (of `ip netns`). */
  readonly namespace?: string;
  /** Its own host name, process list, /root and /var/lib/selfhost; root only. The two folders are kept in `folder`. */
  readonly machine?: { readonly hostname: string; readonly folder: string };
}

const sshdName = 'sshd';

/** A real OpenSSH server with its own keys, config and log; everything it made is gone after stop(). */
export async function startSshHost(options: SshHostOptions = {}): Promise<SshHost> {
  const sshd = await findProgram(sshdName);
  if (sshd === undefined) throw new Error('sshd is not installed: apt-get install openssh-server');
  const ledger = await openLedger();
  try {
    return await start(sshd, ledger, options);
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

async function start(sshd: string, ledger: Ledger, options: SshHostOptions): Promise<SshHost> {
  const address = options.address ?? '127.0.0.1';
  const loginKey = options.keys?.login ?? (await makeKey('ed25519'));
  const authorizedKeys = join(ledger.folder, 'authorized_keys');
  const privateKeyFile = join(ledger.folder, 'login-key');
  const logFile = join(ledger.folder, 'sshd.log');
  await mkdir(join(ledger.folder, 'home'), { mode: 0o700 });
  await writeFile(authorizedKeys, `${loginKey.publicKey}\n`, { mode: 0o644 });
  await writeFile(privateKeyFile, loginKey.privateKey, { mode: 0o600 });

  const accounts = isRoot() && options.machine === undefined ? await ensureAccounts() : undefined;
  if (accounts !== undefined) await grantSudo(ledger, accounts);
  // Only root may hand a connection to another user, and sshd wants this folder for it.
  if (isRoot()) await mkdir('/run/sshd', { recursive: true, mode: 0o755 });

  let hostKeys = options.keys?.host ?? (await makeKeys(options.hostKeys ?? ['ed25519', 'ecdsa', 'rsa']));
  const server = { sshd, ledger, options, address, logFile, authorizedKeys };
  let running = await launch(server, hostKeys, options.port);

  const endSessions = () =>
    killUntilGone(`sessions of ${address}:${running.port}`, () => [
      ...descendantsOf([running.pid]).filter(({ pid }) => pid !== running.pid && pid !== running.listener),
      ...markedProcesses(ledger.id).filter(({ pid }) => pid !== running.pid && pid !== running.listener),
    ]);
  const readLog = async () => await readFile(logFile, 'utf8').catch(() => '');
  const signalAll = (signal: NodeJS.Signals) => {
    // Processes come and go meanwhile, so look again until there is nobody new.
    const signalled = new Set<number>();
    for (let size = -1; size !== signalled.size;) {
      size = signalled.size;
      for (const { pid } of descendantsOf([running.pid])) {
        if (signalled.has(pid)) continue;
        signalled.add(pid);
        try {
          process.kill(pid, signal);
        } catch {
          // It has just ended.
        }
      }
    }
  };

  return {
    name: options.name ?? 'lab',
    address,
    port: running.port,
    user: userOf(options, accounts),
    privateKey: loginKey.privateKey,
    privateKeyFile,
    get pins() {
      return hostKeys.map(({ publicKey }) => pinOf(publicKey));
    },
    ...(accounts && { accounts }),
    logFile,
    log: readLog,
    connections: async () => [...(await readLog()).matchAll(/^Connection from /gm)].length,
    authenticationAttempts: async () =>
      [...(await readLog()).matchAll(/userauth-request for user (\S*) service \S+ method (\S+)/g)].map(
        ([, user = '', method = '']) => ({ user, method }),
      ),
    async keyWithPassphrase() {
      const passphrase = `lab ${ledger.id}`;
      const key = await makeKey('ed25519', passphrase);
      await appendFile(authorizedKeys, `${key.publicKey}\n`);
      return { privateKey: key.privateKey, passphrase };
    },
    dropConnections: endSessions,
    async whileAway(work) {
      const { pid, port } = running;
      await end(pid);
      try {
        return await work();
      } finally {
        running = await launch(server, hostKeys, port);
      }
    },
    async restart(change) {
      if (change !== undefined) hostKeys = await makeKeys(change.hostKeys);
      await end(running.pid);
      running = await launch(server, hostKeys, running.port);
      return hostKeys.map(({ publicKey }) => pinOf(publicKey));
    },
    freeze: () => signalAll('SIGSTOP'),
    thaw: () => signalAll('SIGCONT'),
    stop: () => ledger.clear(),
  };
}

interface Server {
  readonly sshd: string;
  readonly ledger: Ledger;
  readonly options: SshHostOptions;
  readonly address: string;
  readonly logFile: string;
  readonly authorizedKeys: string;
}

interface Running {
  /** The process this one started: sshd itself, or what keeps its namespaces. */
  readonly pid: number;
  readonly listener: number;
  readonly port: number;
}

async function launch(server: Server, hostKeys: readonly KeyPair[], wantedPort: number | undefined): Promise<Running> {
  // Between choosing a free port and taking it, another host may take it: choose again.
  for (let attempt = 1; ; attempt++) {
    const port = wantedPort ?? (await freePort(server.address));
    const outcome = await tryLaunch(server, hostKeys, port);
    if (outcome !== 'port taken') return outcome;
    if (wantedPort !== undefined || attempt === 5)
      throw new Error(`${server.address}:${port} is taken by another process`);
  }
}

async function tryLaunch(server: Server, hostKeys: readonly KeyPair[], port: number): Promise<Running | 'port taken'> {
  const { ledger, options, address, logFile } = server;
  const config = join(ledger.folder, 'sshd_config');
  const keyFiles = await Promise.all(
    hostKeys.map(async ({ type, privateKey }) => {
      const file = join(ledger.folder, `host-key-${type}`);
      await writeFile(file, privateKey, { mode: 0o600 });
      return file;
    }),
  );
  await writeFile(config, configText(server, keyFiles, port), { mode: 0o600 });
  const logBefore = (await readFile(logFile, 'utf8').catch(() => '')).length;

  ledger.add({ kind: 'marked', mark: ledger.id });
  const [program, ...rest] = await argvOf(server, config);
  const child = spawn(program, rest, {
    cwd: '/',
    env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', [hostMark]: ledger.id },
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let complaint = '';
  let ended = false;
  child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  child.on('error', (error) => {
    complaint += error.message;
    ended = true;
  });
  child.on('exit', () => (ended = true));
  child.unref();
  (child.stderr as typeof child.stderr & { unref?: () => void }).unref?.();
  if (child.pid !== undefined) ledger.addProcess(child.pid);

  const logged = async () => (await readFile(logFile, 'utf8').catch(() => '')).slice(logBefore);
  return await until(`sshd listens on ${address}:${port}`, 15_000, async () => {
    const text = await logged();
    if (text.includes(`Server listening on ${address} port ${port}.`)) {
      // In a namespace the address may not be reachable from here; then its own word is all there is.
      const reachable = options.namespace !== undefined || (await sshBanner(address, port)) !== undefined;
      if (reachable && child.pid !== undefined) {
        return { pid: child.pid, port, listener: await listenerOf(child.pid) };
      }
    }
    if (/Address already in use/.test(text + complaint)) {
      if (child.pid !== undefined) await end(child.pid);
      return 'port taken' as const;
    }
    if (ended) throw new Error(`sshd did not start: ${(complaint + text).trim().slice(-2000)}`);
    return undefined;
  });
}

function configText({ options, address, logFile, authorizedKeys, ledger }: Server, keyFiles: string[], port: number) {
  const yesNo = (value: boolean) => (value ? 'yes' : 'no');
  const alive = options.clientAlive ?? { intervalSeconds: 0, countMax: 3 };
  const environment = Object.entries({ [hostMark]: ledger.id, ...options.environment })
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');
  return [
    `ListenAddress ${address}:${port}`,
    ...keyFiles.map((file) => `HostKey ${file}`),
    `AuthorizedKeysFile ${authorizedKeys}`,
    `PidFile ${join(ledger.folder, 'sshd.pid')}`,
    // The folder lies in a temporary folder, which everybody may write to.
    'StrictModes no',
    // Without PAM sshd refuses a locked account, and some systems lock root's password.
    `UsePAM ${yesNo(isOwnAccountLocked())}`,
    'PermitRootLogin yes',
    'PermitUserEnvironment no',
    'KbdInteractiveAuthentication no',
    `PasswordAuthentication ${yesNo(options.passwordLogin ?? false)}`,
    `MaxSessions ${options.maxSessions ?? 10}`,
    'MaxStartups 200',
    'MaxAuthTries 20',
    `AllowTcpForwarding ${yesNo(options.tcpForwarding ?? true)}`,
    `AllowStreamLocalForwarding ${yesNo(options.streamLocalForwarding ?? true)}`,
    `ClientAliveInterval ${alive.intervalSeconds}`,
    `ClientAliveCountMax ${alive.countMax}`,
    `SetEnv ${environment}`,
    ...(options.acceptEnvironment ?? []).map((name) => `AcceptEnv ${name}`),
    ...((options.sftp ?? true) ? ['Subsystem sftp internal-sftp'] : []),
    'LogLevel DEBUG1',
    ...(options.extraConfig ?? []),
    `# log: ${logFile}`,
    // Start-up files of this process's user, which may be slow or chatty, are none of the lab's.
    ...(options.machine === undefined
      ? [`Match User ${ownUser().name}`, `SetEnv ${environment} HOME=${join(ledger.folder, 'home')}`]
      : []),
    '',
  ].join('\n');
}

// Runs as the first process of its own PID, mount and host name namespaces, where nothing is seen from outside.
const becomeMachine = `
set -eu
hostname "$1"
mkdir -p "$2/root" "$2/state" /var/lib/selfhost
chmod 700 "$2/root"
# The home comes last: the folder with both may lie in it.
mount --bind "$2/state" /var/lib/selfhost
mount --bind "$2/root" /root
shift 2
exec "$@"
`;

async function argvOf({ sshd, options, logFile }: Server, config: string): Promise<[string, ...string[]]> {
  const server = [sshd, '-D', '-f', config, '-E', logFile];
  const machine =
    options.machine === undefined
      ? server
      : [
          ...['unshare', '--uts', '--ipc', '--pid', '--mount', '--propagation', 'private', '--fork'],
          ...['--kill-child', '--mount-proc', '--', 'sh', '-c', becomeMachine, 'machine'],
          ...[options.machine.hostname, options.machine.folder, ...server],
        ];
  const [program, ...rest] =
    options.namespace === undefined ? machine : ['ip', 'netns', 'exec', options.namespace, ...machine];
  if (program === undefined) throw new Error('Nothing to start');
  return [program, ...rest];
}

/** The sshd that listens: the process itself, or the first child of what keeps its namespaces. */
async function listenerOf(pid: number): Promise<number> {
  const name = async (one: number) => (await readFile(`/proc/${one}/comm`, 'utf8').catch(() => '')).trim();
  for (const { pid: one } of descendantsOf([pid])) if ((await name(one)) === sshdName) return one;
  return pid;
}

async function end(pid: number): Promise<void> {
  const family = descendantsOf([pid]);
  const known = identify(pid);
  await killUntilGone(`sshd ${pid}`, () => [...family, ...(known ? [known] : [])].filter(lives));
}

function makeKeys(types: readonly KeyType[]): Promise<KeyPair[]> {
  return Promise.all(types.map((type) => makeKey(type)));
}

function userOf({ user = 'own' }: SshHostOptions, accounts: Accounts | undefined): string {
  if (user === 'own') return ownUser().name;
  if (accounts === undefined) throw new Error(`The account "${user}" needs root: only root can log somebody else in`);
  return accounts[user];
}
