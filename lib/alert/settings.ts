import type { Hours } from './hours';
import { parseMatchers, type Matcher } from './matcher';

/** While something that matches `cause` is wrong, what matches `effect` and has the same values of `equal` is muted. */
export interface Inhibition {
  readonly cause: readonly Matcher[];
  readonly effect: readonly Matcher[];
  readonly equal: readonly string[];
}

export interface AlertSettings {
  /**
   * How long something must be wrong before it is told. In this time blips pass, causes are found, and companions of
   * the same group are collected.
   */
  readonly waitMs: number;
  /** How long it must be well before it counts as over. */
  readonly clearMs: number;
  /** How long the effects of a cause may take to recover after it, before they are told by themselves. */
  readonly recoveryMs: number;
  /** Things with the same values of these labels are told together. */
  readonly groupBy: readonly string[];
  /** What began this many times within the window stays one incident until it has been well for quietMs. */
  readonly flapping: { readonly times: number; readonly windowMs: number; readonly quietMs: number };
  /** How long after it was told an incident that nobody acknowledged is escalated, one level after the other. */
  readonly escalateAfterMs: readonly number[];
  /** How often an incident that nobody acknowledged is told again. 0: never. */
  readonly repeatMs: number;
  readonly inhibitions: readonly Inhibition[];
  readonly hours: Hours;
  /** A message waits to be confirmed, and is given again until it is. False: it is given once, whatever becomes of it. */
  readonly confirmed: boolean;
  /** How long an execution has to send a message and confirm it; twice as long after each further attempt. */
  readonly patienceMs: number;
}

/** A host that is down mutes what runs on it, a node its pods. */
export const USUAL_INHIBITIONS: readonly Inhibition[] = [
  { cause: parseMatchers('kind=host'), effect: parseMatchers('kind!=host'), equal: ['host'] },
  { cause: parseMatchers('kind=node'), effect: parseMatchers('kind=pod'), equal: ['node'] },
];

const MINUTE = 60_000;

export const USUAL_SETTINGS: AlertSettings = {
  waitMs: 30_000,
  clearMs: MINUTE,
  recoveryMs: 10 * MINUTE,
  groupBy: ['host'],
  flapping: { times: 4, windowMs: 60 * MINUTE, quietMs: 15 * MINUTE },
  escalateAfterMs: [15 * MINUTE, 60 * MINUTE],
  repeatMs: 4 * 60 * MINUTE,
  inhibitions: USUAL_INHIBITIONS,
  hours: { zone: 'UTC', from: 8 * 60, to: 22 * 60, digest: 9 * 60 },
  confirmed: true,
  patienceMs: 2 * MINUTE,
};
