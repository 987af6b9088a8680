import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { Server, utils, type AuthContext, type Connection, type ServerChannel, type Session } from 'ssh2';
import { behindLine, type Line } from './gate';
import { makeKey, pinOf, type KeyPair } from './keys';
import { openLedger, type Ledger } from './ledger';
import { hostMark } from './processes';
import type { Attempt, LabHost } from './ssh-host';

export interface ProcessHostOptions {
  readonly name?: string;
  readonly user?: string;
  readonly password?: string;
  /** What stands before the command. Default: `/bin/sh -c`. */
  readonly shell?: readonly [string, ...string[]];
  /** The home of the user; default: an empty folder that goes with the host. */
  readonly home?: string;
  /** Names of variables that a client may send. None by default, as with OpenSSH. */
  readonly acceptEnvironment?: readonly string[];
  readonly keys?: { readonly host: readonly KeyPair[]; readonly login: KeyPair };
  readonly port?: number;
  /** A shell that talks before the command does, as a careless .bashrc makes it. */
  readonly noise?: { readonly stdout?: string; readonly stderr?: string };
  /** More sessions than this on one connection are refused with "open failed". */
  readonly maxChannels?: number;
  /** The connection breaks off when a command has printed this many bytes. */
  readonly breakAfterBytes?: number;
  readonly forwarding?: boolean;
}

export interface ProcessHost extends LabHost {
  /** Every command it was asked to run. */
  readonly commands: readonly string[];
  readonly authenticationAttempts: readonly Attempt[];
  readonly connections: () => number;
  /** From now on it says nothing, answers no keepalive, and keeps every connection open. */
  readonly stall: () => void;
  readonly resume: () => void;
  /** Time that everything takes, one way. */
  readonly slow: (delayMs: number) => void;
  readonly dropConnections: () => void;
  /** Kills the running commands, each with its process group. */
  readonly killCommands: (signal: NodeJS.Signals) => void;
  /** How many sessions may be open on one connection from now on. */
  readonly allowChannels: (count: number) => void;
}

/** An SSH server inside this process: commands are real, SFTP is missing, and it misbehaves on demand. */
export async function startProcessHost(options: ProcessHostOptions = {}): Promise<ProcessHost> {
  const ledger = await openLedger();
  try {
    return await start(ledger, options);
  } catch (error) {
    await ledger.clear();
    throw error;
  }
}

interface Site {
  readonly options: ProcessHostOptions;
  readonly user: string;
  readonly home: string;
  readonly mark: string;
  readonly loginKey: KeyPair;
  readonly commands: string[];
  readonly attempts: Attempt[];
  readonly running: Set<ChildProcess>;
  readonly sockets: Set<Socket>;
  channelLimit: number;
}

async function start(ledger: Ledger, options: ProcessHostOptions): Promise<ProcessHost> {
  const hostKeys = options.keys?.host ?? [await makeKey('ed25519')];
  const loginKey = options.keys?.login ?? (await makeKey('ed25519'));
  const home = options.home ?? join(ledger.folder, 'home');
  const privateKeyFile = join(ledger.folder, 'login-key');
  await mkdir(home, { recursive: true });
  await writeFile(privateKeyFile, loginKey.privateKey, { mode: 0o600 });
  ledger.add({ kind: 'marked', mark: ledger.id });

  const line: Line = { stalled: false, delayMs: 0 };
  const site: Site = {
    options,
    user: options.user ?? userInfo().username,
    home,
    mark: ledger.id,
    loginKey,
    commands: [],
    attempts: [],
    running: new Set(),
    sockets: new Set(),
    channelLimit: options.maxChannels ?? Infinity,
  };
  let connections = 0;
  const ssh = new Server({ hostKeys: hostKeys.map(({ privateKey }) => privateKey) }, (connection) =>
    serve(connection, site),
  );
  const listener = createServer((socket) => {
    connections++;
    socket.setNoDelay(true);
    site.sockets.add(socket);
    socket.on('close', () => site.sockets.delete(socket));
    // It takes any stream, though its types ask for a socket.
    ssh.injectSocket(behindLine(socket, line) as never);
  });
  const port = await new Promise<number>((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(options.port ?? 0, '127.0.0.1', () => {
      const address = listener.address();
      if (address !== null && typeof address === 'object') resolve(address.port);
    });
  });
  const dropConnections = () => site.sockets.forEach((socket) => socket.resetAndDestroy());
  const killCommands = (signal: NodeJS.Signals) => site.running.forEach((child) => signalGroup(child, signal));

  return {
    name: options.name ?? 'lab',
    address: '127.0.0.1',
    port,
    user: site.user,
    privateKey: loginKey.privateKey,
    privateKeyFile,
    pins: hostKeys.map(({ publicKey }) => pinOf(publicKey)),
    commands: site.commands,
    authenticationAttempts: site.attempts,
    connections: () => connections,
    stall: () => (line.stalled = true),
    resume: () => (line.stalled = false),
    slow: (delayMs) => (line.delayMs = delayMs),
    dropConnections,
    killCommands,
    allowChannels: (count) => (site.channelLimit = count),
    async stop() {
      const closed = new Promise((resolve) => listener.close(resolve));
      dropConnections();
      killCommands('SIGKILL');
      await closed;
      await ledger.clear();
    },
  };
}

