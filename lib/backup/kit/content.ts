import { randomInt, scryptSync, timingSafeEqual } from 'node:crypto';
import { canonicalJson } from '../../canonical-json';
import type { Json } from '../../json';
import { RESTORE_PAGE } from './restore-page';
import { packTar } from './tar';

/** All that a restore needs when n8n and the secret store are both gone. */
export interface KitContent {
  /** Whose it is: `the estate of kua.cl`. */
  readonly estate: string;
  /** The whole rclone.conf: every destination, and the crypt remote with its passwords. */
  readonly rcloneConf: string;
  /** Other keys and passwords by name: `infisical-encryption-key`, `n8n-encryption-key`. */
  readonly keys: Readonly<Record<string, string>>;
  /** Hosts, destinations, the newest backups: what the reader needs to know and does not remember. */
  readonly inventory: Json;
}

/** How the writer knows later, without being able to open a kit, whether it still says what it should. */
export interface Fingerprint {
  readonly salt: string;
  /** scrypt, because what is inside may be a short password. */
  readonly hash: string;
}

/** A word inside the kit. Who can tell it has opened the kit; there is no other proof that a human still can. */
export function drillWord(): string {
  const letters = 'abcdefghijkmnpqrstuvwxyz23456789';
  const group = () => Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join('');
  return [group(), group(), group()].join('-');
}

export function packKit(content: KitContent, word: string, at: Date): Buffer {
  const keys = Object.entries(content.keys).map(([name, value]) => ({ name: `keys/${name}`, content: value }));
  return packTar(
    [
      { name: 'READ-ME-FIRST.txt', content: readMe(content, word, at) },
      { name: 'rclone.conf', content: content.rcloneConf },
      { name: 'inventory.json', content: `${JSON.stringify(content.inventory, null, 2)}\n` },
      { name: 'restore-without-n8n.md', content: RESTORE_PAGE },
      ...keys,
    ],
    at,
  );
}

function readMe({ estate, keys }: KitContent, word: string, at: Date): string {
  const names = Object.keys(keys);
  return [
    `Recovery kit of ${estate}, made ${at.toISOString()}.`,
    '',
    'rclone.conf             every backup destination, and the passwords that decrypt the backups',
    'restore-without-n8n.md  how to restore, step by step; begin here',
    'inventory.json          hosts, destinations and the newest backups when this was made',
    ...(names.length === 0 ? [] : [`keys/                   ${names.join(', ')}`]),
    '',
    `The word for the drill is: ${word}`,
    '',
    'Whoever reads this can read every backup. Delete what you unpacked when you are done.',
    '',
  ].join('\n');
}

export function fingerprintOf(content: KitContent, salt: string): Fingerprint {
  const { estate, rcloneConf, keys, inventory } = content;
  const text = canonicalJson({ estate, rcloneConf, keys: { ...keys }, inventory, page: RESTORE_PAGE });
  return { salt, hash: hashOf(text, salt) };
}

export function isSame(one: Fingerprint, other: Fingerprint): boolean {
  return equal(one.hash, other.hash);
}

/** Whether this is the word of the kit, as a human types it. */
export function isWord(typed: string, { salt, hash }: Fingerprint): boolean {
  return equal(hashOf(typed.trim().toLowerCase(), salt), hash);
}

export function wordFingerprint(word: string, salt: string): Fingerprint {
  return { salt, hash: hashOf(word, salt) };
}

function hashOf(text: string, salt: string): string {
  return scryptSync(text, salt, 32, { N: 16_384, r: 8, p: 1 }).toString('hex');
}

function equal(one: string, other: string): boolean {
  return one.length === other.length && timingSafeEqual(Buffer.from(one), Buffer.from(other));
}
