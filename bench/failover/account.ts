import { readFileSync } from 'node:fs';
import { longestGap, overlapping, type Acknowledged } from '../../lab/commit-ledger';

/** What the clients were told in one trial, against what is there. */
export interface Account {
  readonly acknowledged: number;
  /** Written down and synced by a client as acknowledged, and not on the primary that is left. */
  readonly missing: number;
  /** Acknowledged by the old primary although sent after the new one had acknowledged its first. */
  readonly overlapping: number;
  /** The longest time in which no client with both addresses was told of a commit. */
  readonly gapMs: number;
}

/** Only those count for the gap: a probe that knows one address is no client of the endpoint. */
export const CLIENTS = 'client-';

export function readLedger(file: string): readonly Acknowledged[] {
  return parseLedger(readFileSync(file, 'utf8'));
}

export function parseLedger(text: string): readonly Acknowledged[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [id = '', by = '', sentAt, at] = line.split(' ');
      return { id, by, sentAt: Number(sentAt), at: Number(at) };
    });
}

export function accountOf(
  told: readonly Acknowledged[],
  there: ReadonlySet<string>,
  { old, now }: { readonly old: string; readonly now: string },
): Account {
  return {
    acknowledged: told.length,
    missing: told.filter(({ id }) => !there.has(id)).length,
    overlapping: overlapping(told, old, now).length,
    gapMs: longestGap(told.filter(({ id }) => id.startsWith(CLIENTS))),
  };
}
