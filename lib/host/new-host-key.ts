import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import { fingerprintOf } from './pins';

/** A host key that is made here, so that the host is known before anybody has talked to it. */
export interface NewHostKey {
  /** In OpenSSH's own format, as sshd reads it. A secret. */
  readonly privateKey: string;
  /** The 32 bytes of an ed25519 public key: all that is needed to know the host again. */
  readonly raw: Buffer;
}

const TYPE = 'ed25519';
const KEY_TYPE = `ssh-${TYPE}`;

export function newHostKey(): NewHostKey {
  const { d = '', x = '' } = generateKeyPairSync(TYPE).privateKey.export({ format: 'jwk' });
  const raw = Buffer.from(x, 'base64url');
  return { raw, privateKey: opensshPrivateKey(Buffer.from(d, 'base64url'), raw) };
}

/** The two forms in which a host list and a known_hosts file know the host. */
export function knownAs(raw: Buffer, name: string, address: string, port = 22) {
  const blob = publicBlob(raw);
  const fingerprint = fingerprintOf(blob);
  const key = publicKeyOf(raw);
  const place = `${isIP(address) === 6 ? `[${address}]` : address}:${port}`;
  return {
    keyType: KEY_TYPE,
    fingerprint,
    pinLine: `${name}=${place} ${KEY_TYPE} ${fingerprint}`,
    knownHosts: `${port === 22 ? address : `[${address}]:${port}`} ${key}`,
  };
}

/** `ssh-ed25519 AAAA…` */
export function publicKeyOf(raw: Buffer): string {
  return `${KEY_TYPE} ${publicBlob(raw).toString('base64')}`;
}

function publicBlob(raw: Buffer): Buffer {
  return Buffer.concat([field(KEY_TYPE), field(raw)]);
}

/** See PROTOCOL.key of OpenSSH; Node writes ed25519 keys only in a form that sshd does not read. */
function opensshPrivateKey(seed: Buffer, raw: Buffer): string {
  const check = randomBytes(4);
  const comment = field('');
  const inner = Buffer.concat([check, check, publicBlob(raw), field(Buffer.concat([seed, raw])), comment]);
  const padding = Buffer.from(Array.from({ length: (8 - (inner.length % 8)) % 8 }, (_, index) => index + 1));
  const one = Buffer.from([0, 0, 0, 1]);
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...[field('none'), field('none'), field(''), one],
    field(publicBlob(raw)),
    field(Buffer.concat([inner, padding])),
  ]);
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n');
}

function field(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}
