import { randomBytes } from 'node:crypto';
import { type NewHostKey, publicKeyOf } from '../host/new-host-key';
import { refuse } from './checks';

const mostBytes = 32 * 1024;
/** What cloud-init tells its kinds of user data by. */
const known = /^(#cloud-config|#cloud-boothook|#include|#part-handler|#!|## template: ?jinja)/;
const mime = /^(content-type|mime-version):/i;

export function checkUserData(server: string, userData: string): void {
  const bytes = Buffer.byteLength(userData);
  if (bytes <= mostBytes) return;
  throw refuse(
    `server ${server}`,
    `The user data has ${bytes} bytes, and at most ${mostBytes} are possible`,
    'Let it fetch the rest from elsewhere.',
  );
}

/**
 * User data that gives a server this host key, and no other, before its sshd starts. What the user wants done stands
 * beside it as a part of its own, untouched: cloud-init joins the parts, and nobody has to understand their YAML.
 */
export function withHostKey(userData: string | undefined, key: NewHostKey): string {
  // JSON is YAML, so there is nothing to quote.
  const config = {
    ssh_deletekeys: true,
    ssh_keys: { ed25519_private: key.privateKey, ed25519_public: publicKeyOf(key.raw) },
  };
  const ours = `#cloud-config\n${JSON.stringify(config, null, 1)}\n`;
  if (userData === undefined || userData.trim() === '') return ours;
  checkFits(userData);
  const boundary = `selfhost-${randomBytes(12).toString('hex')}`;
  // Ours comes last: where both parts say something about host keys, the later one counts.
  const parts = [mime.test(userData) ? userData : part(userData), part(ours)];
  const head = `Content-Type: multipart/mixed; boundary="${boundary}"\nMIME-Version: 1.0\n`;
  return [head, ...parts.map((one) => `--${boundary}\n${one}`), `--${boundary}--\n`].join('\n');
}

/** Its kind is told from its first line, as it would be without us. */
function part(content: string): string {
  const lines =
    Buffer.from(content)
      .toString('base64')
      .match(/.{1,76}/g) ?? [];
  return ['Content-Type: text/plain; charset="utf-8"', 'Content-Transfer-Encoding: base64', '', ...lines].join('\n');
}

function checkFits(userData: string): void {
  if (!known.test(userData) && !mime.test(userData)) {
    throw refuse(
      'user data',
      'The user data begins with nothing that cloud-init knows, so it would be ignored',
      'Begin it with #cloud-config, #!/bin/sh or another first line of cloud-init, with nothing before it.',
    );
  }
  if (/^ssh_keys\s*:/m.test(userData)) {
    throw refuse(
      'user data',
      'The user data brings host keys (ssh_keys), and so would the option Host Key',
      'Take ssh_keys out of the user data, or switch the option Host Key off.',
    );
  }
}
