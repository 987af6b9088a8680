import { listServices, listTimers } from '../../../../lib/host/services/list';
import { choice, optional, schema } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { unitFacts } from './shared';

export const listServicesOperation = operation({
  resource: 'service',
  name: 'list',
  action: 'List services',
  description: 'Gives the services of a host, one item each',
  effect: 'reads',
  input: {
    host: hostField,
    state: choice({
      options: {
        all: 'All',
        running: 'Running',
        active: 'Active',
        inactive: 'Inactive',
        failed: 'Failed',
        enabled: 'Enabled',
      },
      default: 'all',
    }),
    options: optional({ hostKeys: hostOptions.hostKeys }),
  },
  output: schema.object({ host: schema.string(), ...unitFacts }),
  run: async ({ input, host, task }) =>
    (await listServices(host, { state: input.state }, task)).map((unit) => ({ host: host.target.name, ...unit })),
});

export const listTimersOperation = operation({
  resource: 'service',
  name: 'listTimers',
  action: 'List timers',
  description: 'Gives the systemd timers of a host with their last and next time, one item each',
  effect: 'reads',
  input: { host: hostField, options: optional({ hostKeys: hostOptions.hostKeys }) },
  output: schema.object({
    host: schema.string(),
    unit: schema.string(),
    activates: schema.string('What it starts'),
    description: schema.string(),
    active: schema.string(),
    enabled: schema.nullable(schema.string()),
    next: schema.nullable(schema.string('Null when it is not going to fire')),
    last: schema.nullable(schema.string('Null when it never did')),
  }),
  run: async ({ host, task }) => (await listTimers(host, task)).map((timer) => ({ host: host.target.name, ...timer })),
});
