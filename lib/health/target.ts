import { checkZone } from '../alert/hours';
import { SEVERITIES, type Labels, type Severity } from '../alert/report';
import { fieldsOf, unusable, type Fields } from './fields';
import type { Prepared } from './kind';
import { KINDS } from './kinds';
import { parseWindows, type Window } from './maintenance';
import type { JudgingRules } from './standing';

/** What is watched, and how; made from what somebody wrote. */
export interface Target extends Prepared {
  readonly name: string;
  readonly kind: string;
  readonly labels: Labels;
  readonly severity: Severity;
  readonly problem?: string;
  /** Names of hosts; `n8n` is n8n itself. */
  readonly from: readonly string[];
  readonly intervalMs: number;
  readonly deadlineMs: number;
  readonly rules: JudgingRules;
  readonly maintenance: readonly Window[];
}

export interface TargetDefaults {
  readonly intervalSeconds: number;
  readonly severity: Severity;
  readonly wrong: number;
  readonly of: number;
  readonly ok: number;
  readonly startSeconds: number;
  readonly zone: string;
}

export const USUAL_DEFAULTS: TargetDefaults = {
  intervalSeconds: 30,
  severity: 'critical',
  wrong: 3,
  of: 5,
  ok: 2,
  startSeconds: 0,
  zone: 'UTC',
};

const HERE = 'n8n';
const LONGEST_DEADLINE_MS = 10_000;

/** One target or a list of them; two of one name could not be told apart. */
export function parseTargets(input: unknown, defaults: TargetDefaults): readonly Target[] {
  const all: readonly unknown[] = Array.isArray(input) ? input : [input];
  const targets = all.map((one, index) => parseTarget(one, index, defaults));
  const names = new Set<string>();
  for (const { name } of targets) {
    if (names.has(name)) throw unusable(`target ${name}`, 'there are two of this name');
    names.add(name);
  }
  return targets;
}

function parseTarget(input: unknown, index: number, defaults: TargetDefaults): Target {
  const unnamed = fieldsOf(input, `target ${index + 1}`);
  const name = unnamed.needText('name');
  const fields = fieldsOf(input, `target ${name.slice(0, 80)}`);
  fields.needText('name');
  if (name.length > 200) throw fields.refuse('name', 'is longer than 200 characters');
  const kindName = fields.needText('kind');
  const kind = Object.hasOwn(KINDS, kindName) ? KINDS[kindName] : undefined;
  if (kind === undefined) throw fields.refuse('kind', `is not one of ${Object.keys(KINDS).join(', ')}`);
  const from = vantagesOf(fields, kind.from);
  const rules = rulesOf(fields, from.length, defaults);
  const intervalMs = (fields.number('intervalSeconds', 1, 604_800) ?? defaults.intervalSeconds) * 1000;
  const zone = checkZone(fields.text('zone') ?? defaults.zone);
  const problem = fields.text('problem');
  const labels = labelsOf(fields, kind.from === 'host' ? from[0] : undefined);
  const deadlineMs = deadlineOf(fields, kindName === 'mail', rules.wrong, intervalMs);
  const maintenance = parseWindows(fields, 'maintenance', zone);
  const severity = severityOf(fields, defaults);
  const prepared = kind.prepare(fields);
  fields.done();
  return {
    ...prepared,
    ...{ name, kind: kindName, labels, severity, from, intervalMs, deadlineMs, rules, maintenance },
    ...(problem !== undefined && { problem }),
  };
}

function vantagesOf(fields: Fields, where: 'anywhere' | 'n8n' | 'host'): readonly string[] {
  const given = fields.texts('from');
  if (where === 'n8n') {
    if (given !== undefined && given.some((one) => one !== HERE)) throw fields.refuse('from', 'can only be n8n');
    return [HERE];
  }
  const from = given ?? (where === 'host' ? [] : [HERE]);
  if (from.length === 0) throw fields.refuse('from', 'is missing: the host on which it is looked at');
  if (where === 'host' && from.includes(HERE)) throw fields.refuse('from', 'must be a host, not n8n');
  if (new Set(from).size < from.length) throw fields.refuse('from', 'names one place twice');
  return from;
}

function rulesOf(fields: Fields, vantages: number, defaults: TargetDefaults): JudgingRules {
  const whole = (name: string, least: number, most: number) => {
    const value = fields.number(name, least, most);
    if (value !== undefined && !Number.isInteger(value)) throw fields.refuse(name, 'is not a whole number');
    return value;
  };
  const quorum = whole('quorum', 1, vantages);
  const wrong = whole('wrong', 1, 100) ?? defaults.wrong;
  return {
    ...(quorum !== undefined && { quorum }),
    wrong,
    of: whole('of', wrong, 100) ?? Math.max(defaults.of, wrong),
    ok: whole('ok', 1, 100) ?? defaults.ok,
    startPeriodMs: (fields.number('startSeconds', 0, 86_400) ?? defaults.startSeconds) * 1000,
  };
}

/**
 * Trouble shall be told within the interval times the rounds it takes, and a second. So a look that hangs must end early
 * enough for so many of them to fit in; see `watch.ts` for how they are spaced.
 */
function deadlineOf(fields: Fields, slow: boolean, wrong: number, intervalMs: number): number {
  const fitting = wrong === 1 ? 1_000 : (intervalMs * (wrong - 1)) / wrong;
  const usual = Math.min(slow ? fitting : LONGEST_DEADLINE_MS, fitting);
  const given = fields.number('deadlineSeconds', 0.05, 3_600);
  return given === undefined ? usual : given * 1000;
}

function severityOf(fields: Fields, defaults: TargetDefaults): Severity {
  const text = fields.text('severity') ?? defaults.severity;
  const severity = SEVERITIES.find((one) => one === text);
  if (severity === undefined) throw fields.refuse('severity', `is not one of ${SEVERITIES.join(', ')}`);
  return severity;
}

/** What is looked at on a host is a thing of that host. */
function labelsOf(fields: Fields, host: string | undefined): Labels {
  return { ...(host !== undefined && { host }), ...fields.record('labels') };
}
