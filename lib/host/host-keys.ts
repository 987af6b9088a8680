import { isIP, connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ServerHostKeyAlgorithm } from '../../vendor/ssh2';
import { Failure, messageOf } from '../failure';
import { cancelled, type Task } from '../task';
import type { Host, Pin } from './host';
import { fingerprintOf, keyTypeOf } from './pins';
import { openForward } from './sessions';

export interface ScannedKey {
  readonly keyType: string;
  readonly fingerprint: string;
  /** Null for kinds of key whose size this does not know. */
  readonly bits: number | null;
  /** One line for the host list of the credential. */
  readonly pinLine: string;
  /** Against what is pinned: the same, another key of a pinned kind, or one of a kind that is not pinned yet. */
  readonly state: 'same' | 'changed' | 'new';
}

export interface ScanSettings {
  /** Reaches it through this host, as the credential would. */
  readonly jump?: Host;
  /** How the host is called in the pin lines. Default: none, so that its address is its name. */
  readonly name?: string;
  /** What is pinned for it now. */
  readonly pins?: readonly Pin[];
}

const TIMEOUT_MS = 10_000;

/** A server with several keys shows the one that is asked for, so each kind is asked for by itself. */
const KINDS: readonly (readonly ServerHostKeyAlgorithm[])[] = [
  ['ssh-ed25519'],
  ['ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521'],
  // Old servers know an RSA key only by its old name; nothing is trusted here, so that may be asked for, too.
  ['rsa-sha2-512', 'rsa-sha2-256', 'ssh-rsa'],
];

/**
 * The host keys a server shows. It is left during the key exchange: no user name, key or password is sent. What comes
 * back is only what somebody at that address shows; compare it on the host itself before it is pinned.
 */
export async function scanHostKeys(
  address: string,
  port: number,
  { jump, name, pins = [] }: ScanSettings,
  task: Task,
): Promise<ScannedKey[]> {
  const place = formatPlace(address, port);
  const shown = (await Promise.all(KINDS.map((kind) => showKey({ address, port, place, jump }, kind, task)))).filter(
    (key) => key !== undefined,
  );
  if (shown.length === 0) {
    throw new Failure({
      code: 'host_keys_unknown',
      subject: place,
      message: `${place} offers no host key of a kind that can be used (ed25519, ecdsa, rsa)`,
      nextStep: 'Make it one on the host: ssh-keygen -t ed25519 -f /etc/ssh/ssh_host_ed25519_key',
    });
  }
  const keys = shown.map((key) => ({
    keyType: keyTypeOf(key) ?? 'unknown',
    fingerprint: fingerprintOf(key),
    bits: bitsOf(key),
  }));
  const anySame = keys.some((key) => isSame(pins, key));
  return keys.map((key) => ({
    ...key,
    pinLine: `${name === undefined ? '' : `${name}=`}${place} ${key.keyType} ${key.fingerprint}`,
    state: stateOf(pins, key, anySame),
  }));
}

function isSame(pins: readonly Pin[], key: { readonly keyType: string; readonly fingerprint: string }): boolean {
  return pins.some(
    ({ fingerprint, keyType }) => fingerprint === key.fingerprint && (keyType === undefined || keyType === key.keyType),
  );
}

function stateOf(
  pins: readonly Pin[],
  key: { readonly keyType: string; readonly fingerprint: string },
  anySame: boolean,
): ScannedKey['state'] {
  if (isSame(pins, key)) return 'same';
  if (pins.some(({ keyType }) => keyType === key.keyType)) return 'changed';
  // A bare fingerprint does not tell its kind: while none of the keys is it, any of them may have taken its place.
  return pins.some(({ keyType }) => keyType === undefined) && !anySame ? 'changed' : 'new';
}

interface Place {
  readonly address: string;
  readonly port: number;
  readonly place: string;
  readonly jump: Host | undefined;
}

