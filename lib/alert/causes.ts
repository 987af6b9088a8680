import { canonicalJson } from '../canonical-json';
import { matches } from './matcher';
import type { AlertMemory, Condition, Incident } from './memory';
import type { Severity } from './report';
import type { AlertSettings } from './settings';

const RANK: Readonly<Record<Severity, number>> = { info: 0, warning: 1, critical: 2, security: 2 };

export function moreSevere(one: Severity, other: Severity): Severity {
  return RANK[other] > RANK[one] ? other : one;
}

/**
 * What each wrong thing is wrong because of, by fingerprint: the far end of the chain, where one rule leads to another.
 * Things without a cause are not in it. Of things that accuse each other one is the cause, always the same.
 */
export function findCauses(memory: AlertMemory, settings: AlertSettings): ReadonlyMap<string, string> {
  const next = directCauses(memory, settings);
  const causes = new Map<string, string>();
  for (const start of next.keys()) {
    const root = farEnd(start, next);
    if (root !== start) causes.set(start, root);
  }
  return causes;
}

function farEnd(start: string, next: ReadonlyMap<string, string>): string {
  const path: string[] = [];
  let here: string | undefined = start;
  while (here !== undefined && !path.includes(here)) {
    path.push(here);
    here = next.get(here);
  }
  // Undefined: the chain has an end. Otherwise it came back to where it was, and the first of the circle by name is it.
  if (here === undefined) return path[path.length - 1] ?? start;
  return [...path.slice(path.indexOf(here))].sort()[0] ?? start;
}

function directCauses(memory: AlertMemory, settings: AlertSettings): ReadonlyMap<string, string> {
  const incidents = new Map(memory.incidents.map((incident) => [incident.number, incident]));
  const all = Object.entries(memory.conditions).sort(([a], [b]) => (a < b ? -1 : 1));
  const next = new Map<string, string>();
  for (const { cause, effect, equal } of settings.inhibitions) {
    const causes = new Map<string, string[]>();
    for (const [fingerprint, condition] of all) {
      if (!active(condition, incidents, memory.now, settings) || !matches(cause, condition.labels)) continue;
      const place = placeOf(condition, equal);
      if (place !== undefined) causes.set(place, [...(causes.get(place) ?? []), fingerprint]);
    }
    for (const [fingerprint, condition] of all) {
      if (next.has(fingerprint) || !condition.wrong || condition.severity === 'security') continue;
      const place = placeOf(condition, equal);
      if (place === undefined || !matches(effect, condition.labels)) continue;
      const found = causes
        .get(place)
        ?.find((one) => one !== fingerprint && mayMute(memory.conditions[one], condition, incidents));
      if (found !== undefined) next.set(fingerprint, found);
    }
  }
  return next;
}

/** The values of the labels that must be equal. A thing without one of them is nobody's neighbour. */
function placeOf({ labels }: Condition, equal: readonly string[]): string | undefined {
  const values = equal.map((name) => labels[name] ?? '');
  return values.includes('') ? undefined : canonicalJson(values);
}

/** A cause mutes while it is wrong, and for some time after, in which its effects recover. */
function active(
  { wrong, incident }: Condition,
  incidents: ReadonlyMap<number, Incident>,
  now: number,
  { recoveryMs }: AlertSettings,
): boolean {
  if (wrong) return true;
  const open = incident === undefined ? undefined : incidents.get(incident);
  return open !== undefined && (open.clearedAt === undefined || now - open.clearedAt < recoveryMs);
}

/** What was told in a quiet lane must not swallow what belongs into a loud one. */
function mayMute(cause: Condition | undefined, effect: Condition, incidents: ReadonlyMap<number, Incident>): boolean {
  const incident = cause?.incident === undefined ? undefined : incidents.get(cause.incident);
  return incident?.told === undefined || RANK[effect.severity] <= RANK[incident.severity];
}
