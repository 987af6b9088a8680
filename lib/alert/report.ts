import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import { Failure } from '../failure';
import { isObject } from '../json';

export const SEVERITIES = ['critical', 'warning', 'info', 'security'] as const;
export type Severity = (typeof SEVERITIES)[number];

export type Labels = Readonly<Record<string, string>>;

/** What a monitor says about one thing at one time. */
export interface Report {
  /** As people call it: `photos.kua.cl`, `postgres on bruno`. */
  readonly target: string;
  readonly labels: Labels;
  readonly severity: Severity;
  readonly status: 'wrong' | 'ok';
  /** What was seen. */
  readonly evidence: string;
  /** Completes a sentence that begins with the target: `is unreachable`. */
  readonly problem?: string;
  /** When it was seen, in ms. A report that is older than the newest one of its target changes nothing. */
  readonly time: number;
  /** When it began, where the monitor knows it better. */
  readonly startedAt?: number;
  /** How long it must be wrong before it is told, where that is longer than the settings say. */
  readonly waitMs?: number;
}

/** Long evidence belongs where it was gathered; what is kept here is read on a telephone. */
const LONGEST_EVIDENCE = 500;
const LONGEST_NAME = 200;
const MOST_LABELS = 40;

/** The same target with the same labels is the same thing, whatever its severity and its evidence say now. */
export function fingerprintOf({ target, labels }: Pick<Report, 'target' | 'labels'>): string {
  return createHash('sha256').update(canonicalJson({ target, labels })).digest('hex').slice(0, 16);
}

const MOST_REPORTS = 10_000;

/** Reads one report or a list of them. A monitor that could not look has said nothing. */
export function parseReports(input: unknown, now: number): readonly Report[] {
  const all: readonly unknown[] = Array.isArray(input) ? input : [input];
  if (all.length > MOST_REPORTS) throw notAReport(`there are ${all.length} at once, and ${MOST_REPORTS} are allowed`);
  return all.filter((one) => !isObject(one) || one['status'] !== 'unknown').map((one) => parseReport(one, now));
}

/** Reads a report of any source. */
export function parseReport(input: unknown, now: number): Report {
  if (!isObject(input)) throw notAReport('it is not an object');
  const { target, labels = {}, severity = 'warning', status, evidence = '', problem, time = now, waitSeconds } = input;
  if (typeof target !== 'string' || target.trim() === '') throw notAReport('it has no target');
  if (status !== 'wrong' && status !== 'ok')
    throw notAReport(`the status of ${shorten(target, 60)} is not wrong or ok`);
  const known = SEVERITIES.find((one) => one === severity);
  if (known === undefined) {
    throw notAReport(`the severity of ${shorten(target, 60)} is not one of ${SEVERITIES.join(', ')}`);
  }
  return {
    target: shorten(target.trim(), LONGEST_NAME),
    labels: parseLabels(labels, target),
    severity: known,
    status,
    evidence: typeof evidence === 'string' ? shorten(evidence.trim(), LONGEST_EVIDENCE) : '',
    ...(typeof problem === 'string' && problem.trim() !== '' && { problem: shorten(problem.trim(), LONGEST_NAME) }),
    time: parseTime(time, target),
    ...(waitSeconds !== undefined && { waitMs: parseWait(waitSeconds, target) }),
  };
}

function parseWait(seconds: unknown, target: string): number {
  if (typeof seconds === 'number' && seconds >= 0 && seconds <= 86_400) return Math.round(seconds * 1000);
  throw notAReport(`waitSeconds of ${shorten(target, 60)} is no number from 0 to 86400`);
}

function parseLabels(input: unknown, target: string): Labels {
  if (!isObject(input)) throw notAReport(`the labels of ${shorten(target, 60)} are not an object`);
  const entries = Object.entries(input);
  if (entries.length > MOST_LABELS) {
    throw notAReport(`${shorten(target, 60)} has ${entries.length} labels, and ${MOST_LABELS} are allowed`);
  }
  return Object.fromEntries(
    entries.map(([name, value]) => {
      if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') {
        throw notAReport(`the label ${shorten(name, 60)} of ${shorten(target, 60)} is not text`);
      }
      return [shorten(name, LONGEST_NAME), shorten(String(value), LONGEST_NAME)];
    }),
  );
}

function parseTime(time: unknown, target: string): number {
  const ms = typeof time === 'string' ? Date.parse(time) : time;
  if (typeof ms === 'number' && Number.isFinite(ms)) return Math.trunc(ms);
  throw notAReport(`the time of ${shorten(target, 60)} is not a time`);
}

/** Cuts between characters, never through one, and takes out halves that came in so that the text can be stored. */
export function shorten(text: string, longest: number): string {
  const whole = text.replace(/\p{Surrogate}/gu, '\ufffd');
  return whole.length <= longest ? whole : `${whole.slice(0, longest - 1).replace(/[\uD800-\uDBFF]$/, '')}…`;
}

function notAReport(why: string): Failure {
  return new Failure({
    code: 'alert_report_invalid',
    subject: 'a report',
    message: `A report cannot be used: ${why}`,
    nextStep: 'Give each report a target, a status (wrong or ok), and optionally labels, severity, evidence and time.',
  });
}
