import { Failure } from '../failure';
import type { Matcher } from './matcher';
import type { AlertMemory, Condition } from './memory';
import { hush } from './hush';
import type { Message } from './message';
import { fingerprintOf, type Report } from './report';
import type { AlertSettings } from './settings';
import { settle } from './settle';

export type AlertEvent =
  | { readonly kind: 'reports'; readonly reports: readonly Report[] }
  /** Time has passed. */
  | { readonly kind: 'tick' }
  | {
      readonly kind: 'acknowledge';
      readonly incident: number;
      readonly by: string;
      readonly why: string;
      readonly until?: number;
    }
  | {
      readonly kind: 'silence';
      readonly matchers: readonly Matcher[];
      readonly by: string;
      readonly why: string;
      readonly until: number;
    }
  | { readonly kind: 'lift silence'; readonly id: number };

export interface Reduced {
  readonly memory: AlertMemory;
  readonly messages: readonly Message[];
}

/** How long the time of the newest report of something well is remembered. Reports may be late by this much. */
export const LATE_MS = 3_600_000;

/**
 * What was known, and what happened: what is known now, and what has to be said. Pure. The time is the caller's, and
 * never goes back. What has been said is part of what is known, so nothing is said twice.
 */
export function reduceAlerts(before: AlertMemory, event: AlertEvent, now: number, settings: AlertSettings): Reduced {
  const memory = structuredClone(before);
  memory.now = Math.max(before.now, now);
  const messages: Message[] = [];
  apply(memory, event, messages);
  settle(memory, settings, messages);
  forget(memory, settings);
  return { memory, messages };
}

function apply(memory: AlertMemory, event: AlertEvent, messages: Message[]): void {
  switch (event.kind) {
    case 'reports':
      // Within one batch the time of the reports counts, not their order.
      for (const report of [...event.reports].sort((a, b) => a.time - b.time)) hear(memory, report, messages);
      return;
    case 'tick':
      return;
    case 'acknowledge': {
      const incident = memory.incidents.find(({ number }) => number === event.incident);
      if (incident === undefined) throw noSuch('incident', event.incident);
      const { by, why, until } = event;
      incident.acknowledged = { by, why, at: memory.now, ...(until !== undefined && { until }) };
      return;
    }
    case 'silence': {
      const { matchers, by, why, until } = event;
      memory.silences.push({ id: memory.nextNumber, matchers, by, why, from: memory.now, until });
      memory.nextNumber += 1;
      return;
    }
    case 'lift silence': {
      const rest = memory.silences.filter(({ id }) => id !== event.id);
      if (rest.length === memory.silences.length) throw noSuch('silence', event.id);
      memory.silences = rest;
    }
  }
}

function hear(memory: AlertMemory, report: Report, messages: Message[]): void {
  const fingerprint = fingerprintOf(report);
  // A monitor whose clock is ahead must not make its next reports look old.
  const time = Math.min(report.time, memory.now);
  const known = memory.conditions[fingerprint];
  const wrong = report.status === 'wrong';
  if (known === undefined) {
    const heard = memory.heard[fingerprint];
    if (!wrong) memory.heard[fingerprint] = Math.max(heard ?? time, time);
    else if (heard === undefined || time >= heard) {
      memory.conditions[fingerprint] = begin(report, time, memory.now);
    }
    return;
  }
  // Of two reports of one moment the bad news is believed, whichever came first.
  if (time < known.heard || (time === known.heard && known.wrong && !wrong)) return;
  known.heard = time;
  if (!known.wrong && !wrong) return;
  if (known.wrong && !wrong) {
    if (!known.confirmed && known.incident === undefined) hush(memory, fingerprint, known, 'blip', messages);
    known.wrong = false;
    known.since = memory.now;
    return;
  }
  const { severity, evidence, problem } = report;
  Object.assign(known, { severity, evidence });
  if (problem !== undefined) known.problem = problem;
  if (report.waitMs === undefined) delete known.waitMs;
  else known.waitMs = report.waitMs;
  if (known.wrong) return;
  Object.assign(known, {
    wrong: true,
    since: memory.now,
    startedAt: report.startedAt ?? time,
    confirmed: false,
    hushed: [],
  });
}

function begin(
  { target, labels, severity, evidence, problem, startedAt, waitMs }: Report,
  time: number,
  now: number,
): Condition {
  return {
    target,
    labels,
    severity,
    evidence,
    ...(problem !== undefined && { problem }),
    ...(waitMs !== undefined && { waitMs }),
    wrong: true,
    since: now,
    startedAt: startedAt ?? time,
    heard: time,
    confirmed: false,
    openings: [],
    flapping: false,
    hushed: [],
  };
}

/** What is well, in no incident and no flapper is only remembered by the time of its newest report, and not for ever. */
function forget(memory: AlertMemory, { flapping }: AlertSettings): void {
  const needed = new Set(memory.incidents.flatMap(({ members, effects }) => [...members, ...effects]));
  const kept = Object.entries(memory.conditions).filter(([fingerprint, { wrong, openings, heard }]) => {
    const recent = openings.some((at) => memory.now - at < flapping.windowMs);
    if (wrong || recent || needed.has(fingerprint)) return true;
    memory.heard[fingerprint] = heard;
    return false;
  });
  memory.conditions = Object.fromEntries(kept);
  memory.heard = Object.fromEntries(
    Object.entries(memory.heard).filter(
      ([fingerprint, heard]) => !(fingerprint in memory.conditions) && memory.now - heard < LATE_MS,
    ),
  );
}

function noSuch(what: 'incident' | 'silence', number: number): Failure {
  return new Failure({
    code: `alert_unknown_${what}`,
    subject: `${what} ${number}`,
    message: `There is no open ${what} ${number}`,
    nextStep: `It may be over by now. List what is open, and use its number.`,
  });
}