function serve(connection: Connection, site: Site): void {
  // A client that goes away mid-handshake is no news to a server.
  connection.on('error', () => {});
  connection.on('authentication', (attempt) => {
    site.attempts.push({ user: attempt.username, method: attempt.method });
    if (attempt.username === site.user && isLetIn(attempt, site)) attempt.accept();
    else attempt.reject(site.options.password === undefined ? ['publickey'] : ['publickey', 'password']);
  });
  connection.on('ready', () => {
    let channels = 0;
    connection.on('session', (accept, reject) => {
      if (channels >= site.channelLimit) {
        reject();
        return;
      }
      channels++;
      const session = accept();
      session.once('close', () => channels--);
      serveSession(session, connection, site);
    });
    if (site.options.forwarding === false) return;
    connection.on('tcpip', (accept, reject, { destIP, destPort }) =>
      forward(connect({ host: destIP, port: destPort }), accept, reject),
    );
    connection.on('openssh.streamlocal', (accept, reject, { socketPath }) =>
      forward(connect({ path: socketPath }), accept, reject),
    );
  });
}

function isLetIn(attempt: AuthContext, { loginKey, options }: Site): boolean {
  if (attempt.method === 'password') return options.password !== undefined && attempt.password === options.password;
  if (attempt.method !== 'publickey') return false;
  const key = utils.parseKey(loginKey.publicKey);
  if (key instanceof Error) throw key;
  if (attempt.key.algo !== key.type || !attempt.key.data.equals(key.getPublicSSH())) return false;
  // Without a signature the client only asks whether the key would do.
  if (attempt.signature === undefined || attempt.blob === undefined) return true;
  const verdict: unknown = key.verify(attempt.blob, attempt.signature, attempt.hashAlgo);
  return verdict === true;
}

/** Missing when the client wants no answer; the types of ssh2 do not say so. */
type Reply = (() => void) | undefined;

function serveSession(session: Session, connection: Connection, site: Site): void {
  const environment: Record<string, string> = {};
  let child: ChildProcess | undefined;
  session.on('env', (accept: Reply, reject: Reply, { key, val }) => {
    if (!site.options.acceptEnvironment?.includes(key)) {
      reject?.();
      return;
    }
    environment[key] = val;
    accept?.();
  });
  session.on('signal', (accept: Reply, _reject, { name }) => {
    if (child) signalGroup(child, `SIG${name}` as NodeJS.Signals);
    accept?.();
  });
  session.on('exec', (accept, _reject, { command }) => {
    site.commands.push(command);
    const channel = accept();
    child = runCommand(command, environment, channel, connection, site);
    // A channel that closes closes its session; ssh2 does not say so by itself.
    channel.once('close', () => session.emit('close'));
  });
}

function runCommand(
  command: string,
  environment: Record<string, string>,
  channel: ServerChannel,
  connection: Connection,
  { options, home, user, mark, running }: Site,
): ChildProcess {
  const [shell, ...before] = options.shell ?? ['/bin/sh', '-c'];
  if (options.noise?.stdout !== undefined) channel.write(options.noise.stdout);
  if (options.noise?.stderr !== undefined) channel.stderr.write(options.noise.stderr);
  const child = spawn(shell, [...before, command], {
    cwd: home,
    env: {
      PATH: process.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
      HOME: home,
      USER: user,
      LOGNAME: user,
      SHELL: shell,
      ...environment,
      [hostMark]: mark,
    },
    // Its own session and process group, as sshd does it.
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  running.add(child);
  let printed = 0;
  child.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.length;
    if (options.breakAfterBytes !== undefined && printed >= options.breakAfterBytes) connection.end();
  });
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  channel.pipe(child.stdin);
  // The command may end without reading, and the client may leave without listening.
  for (const stream of [child.stdin, child.stdout, child.stderr, channel, channel.stderr]) stream.on('error', () => {});
  child.on('error', (error) => {
    channel.stderr.write(`${error.message}\n`);
    channel.exit(127);
    channel.end();
  });
  child.on('exit', (code, signal) => {
    running.delete(child);
    if (signal !== null) channel.exit(signal.replace(/^SIG/, ''), false, '');
    else channel.exit(code ?? 255);
  });
  child.on('close', () => channel.end());
  // As with sshd, a command outlives its connection; it only loses its ends of the pipes.
  channel.on('close', () => {
    child.stdin.destroy();
    child.stdout.destroy();
    child.stderr.destroy();
  });
  return child;
}

function forward(target: Socket, accept: () => ServerChannel, reject: () => void): void {
  target.once('error', reject);
  target.once('connect', () => {
    const channel = accept();
    target.off('error', reject);
    target.on('error', () => channel.destroy());
    channel.on('error', () => target.destroy());
    channel.on('close', () => target.destroy());
    target.pipe(channel).pipe(target);
  });
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, signal);
  } catch {
    // It has ended, or the name is no signal here.
  }
}
