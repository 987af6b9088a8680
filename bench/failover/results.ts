import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { TimedStep } from '../../lib/postgres/replication/stopwatch';
import type { Account } from './account';

/** One trial, or one run in which nothing was to happen. Appended when it is over, so that a broken-off run keeps them. */
export interface Trial extends Account {
  readonly at: string;
  readonly commit: string;
  readonly section: string;
  readonly system: string;
  readonly fault: string;
  /** From the fault to the first commit that the new primary acknowledged to a client. */
  readonly writableMs: number | null;
  /** Acknowledged with a warning: they count for nobody. */
  readonly warned: number;
  readonly inDoubt: number;
  /** How long the power took to be off, where the failover had to wait for it. */
  readonly powerOffMs?: number;
  readonly rejoin?: { readonly method: string; readonly ms: number; readonly steps?: readonly TimedStep[] };
  /** What came that was not to come: a failover nobody needed, an old primary that took a write. */
  readonly wrong: readonly string[];
  readonly steps?: readonly TimedStep[];
  readonly load: number;
}

export interface Broken {
  readonly at: string;
  readonly section: string;
  readonly system: string;
  readonly fault: string;
  readonly why: string;
}

export interface Results {
  readonly trials: readonly Trial[];
  /** Trials that did not come to their end: they are part of the result. */
  readonly broken: readonly Broken[];
}

export function readResults(file: string): Results {
  if (!existsSync(file)) return { trials: [], broken: [] };
  return JSON.parse(readFileSync(file, 'utf8')) as Results;
}

export function addResult(file: string, one: Trial | Broken): void {
  const { trials, broken } = readResults(file);
  const next = 'why' in one ? { trials, broken: [...broken, one] } : { trials: [...trials, one], broken };
  writeFileSync(`${file}.new`, `${JSON.stringify(next, null, 1)}\n`);
  renameSync(`${file}.new`, file);
}
