import { changeService, type ServiceAction } from '../../../../lib/host/services/change';
import { number, optional, schema, toggle } from '../../../declaration';
import { changeOptions, hostField } from '../../fields';
import { operation } from '../../operation';
import { serviceField, unitFacts } from './shared';

const output = schema.object({
  host: schema.string(),
  unit: schema.string(),
  action: schema.string(),
  changed: schema.boolean(),
  dryRun: schema.boolean(),
  steps: schema.array(schema.string(), 'What was done, or would be'),
  before: schema.object(unitFacts),
  after: schema.nullable(schema.object(unitFacts)),
});

const options = {
  ignoreHold: changeOptions.ignoreHold,
  hostKeys: changeOptions.hostKeys,
  waitSeconds: number({ label: 'Wait (Seconds)', default: 60, min: 1, max: 3600, description: 'How long it may take' }),
};

function changeOperation(action: ServiceAction, description: string) {
  return operation({
    resource: 'service',
    name: action,
    action: `${action.charAt(0).toUpperCase()}${action.slice(1)} a service`,
    description,
    effect: 'changes',
    dryRun: true,
    input: { host: hostField, service: serviceField, options: optional(options) },
    output,
    run: async ({ input, host, task }) => {
      const waitMs = (input.options.waitSeconds ?? 60) * 1000;
      const wanted = { name: input.service, action, waitMs, dryRun: input.dryRun };
      return { host: host.target.name, ...(await changeService(host, wanted, task)) };
    },
  });
}

/** Enabling and disabling may also start and stop. */
function enablingOperation(action: 'enable' | 'disable', description: string, nowDescription: string) {
  return operation({
    resource: 'service',
    name: action,
    action: `${action.charAt(0).toUpperCase()}${action.slice(1)} a service`,
    description,
    effect: 'changes',
    dryRun: true,
    input: {
      host: hostField,
      service: serviceField,
      now: toggle({ label: action === 'enable' ? 'Start Now' : 'Stop Now', description: nowDescription }),
      options: optional(options),
    },
    output,
    run: async ({ input, host, task }) => {
      const waitMs = (input.options.waitSeconds ?? 60) * 1000;
      const wanted = { name: input.service, action, now: input.now, waitMs, dryRun: input.dryRun };
      return { host: host.target.name, ...(await changeService(host, wanted, task)) };
    },
  });
}

export const serviceChangeOperations = [
  changeOperation('start', 'Starts a unit that is not running, and watches that it stays up'),
  changeOperation('stop', 'Stops a unit that is running'),
  changeOperation('restart', 'Stops and starts a unit, and watches that it stays up'),
  changeOperation('reload', 'Lets a unit read its configuration again without stopping'),
  enablingOperation('enable', 'Lets a unit start with the host', 'Whether to start it, too'),
  enablingOperation('disable', 'Keeps a unit from starting with the host', 'Whether to stop it, too'),
];
