import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client, ConnectConfig, ServerHostKeyAlgorithm } from '../../vendor/ssh2';
import { Failure, messageOf } from '../failure';
import { describeHost, type Host, type Pin } from './host';
import { fingerprintOf, keyTypeOf } from './pins';

const KEEPALIVE = { normal: { interval: 15_000, misses: 3 }, watchful: { interval: 1_000, misses: 2 } };
const CONNECT_TIMEOUT_MS = 10_000;
const LOGIN_TIMEOUT_MS = 20_000;

/** What the server showed before it was trusted; kept so that a refusal can tell its fingerprint. */
interface ShownKey {
  readonly fingerprint: string;
  readonly keyType: string;
}

export interface Connection {
  readonly client: Client;
  readonly transport: Duplex;
}

/** Opens one verified SSH connection. `through` is given when the host is reached through a jump host. */
export async function connect(host: Host, signal: AbortSignal, through?: Duplex): Promise<Connection> {
  const { Client } = await import('../../vendor/ssh2');
  const config = await clientConfig(host);
  const transport = through ?? (await openTcp(host, signal));
  let shown: ShownKey | undefined;

  return new Promise<Connection>((resolve, reject) => {
    const client = new Client();
    const fail = (failure: Failure) => {
      signal.removeEventListener('abort', abort);
      client.destroy();
      transport.destroy();
      reject(failure);
    };
    const abort = () => {
      fail(unreachable(host, 'the attempt was given up'));
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener('abort', abort, { once: true });
    client
      .once('ready', () => {
        signal.removeEventListener('abort', abort);
        client.removeAllListeners('error');
        resolve({ client, transport });
      })
      // Kept for the life of the client while connecting: ssh2 may emit more than one error for one broken handshake.
      .on('error', (error) => {
        fail(explain(host, error, shown));
      })
      .once('close', () => {
        fail(explain(host, new Error('the connection was closed during the handshake'), shown));
      })
      .connect({
        ...config,
        sock: transport,
        hostVerifier: (key: Buffer) => {
          shown = { fingerprint: fingerprintOf(key), keyType: keyTypeOf(key) ?? 'unknown' };
          return isPinned(host.target.pins, shown);
        },
      });
  });
}

function isPinned(pins: readonly Pin[], shown: ShownKey): boolean {
  return pins.some(
    (pin) => pin.fingerprint === shown.fingerprint && (pin.keyType === undefined || pin.keyType === shown.keyType),
  );
}

async function clientConfig(host: Host): Promise<ConnectConfig> {
  const { login, user } = host.identity;
  const keepalive = host.watchful === true ? KEEPALIVE.watchful : KEEPALIVE.normal;
  const config: ConnectConfig = {
    username: user,
    readyTimeout: LOGIN_TIMEOUT_MS,
    keepaliveInterval: keepalive.interval,
    keepaliveCountMax: keepalive.misses,
  };
  const types = host.target.pins.map(({ keyType }) => keyType);
  if (types.length > 0 && types.every((type) => type !== undefined)) {
    config.algorithms = { serverHostKey: types.flatMap(algorithmsOf) };
  }
  switch (login.method) {
    case 'key':
      await checkPrivateKey(login.privateKey, login.passphrase);
      return { ...config, privateKey: login.privateKey, passphrase: login.passphrase };
    case 'password':
      return { ...config, password: login.password, tryKeyboard: false };
    case 'agent':
      return { ...config, agent: login.socket };
  }
}

/** Only the pinned kinds of key are asked for, so that a server with several shows one that can be verified. */
function algorithmsOf(keyType: string): ServerHostKeyAlgorithm[] {
  return keyType === 'ssh-rsa' ? ['rsa-sha2-512', 'rsa-sha2-256'] : [keyType as ServerHostKeyAlgorithm];
}

async function checkPrivateKey(privateKey: string, passphrase: string | undefined): Promise<void> {
  const { utils } = await import('../../vendor/ssh2');
  const key = utils.parseKey(privateKey, passphrase);
  if (!(key instanceof Error)) return;
  const encrypted = /encrypted|passphrase|integrity/i.test(key.message);
  throw new Failure({
    code: 'private_key_unreadable',
    subject: 'Host credential',
    message: encrypted
      ? 'The private key is encrypted and the passphrase does not open it'
      : 'The private key of the credential cannot be read',
    nextStep: encrypted
      ? 'Fill in the right passphrase in the Host credential.'
      : 'Paste the whole private key file, from -----BEGIN to -----END, in OpenSSH or PEM format. PuTTY keys must be exported as OpenSSH.',
  });
}

function openTcp(host: Host, signal: AbortSignal): Promise<Duplex> {
  const { address, port } = host.target;
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port, signal });
    // Without it every request waits for the answer to the one before: 90 ms a command instead of 5.
    socket.setNoDelay(true);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(unreachable(host, `no answer within ${CONNECT_TIMEOUT_MS / 1000} s`));
    }, CONNECT_TIMEOUT_MS);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      resolve(socket);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      reject(explain(host, error, undefined));
    });
  });
}

