import { Failure } from '../failure';
import { isObject, parseJson } from '../json';

export type Verdict = 'ok' | 'degraded' | 'failed';

export interface SourceReport {
  readonly source: string;
  /** The name of this backup at every destination; empty when it got none. */
  readonly name: string;
  readonly status: Verdict;
  readonly sentence: string;
  readonly copies: readonly { readonly destination: string; readonly copy: 'proven' | 'unproven' | 'missing' }[];
}

export interface BackupReport {
  readonly run: string;
  readonly status: Verdict;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly sources: readonly SourceReport[];
  readonly destinations: readonly { readonly destination: string; readonly failure: string | null }[];
  /** The destinations that failed can still be filled from the ciphertext on the host. */
  readonly retryFromSpool: boolean;
  /** Whether any destination keeps its copies from the credentials that wrote them. */
  readonly undeletableCopy: boolean;
}

/** The report in a run's output: its last line. Undefined while, or because, there is none. */
export function findReport(output: string): BackupReport | undefined {
  const line = output.split('\n').findLast((each) => each.startsWith('report '));
  return line === undefined ? undefined : parseReport(line.slice('report '.length));
}

function parseReport(text: string): BackupReport {
  const value = parseJson(text);
  if (!isObject(value)) throw unreadable();
  const { run, status, startedAt, finishedAt, sources, destinations, retryFromSpool, undeletableCopy } = value;
  if (
    typeof run !== 'string' ||
    !isVerdict(status) ||
    typeof startedAt !== 'string' ||
    typeof finishedAt !== 'string' ||
    !Array.isArray(sources) ||
    !Array.isArray(destinations) ||
    typeof retryFromSpool !== 'boolean' ||
    typeof undeletableCopy !== 'boolean'
  ) {
    throw unreadable();
  }
  return {
    run,
    status,
    startedAt,
    finishedAt,
    sources: sources.map(parseSource),
    destinations: destinations.map((each: unknown) => {
      if (!isObject(each) || typeof each.destination !== 'string') throw unreadable();
      const { destination, failure } = each;
      if (failure !== null && typeof failure !== 'string') throw unreadable();
      return { destination, failure };
    }),
    retryFromSpool,
    undeletableCopy,
  };
}

function parseSource(value: unknown): SourceReport {
  if (!isObject(value)) throw unreadable();
  const { source, name, status, sentence, copies } = value;
  if (
    typeof source !== 'string' ||
    typeof name !== 'string' ||
    !isVerdict(status) ||
    typeof sentence !== 'string' ||
    !Array.isArray(copies)
  )
    throw unreadable();
  return {
    source,
    name,
    status,
    sentence,
    copies: copies.map((each: unknown) => {
      if (!isObject(each) || typeof each.destination !== 'string') throw unreadable();
      const { destination, copy } = each;
      if (copy !== 'proven' && copy !== 'unproven' && copy !== 'missing') throw unreadable();
      return { destination, copy };
    }),
  };
}

function isVerdict(value: unknown): value is Verdict {
  return value === 'ok' || value === 'degraded' || value === 'failed';
}

function unreadable(): Failure {
  return new Failure({
    code: 'backup_report_unreadable',
    subject: 'the report of a backup run',
    message: 'The report of the backup run cannot be read, so its outcome is not known',
    nextStep: 'Read the log of the job on the host, and verify the destinations.',
  });
}
