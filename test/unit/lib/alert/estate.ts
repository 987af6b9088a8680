import { fingerprintOf, type Report, type Severity } from '../../../../lib/alert/report';
import { emptyMemory, type AlertMemory } from '../../../../lib/alert/memory';
import type { Message } from '../../../../lib/alert/message';
import { reduceAlerts, type AlertEvent } from '../../../../lib/alert/reduce';
import { USUAL_SETTINGS, type AlertSettings } from '../../../../lib/alert/settings';
import { latestDigest } from '../../../../lib/alert/hours';

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const NOON = Date.parse('2026-01-31T12:00:00Z');

export interface Simulation {
  readonly memory: () => AlertMemory;
  readonly messages: Message[];
  readonly now: () => number;
  /** Lets time pass, with a tick every ten seconds. */
  readonly pass: (ms: number) => void;
  readonly happen: (event: AlertEvent) => void;
  readonly say: (...reports: readonly Partial<Report>[]) => void;
  /** What people get: everything but what was suppressed. */
  readonly told: () => readonly string[];
}

export function simulate(settings: AlertSettings = USUAL_SETTINGS, start = NOON): Simulation {
  let now = start;
  let memory = emptyMemory(now, latestDigest(settings.hours, now));
  const messages: Message[] = [];
  const happen = (event: AlertEvent) => {
    const reduced = reduceAlerts(memory, event, now, settings);
    // It must survive being stored.
    memory = JSON.parse(JSON.stringify(reduced.memory)) as AlertMemory;
    messages.push(...reduced.messages);
  };
  return {
    memory: () => memory,
    messages,
    now: () => now,
    pass: (ms) => {
      for (const end = now + ms; now < end;) {
        now = Math.min(end, now + 10 * SECOND);
        happen({ kind: 'tick' });
      }
    },
    happen,
    say: (...reports) => happen({ kind: 'reports', reports: reports.map((part) => report({ time: now, ...part })) }),
    told: () => messages.filter(({ kind }) => kind !== 'suppressed').map(({ kind, text }) => `${kind}: ${text}`),
  };
}

export function report(part: Partial<Report>): Report {
  return {
    target: 'photos.kua.cl',
    labels: {},
    severity: 'critical',
    status: 'wrong',
    evidence: 'HTTP 502',
    time: NOON,
    ...part,
  };
}

export const host = (status: Report['status'], name = 'bruno', severity: Severity = 'critical'): Partial<Report> => ({
  target: name,
  labels: { kind: 'host', host: name },
  status,
  severity,
  evidence: 'no answer on port 22',
});

export const services = (status: Report['status'], count = 15, name = 'bruno'): Partial<Report>[] =>
  Array.from({ length: count }, (_, index) => ({
    target: `service-${index} on ${name}`,
    labels: { kind: 'service', host: name },
    status,
  }));

export { fingerprintOf };