function explain(host: Host, error: Error & { code?: string; level?: string }, shown: ShownKey | undefined): Failure {
  if (shown !== undefined && !isPinned(host.target.pins, shown)) return keyRefused(host, shown);
  if (/no matching host key format/i.test(error.message)) {
    return new Failure({
      code: 'host_key_mismatch',
      subject: describeHost(host),
      message: `${describeHost(host)} no longer offers a host key of the pinned kind; nothing was sent to it`,
      nextStep: 'Scan its keys with the Host Key operation, compare them on the host itself, and pin the new one.',
    });
  }
  const { login } = host.identity;
  if (error.level === 'agent' && login.method === 'agent') {
    return new Failure({
      code: 'agent_unreachable',
      subject: `SSH agent ${login.socket}`,
      message: `The SSH agent at ${login.socket} does not answer: ${error.message}`,
      nextStep: 'Check that the agent runs on the n8n server and that the user of n8n may open its socket.',
    });
  }
  if (error.level === 'client-authentication' || /authentication methods failed/i.test(error.message)) {
    return new Failure({
      code: 'login_refused',
      subject: describeHost(host),
      message: `${describeHost(host)} refused the login of user ${host.identity.user}`,
      nextStep: `Check the user and the ${host.identity.login.method} in the credential, and that the host accepts it (~/.ssh/authorized_keys).`,
    });
  }
  switch (error.code) {
    case 'ECONNREFUSED':
      return unreachable(host, 'it refuses connections on that port', 'Is sshd running there, and is the port right?');
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return unreachable(
        host,
        'its name cannot be resolved',
        'Check the name in the host list, or pin it with its IP address.',
      );
    default:
      return unreachable(host, error.message, undefined, true);
  }
}

function keyRefused(host: Host, shown: ShownKey): Failure {
  const { name, address, port, pins } = host.target;
  const where = port === 22 ? address : parseable(address, port);
  const details = {
    fingerprint: shown.fingerprint,
    keyType: shown.keyType,
    pinned: pins.map(({ fingerprint }) => fingerprint),
  };
  if (pins.length === 0) {
    return new Failure({
      code: 'host_key_not_pinned',
      subject: describeHost(host),
      message: `${describeHost(host)} is not pinned; it shows ${shown.keyType} ${shown.fingerprint}; nothing was sent to it`,
      nextStep: `Compare that fingerprint on the host itself (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add to the credential: ${name === address ? '' : `${name}=`}${where} ${shown.keyType} ${shown.fingerprint}`,
      details,
    });
  }
  return new Failure({
    code: 'host_key_mismatch',
    subject: describeHost(host),
    message: `${describeHost(host)} shows another host key than the pinned one (${shown.keyType} ${shown.fingerprint}); nothing was sent to it`,
    nextStep:
      'If the host was reinstalled, compare the new fingerprint on its console and pin it. If not, somebody may stand between: do not connect.',
    details,
  });
}

function parseable(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** `passing`: nothing speaks against it working a moment later. */
export function unreachable(
  host: Host,
  why: string,
  hint = 'Check that the host is up and reachable from the n8n server.',
  passing = false,
): Failure {
  return new Failure({
    code: 'host_unreachable',
    subject: describeHost(host),
    message: `${describeHost(host)} cannot be reached: ${why}`,
    nextStep: hint,
    details: { passing },
  });
}

/** The failure of everything that was under way when a connection broke. */
export function connectionLost(host: Host, error: unknown): Failure {
  return new Failure({
    code: 'connection_lost',
    subject: describeHost(host),
    message: `The connection to ${describeHost(host)} broke${error === undefined ? '' : `: ${messageOf(error)}`}`,
    nextStep: 'What was running there may still run or may have finished. Look before you repeat it.',
  });
}
