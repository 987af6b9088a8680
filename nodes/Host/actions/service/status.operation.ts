import { serviceStatus } from '../../../../lib/host/services/status';
import { number, optional, schema } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { serviceField, unitFacts } from './shared';

export const serviceStatusOperation = operation({
  resource: 'service',
  name: 'status',
  action: 'Get the status of a service',
  description: 'Tells the state of a systemd unit and its last log lines',
  effect: 'reads',
  input: {
    host: hostField,
    service: serviceField,
    options: optional({
      hostKeys: hostOptions.hostKeys,
      logLines: number({ label: 'Log Lines', default: 20, min: 0, max: 1000, integer: true }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    ...unitFacts,
    log: schema.nullable(
      schema.array(
        schema.object({ time: schema.string(), message: schema.string(), priority: schema.nullable(schema.integer()) }),
        'Null where this user may not read the journal',
      ),
    ),
  }),
  run: async ({ input, host, task }) => ({
    host: host.target.name,
    ...(await serviceStatus(host, { name: input.service, logLines: input.options.logLines }, task)),
  }),
});