/** The server's key of one kind; undefined when it has none. */
async function showKey(
  where: Place,
  serverHostKey: readonly ServerHostKeyAlgorithm[],
  task: Task,
): Promise<Buffer | undefined> {
  const { Client } = await import('../../vendor/ssh2');
  const limit = AbortSignal.timeout(TIMEOUT_MS);
  const signal = AbortSignal.any([task.signal, limit]);
  const early = () => (task.signal.aborted ? cancelled(`the scan of ${where.place}`) : silent(where));
  const { stream, release } = await openStream(where, { ...task, signal }).catch((error: unknown) => {
    throw signal.aborted ? early() : error;
  });
  const client = new Client();
  try {
    return await new Promise<Buffer | undefined>((resolve, reject) => {
      if (signal.aborted) reject(early());
      signal.addEventListener('abort', () => reject(early()), { once: true });
      client
        .on('error', (error) => {
          if (/no matching host key format/i.test(error.message)) resolve(undefined);
          else reject(notSsh(where, error));
        })
        .once('close', () => reject(notSsh(where, new Error('it closed the connection'))))
        .connect({
          sock: stream,
          // ssh2 wants a name; it would be sent only after the key exchange, which is never finished.
          username: 'nobody',
          algorithms: { serverHostKey: [...serverHostKey] },
          readyTimeout: TIMEOUT_MS,
          hostVerifier: (key: Buffer) => {
            resolve(Buffer.from(key));
            return false;
          },
        });
    });
  } finally {
    // ssh2 may still have an error to report about the handshake that was left.
    client.on('error', () => undefined);
    client.destroy();
    stream.destroy();
    release();
  }
}

async function openStream(where: Place, task: Task): Promise<{ stream: Duplex; release: () => void }> {
  const { address, port, jump } = where;
  if (jump !== undefined) {
    const { channel, release } = await openForward(jump, { host: address, port }, task);
    return { stream: channel, release };
  }
  const stream = await new Promise<Duplex>((resolve, reject) => {
    const socket = connectTcp({ host: address, port, signal: task.signal });
    socket.setNoDelay(true);
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', (error) => reject(unreachable(where, error)));
  });
  return { stream, release: () => undefined };
}

function unreachable({ place }: Place, error: NodeJS.ErrnoException): Failure {
  const reasons: Readonly<Record<string, string>> = {
    ECONNREFUSED: 'it refuses connections on that port',
    ENOTFOUND: 'its name cannot be resolved',
    EAI_AGAIN: 'its name cannot be resolved',
  };
  return new Failure({
    code: 'host_unreachable',
    subject: place,
    message: `${place} cannot be reached: ${reasons[error.code ?? ''] ?? messageOf(error)}`,
    nextStep: 'Is sshd running there, are the address and the port right, and does a firewall let this machine in?',
    cause: error,
  });
}

function silent(where: Place): Failure {
  return unreachable(where, new Error(`no answer within ${TIMEOUT_MS / 1000} s`));
}

function notSsh({ place }: Place, error: Error): Failure {
  return new Failure({
    code: 'host_keys_unreadable',
    subject: place,
    message: `${place} did not show a host key: ${messageOf(error)}`,
    nextStep:
      'Check that an SSH server listens there, and that it does not turn away this address (fail2ban, MaxStartups).',
    cause: error,
  });
}

/** As the host list wants it: IPv6 addresses in brackets. */
function formatPlace(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The size of a public key, read from its blob of length-prefixed fields. */
function bitsOf(key: Buffer): number | null {
  const type = keyTypeOf(key);
  if (type === 'ssh-ed25519') return 256;
  const curve = /^ecdsa-sha2-nistp(\d+)$/.exec(type ?? '')?.[1];
  if (curve !== undefined) return Number(curve);
  if (type !== 'ssh-rsa') return null;
  const exponentAt = 4 + key.readUInt32BE(0);
  const modulusAt = exponentAt + 4 + key.readUInt32BE(exponentAt);
  const modulus = key.subarray(modulusAt + 4, modulusAt + 4 + key.readUInt32BE(modulusAt));
  return BigInt(`0x${modulus.toString('hex') || '0'}`).toString(2).length;
}
