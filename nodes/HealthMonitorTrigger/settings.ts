import type { ITriggerFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import { SEVERITIES } from '../../lib/alert/report';
import { parseTargets, USUAL_DEFAULTS, type Target, type TargetDefaults } from '../../lib/health/target';
import { isObject } from '../../lib/json';

export interface TriggerSettings {
  readonly watch: string;
  readonly targets: readonly Target[];
  readonly concurrency: number;
  readonly heartbeatMs: number;
  readonly keepIn: string;
  readonly stateHost: string;
}

export function settingsOf(trigger: ITriggerFunctions): TriggerSettings {
  const watch = textOf(trigger, 'watch').trim();
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,79}$/u.test(watch)) {
    throw invalid('Watch', 'must be a name of letters, digits, spaces and .-_');
  }
  const given: unknown = trigger.getNodeParameter('options', {});
  const options = isObject(given) ? given : {};
  const number = (name: string, usual: number, least: number) => {
    const value = options[name] ?? usual;
    if (typeof value === 'number' && value >= least) return value;
    throw invalid(name, `must be a number of at least ${least}`);
  };
  const severity = SEVERITIES.find((one) => one === (options['severity'] ?? USUAL_DEFAULTS.severity));
  const defaults: TargetDefaults = {
    intervalSeconds: number('intervalSeconds', USUAL_DEFAULTS.intervalSeconds, 1),
    severity: severity ?? USUAL_DEFAULTS.severity,
    wrong: number('wrong', USUAL_DEFAULTS.wrong, 1),
    of: number('of', USUAL_DEFAULTS.of, 1),
    ok: number('ok', USUAL_DEFAULTS.ok, 1),
    startSeconds: number('startSeconds', 0, 0),
    zone: typeof options['zone'] === 'string' ? options['zone'] : USUAL_DEFAULTS.zone,
  };
  return {
    watch,
    targets: parseTargets(targetsOf(trigger), defaults),
    concurrency: Math.trunc(number('concurrency', 200, 1)),
    heartbeatMs: number('heartbeatSeconds', 60, 0) * 1000,
    keepIn: textOf(trigger, 'keepIn'),
    stateHost: textOf(trigger, 'stateHost'),
  };
}

function targetsOf(trigger: ITriggerFunctions): unknown {
  const value: unknown = trigger.getNodeParameter('targets');
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw invalid('Targets', 'must be valid JSON');
  }
}

function textOf(trigger: ITriggerFunctions, name: string): string {
  const value: unknown = trigger.getNodeParameter(name, '');
  return typeof value === 'string' ? value : '';
}

function invalid(field: string, mustBe: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: field,
    message: `${field} ${mustBe}`,
    nextStep: `Correct the field ${field}, or the expression that fills it.`,
  });
}
