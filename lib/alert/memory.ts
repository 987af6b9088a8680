import type { Matcher } from './matcher';
import type { Labels, Severity } from './report';

/** Severity decides how an incident travels: at once, when people are awake, once a day, or to those who guard. */
export type Lane = 'now' | 'waking' | 'digest' | 'security';

export type Reason = 'blip' | 'inhibited' | 'silenced' | 'flapping' | 'over before it was told';

/** What is known of one thing. Times are in ms; all but `heard` and `startedAt` are by the clock of the reducer. */
export interface Condition {
  target: string;
  labels: Labels;
  severity: Severity;
  evidence: string;
  problem?: string;
  wrong: boolean;
  /** Since when it has been wrong, or well. */
  since: number;
  /** When it began, by the word of its monitor. */
  startedAt: number;
  /** The time of the newest report. */
  heard: number;
  /** It has been wrong long enough to be told. */
  confirmed: boolean;
  /** When it was confirmed, lately: what comes too often is flapping. */
  openings: number[];
  flapping: boolean;
  /** Why it was not told, as far as that was said in this episode. */
  hushed: Reason[];
  /** How long it must be wrong before it is told, where its monitor asked for longer than usual. */
  waitMs?: number;
  /** The incident it is a member of. */
  incident?: number;
}

export interface Acknowledgement {
  readonly by: string;
  readonly why: string;
  readonly at: number;
  /** Absent: until the incident is over. */
  readonly until?: number;
}

export interface Incident {
  number: number;
  group: string;
  severity: Severity;
  openedAt: number;
  /** Fingerprints of what it is about; none is added after it was told. */
  members: string[];
  /** Fingerprints of what is wrong because of a member. */
  effects: string[];
  told?: { at: number; lastAt: number; repeats: number };
  /** From when the time to an escalation counts. */
  waitingSince: number;
  escalations: number;
  acknowledged?: Acknowledgement;
  /** Since when all members have been well. */
  clearedAt?: number;
}

export interface Silence {
  readonly id: number;
  readonly matchers: readonly Matcher[];
  readonly by: string;
  readonly why: string;
  readonly from: number;
  readonly until: number;
}

/** Everything that must outlive an execution. It is JSON as it stands. */
export interface AlertMemory {
  schema: 1;
  /** The latest time the reducer has seen: its clock never goes back. */
  now: number;
  nextNumber: number;
  nextSuppressed: number;
  /** By fingerprint. */
  conditions: Record<string, Condition>;
  /** The newest report of what is well and forgotten otherwise, so that a late one does not wake it. */
  heard: Record<string, number>;
  incidents: Incident[];
  silences: Silence[];
  /** The digest that went out last. */
  digestAt: number;
}

export function emptyMemory(now: number, digestAt: number): AlertMemory {
  return {
    schema: 1,
    now,
    nextNumber: 1,
    nextSuppressed: 1,
    conditions: {},
    heard: {},
    incidents: [],
    silences: [],
    digestAt,
  };
}
