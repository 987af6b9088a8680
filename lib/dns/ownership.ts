import { createHash } from 'node:crypto';
import { Failure } from '../failure';
import type { Capabilities } from './provider';
import type { RecordFields } from './record';
import { typeOf, writeRdata } from './value';

/*
 * A record is ours when it says so. Where records have comments, the comment begins with the mark; elsewhere a TXT
 * record below `_selfhost` claims it: by name, type and a hash of the content, so that of two records of one name only
 * the right one is ours.
 */

const MARK = 'managed-by=selfhost owner=';
const OWNER = /^[a-z0-9][a-z0-9._-]{0,31}$/u;
const CLAIM_LABEL = '_selfhost';

export function checkOwner(owner: string): string {
  if (OWNER.test(owner)) return owner;
  throw new Failure({
    code: 'dns_owner_invalid',
    subject: `owner ${owner.slice(0, 40)}`,
    message: 'The owner of DNS records is up to 32 lower-case letters, digits, dots, dashes and underscores',
    nextStep: 'Give a short name that stays the same, such as the name of this n8n.',
  });
}

/** A comment as the provider keeps it, taken apart. */
export interface ReadComment {
  readonly owner?: string;
  /** The user's part. */
  readonly text: string;
}

export function readComment(comment: string): ReadComment {
  if (!comment.startsWith(MARK)) return { text: comment };
  const end = comment.indexOf(' | ');
  const owner = comment.slice(MARK.length, end === -1 ? undefined : end);
  if (!OWNER.test(owner)) return { text: comment };
  return { owner, text: end === -1 ? '' : comment.slice(end + 3) };
}

export function writeComment(owner: string, text: string): string {
  return text === '' ? `${MARK}${owner}` : `${MARK}${owner} | ${text}`;
}

export function looksMarked(text: string): boolean {
  return text.startsWith(MARK);
}

type Claimable = Pick<RecordFields, 'name' | 'value'>;

export function isClaimName(name: string): boolean {
  return name.startsWith(`${CLAIM_LABEL}.`);
}

export function claimName(name: string): string {
  return `${CLAIM_LABEL}.${name.replace(/^\*\./u, '_any.')}`;
}

export function claimText(owner: string, record: Claimable): string {
  const hash = createHash('sha256').update(writeRdata(record.value)).digest('hex').slice(0, 20);
  return `${MARK}${owner} type=${typeOf(record.value)} content=${hash}`;
}

/** Whose a record is, if anybody's that we know of. */
export type OwnerOf = (record: RecordFields) => string | undefined;

export function ownership(observed: readonly RecordFields[], capabilities: Pick<Capabilities, 'comments'>): OwnerOf {
  if (capabilities.comments) return (record) => readComment(record.comment).owner;
  const claims = new Map<string, string>();
  for (const { name, value } of observed) {
    if (value.type !== 'TXT' || !isClaimName(name) || !value.data.text.startsWith(MARK)) continue;
    const [owner = '', ...rest] = value.data.text.slice(MARK.length).split(' ');
    claims.set(`${name} ${rest.join(' ')}`, owner);
  }
  return (record) => {
    if (isClaimName(record.name)) return claimOwner(record);
    const [, ...rest] = claimText('-', record).slice(MARK.length).split(' ');
    return claims.get(`${claimName(record.name)} ${rest.join(' ')}`);
  };
}

function claimOwner({ value }: RecordFields): string | undefined {
  if (value.type !== 'TXT' || !value.data.text.startsWith(MARK)) return undefined;
  return value.data.text.slice(MARK.length).split(' ')[0];
}
