import type { Creation, Deletion } from './provider';
import { AUTO_TTL, setKey, type ObservedRecord, type RecordFields } from './record';
import { claimName, claimText, isClaimName, looksMarked } from './ownership';
import type { KnownValue } from './value';

/** Which claims have to come and go, where ownership is kept in TXT records, so that exactly `owned` is claimed. */
export function settleClaims(
  observed: readonly ObservedRecord[],
  owned: readonly RecordFields[],
  owner: string,
  ttl: number = AUTO_TTL,
): { readonly create: readonly Creation[]; readonly delete: readonly Deletion[] } {
  const needed = new Map(owned.map((record) => [claimKey(claimName(record.name), claimText(owner, record)), record]));
  const obsolete: Deletion[] = [];
  for (const record of observed) {
    const text = claimOf(record);
    if (text === undefined || !text.includes(` owner=${owner} `)) continue;
    if (!needed.delete(claimKey(record.name, text))) obsolete.push({ kind: 'delete', record });
  }
  const create = [...needed.values()].map((record): Creation => {
    const value: KnownValue = { type: 'TXT', data: { text: claimText(owner, record) } };
    return {
      kind: 'create',
      record: { name: claimName(record.name), value, ttl, proxied: false, comment: '', tags: [], settings: {} },
    };
  });
  return { create, delete: obsolete };
}

/** The text of a claim, of anybody; undefined for all other records. */
export function claimOf({ name, value }: Pick<RecordFields, 'name' | 'value'>): string | undefined {
  return value.type === 'TXT' && isClaimName(name) && looksMarked(value.data.text) ? value.data.text : undefined;
}

export function isClaim(record: Pick<RecordFields, 'name' | 'value'>): boolean {
  return claimOf(record) !== undefined;
}

/** The set that a claim speaks about, in the form of setKey. */
export function claimedSet(record: Pick<RecordFields, 'name' | 'value'>): string {
  const type = / type=(\S+) /u.exec(claimOf(record) ?? '')?.[1];
  if (type === undefined) return setKey(record);
  return `${record.name.replace(/^_selfhost\./u, '').replace(/^_any\./u, '*.')} ${type}`;
}

function claimKey(name: string, text: string): string {
  return `${name} ${text}`;
}
