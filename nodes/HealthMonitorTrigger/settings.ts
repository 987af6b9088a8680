import type { ITriggerFunctions } from 'n8n-workflow';
import { SEVERITIES } from '../../lib/alert/report';
import { parseTargets, USUAL_DEFAULTS, type Target, type TargetDefaults } from '../../lib/health/target';
import type { StateWanted } from '../shared/state';
import { invalidField, jsonOf, numberOf, optionsOf, placeOf, textOf } from '../shared/triggerFields';

export interface TriggerSettings {
  readonly watch: string;
  readonly targets: readonly Target[];
  readonly concurrency: number;
  readonly heartbeatMs: number;
  readonly place: StateWanted;
}

export function settingsOf(trigger: ITriggerFunctions): TriggerSettings {
  const watch = textOf(trigger, 'watch').trim();
  if (!/^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,79}$/u.test(watch)) {
    throw invalidField('Watch', 'must be a name of letters, digits, spaces and .-_');
  }
  const options = optionsOf(trigger);
  const number = (name: string, usual: number, least: number) => numberOf(options, name, usual, least);
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
    targets: parseTargets(jsonOf(trigger, 'targets', 'Targets'), defaults),
    concurrency: Math.trunc(number('concurrency', 200, 1)),
    heartbeatMs: number('heartbeatSeconds', 60, 0) * 1000,
    place: placeOf(trigger),
  };
}
