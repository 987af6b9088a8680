import { isObject } from '../../lib/json';

/** The parts of user data, as cloud-init takes them apart; one alone is the only part. */
export function partsOf(userData: string): readonly string[] {
  const [, boundary] = /^Content-Type: multipart\/mixed; boundary="([^"]+)"\n/.exec(userData) ?? [];
  if (boundary === undefined) return [userData];
  const pieces = userData.split(`--${boundary}`).slice(1, -1);
  return pieces.map((piece) => {
    const [, head = '', body = ''] = /^\n([^]*?)\n\n([^]*)\n$/.exec(piece) ?? [];
    return /^content-transfer-encoding: base64$/im.test(head)
      ? Buffer.from(body, 'base64').toString('utf8')
      : `${head}\n\n${body}`;
  });
}

export interface HandedKeys {
  readonly deletesOthers: boolean;
  readonly privateKey: string;
  readonly publicKey: string;
}

/** The host key that the last part hands over. */
export function handedKeys(userData: string): HandedKeys {
  const last = partsOf(userData).at(-1) ?? '';
  const config: unknown = JSON.parse(last.replace(/^#cloud-config\n/, ''));
  const keys = isObject(config) ? config['ssh_keys'] : undefined;
  if (!isObject(config) || !isObject(keys)) throw new Error('The last part hands over no host keys');
  return {
    deletesOthers: config['ssh_deletekeys'] === true,
    privateKey: String(keys['ed25519_private']),
    publicKey: String(keys['ed25519_public']),
  };
}
