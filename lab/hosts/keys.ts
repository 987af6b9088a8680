import { createHash } from 'node:crypto';
import { utils } from 'ssh2';
import type { Pin } from '../../lib/host/host';

export type KeyType = 'ed25519' | 'ecdsa' | 'rsa';

export interface KeyPair {
  readonly type: KeyType;
  /** OpenSSH format, encrypted when it was made with a passphrase. */
  readonly privateKey: string;
  /** One line as in authorized_keys and known_hosts: type and base64. */
  readonly publicKey: string;
}

/** A fresh key pair that has been tried: about one ed25519 key in 300 that ssh2 1.17 makes can't be read by anybody. */
export async function makeKey(type: KeyType, passphrase?: string): Promise<KeyPair> {
  for (let attempt = 1; attempt <= 5; attempt++) {
    const pair = await generate(type, passphrase);
    if (isUsable(pair, passphrase)) return pair;
  }
  throw new Error(`No usable ${type} key in five attempts`);
}

function generate(type: KeyType, passphrase: string | undefined): Promise<KeyPair> {
  const encryption = passphrase === undefined ? undefined : { passphrase, cipher: 'aes256-ctr', rounds: 4 };
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, pair: { private: string; public: string }) => {
      if (error) reject(error);
      else resolve({ type, privateKey: pair.private, publicKey: pair.public.trim() });
    };
    // 2048 bits are enough for a lab and take a tenth of the time of 3072.
    if (type === 'rsa') utils.generateKeyPair('rsa', { bits: 2048, ...encryption }, done);
    else if (type === 'ecdsa') utils.generateKeyPair('ecdsa', { bits: 256, ...encryption }, done);
    else utils.generateKeyPair('ed25519', encryption ?? {}, done);
  });
}

function isUsable({ privateKey, publicKey }: KeyPair, passphrase: string | undefined): boolean {
  const own = utils.parseKey(privateKey, passphrase);
  const known = utils.parseKey(publicKey);
  if (own instanceof Error || known instanceof Error) return false;
  const signature = own.sign('a lab key signs this');
  if (signature instanceof Error) return false;
  // ssh2 answers with an error object when it can't say, whatever its types promise.
  const verdict: unknown = known.verify('a lab key signs this', signature);
  return verdict === true;
}

/** The pin of a public key line, as ssh-keygen -l prints it. */
export function pinOf(publicKey: string): Required<Pin> {
  const [keyType, blob] = publicKey.split(' ');
  if (keyType === undefined || blob === undefined) throw new Error('A public key line has a type and a base64 part');
  const hash = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('base64').replace(/=+$/, '');
  return { keyType, fingerprint: `SHA256:${hash}` };
}
