import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

/** Stands in rclone's source for everybody to read: obscuring keeps passwords from eyes, not from people who look. */
const KEY = Buffer.from('9c935b48730a554d6bfd7c63c886a92bd390198eb8128afbf4de162b8b95f638', 'hex');
const CIPHER = 'aes-256-ctr';
const IV_BYTES = 16;

/** As `rclone obscure` writes a password into its configuration. */
export function obscure(password: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, KEY, iv);
  return Buffer.concat([iv, cipher.update(password, 'utf8'), cipher.final()]).toString('base64url');
}

/** The password behind it, or undefined for what rclone never wrote: most likely the password itself. */
export function reveal(obscured: string): string | undefined {
  if (!/^[A-Za-z0-9_-]+$/.test(obscured)) return undefined;
  const bytes = Buffer.from(obscured, 'base64url');
  if (bytes.length <= IV_BYTES) return undefined;
  const decipher = createDecipheriv(CIPHER, KEY, bytes.subarray(0, IV_BYTES));
  const plain = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES)), decipher.final()]);
  const text = plain.toString('utf8');
  // A wrong guess decrypts to noise, which is hardly ever text.
  return Buffer.from(text, 'utf8').equals(plain) && !/\p{Cc}/u.test(text) ? text : undefined;
}
