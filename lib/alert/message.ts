import type { AlertMemory, Acknowledgement, Condition, Incident, Lane, Reason } from './memory';
import type { Labels, Severity } from './report';

export interface Thing {
  readonly fingerprint: string;
  readonly target: string;
  readonly labels: Labels;
  readonly severity: Severity;
  readonly evidence: string;
  readonly problem: string;
  readonly wrong: boolean;
  readonly flapping: boolean;
  readonly startedAt: number;
}

/** An incident as people see it. */
export interface IncidentView {
  readonly number: number;
  readonly severity: Severity;
  /** One sentence: `15 things wrong because bruno is unreachable`. */
  readonly summary: string;
  readonly openedAt: number;
  readonly clearedAt?: number;
  readonly things: readonly Thing[];
  /** What is wrong because of them. */
  readonly effects: readonly Thing[];
  readonly acknowledged?: Acknowledgement;
}

/** What leaves the reducer. Each id leaves it once. */
export type Message = { readonly id: string; readonly at: number; readonly text: string } & (
  | {
      readonly kind: 'firing';
      readonly lane: Lane;
      /** 0 for the first, and then counting. */
      readonly repeat: number;
      readonly incidents: readonly IncidentView[];
    }
  | { readonly kind: 'resolved'; readonly lane: Lane; readonly incidents: readonly IncidentView[] }
  | {
      readonly kind: 'escalate';
      /** `worse`: it was told as something lesser. */
      readonly why: 'nobody took it' | 'worse';
      readonly lane: Lane;
      readonly level: number;
      readonly incidents: readonly IncidentView[];
    }
  | { readonly kind: 'suppressed'; readonly reason: Reason; readonly thing: Thing; readonly because?: string }
);

export function viewOf(memory: AlertMemory, incident: Incident): IncidentView {
  const things = (fingerprints: readonly string[]) =>
    fingerprints.flatMap((fingerprint) => {
      const condition = memory.conditions[fingerprint];
      return condition === undefined ? [] : [thingOf(fingerprint, condition)];
    });
  const members = things(incident.members);
  const effects = things(incident.effects);
  return {
    number: incident.number,
    severity: incident.severity,
    summary: summarise(members, effects),
    openedAt: incident.openedAt,
    ...(incident.clearedAt !== undefined && { clearedAt: incident.clearedAt }),
    things: members,
    effects,
    ...(incident.acknowledged !== undefined && { acknowledged: incident.acknowledged }),
  };
}

export function thingOf(fingerprint: string, condition: Condition): Thing {
  const { target, labels, severity, evidence, wrong, flapping, startedAt } = condition;
  return {
    fingerprint,
    target,
    labels,
    severity,
    evidence,
    problem: condition.problem ?? (labels['kind'] === 'host' ? 'is unreachable' : 'is failing'),
    wrong,
    flapping,
    startedAt,
  };
}

/** The targets that a sentence names before it says how many more there are. */
const NAMED = 3;

function summarise(members: readonly Thing[], effects: readonly Thing[]): string {
  const [first, ...others] = members;
  if (first === undefined) return 'Nothing is wrong any more';
  const says = `${first.target} ${first.problem}`;
  if (others.length === 0) {
    if (effects.length > 0) return `${count(effects.length)} wrong because ${says}`;
    return first.flapping ? `${says} (it comes and goes)` : says;
  }
  const place = sharedHost(members);
  const where = place === undefined ? '' : ` on ${place}`;
  const more = effects.length === 0 ? '' : `, and ${effects.length} because of them`;
  return `${count(members.length)} wrong${where}: ${names(members)}${more}`;
}

function sharedHost(members: readonly Thing[]): string | undefined {
  const host = members[0]?.labels['host'];
  return members.every(({ labels }) => labels['host'] === host) ? host : undefined;
}

function names(things: readonly Thing[]): string {
  const named = things.slice(0, NAMED).map(({ target }) => target);
  const rest = things.length - named.length;
  return rest === 0 ? named.join(', ') : `${named.join(', ')} and ${rest} more`;
}

function count(things: number): string {
  return things === 1 ? '1 thing' : `${things} things`;
}

/** `45 s`, `12 min`, `3 h 20 min`, `2 d 4 h`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const two = (big: number, bigUnit: string, small: number, smallUnit: string) =>
    small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return two(hours, 'h', minutes % 60, 'min');
  return two(Math.floor(hours / 24), 'd', hours % 24, 'h');
}
