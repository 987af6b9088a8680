import {
  getMonitor,
  getPool,
  listMonitors,
  listPools,
  type Monitor,
  type Pool,
  type PoolChange,
  updateMonitor,
  updatePool,
} from '../../../../lib/cloudflare/balancing';
import { getHealthCheck, listHealthChecks, suspendHealthCheck } from '../../../../lib/cloudflare/health-checks';
import { isObject } from '../../../../lib/json';
import { choice, json, number, optional, schema, text, toggle } from '../../../declaration';
import { zoneField } from '../../fields';
import { operation } from '../../operation';

const poolOutput = schema.object({
  id: schema.string(),
  name: schema.string(),
  enabled: schema.boolean(),
  monitor: schema.string(),
  minimumOrigins: schema.number(),
  origins: schema.array(
    schema.object({
      name: schema.string(),
      address: schema.string(),
      enabled: schema.boolean(),
      weight: schema.number('0 to 1'),
    }),
  ),
});

const poolIdField = text({ label: 'Pool ID', required: true });

export const poolOperations = [
  operation({
    resource: 'pool',
    name: 'list',
    action: 'List load balancing pools',
    description: 'Lists the pools of the account that the zone belongs to',
    effect: 'reads',
    input: { zone: zoneField },
    output: poolOutput,
    run: async ({ input, api, findZone, task }) => listPools(api, (await findZone(input.zone)).accountId, task),
  }),
  operation({
    resource: 'pool',
    name: 'get',
    action: 'Get a load balancing pool',
    description: 'Reads a pool with its origins',
    effect: 'reads',
    input: { zone: zoneField, poolId: poolIdField },
    output: poolOutput,
    run: async ({ input, api, findZone, task }) =>
      getPool(api, (await findZone(input.zone)).accountId, input.poolId, task),
  }),
  operation({
    resource: 'pool',
    name: 'update',
    action: 'Update a load balancing pool',
    description: 'Switches a pool or its origins on and off, and weighs them. Everything else stays.',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: {
      zone: zoneField,
      poolId: poolIdField,
      changes: optional(
        {
          enabled: toggle({ label: 'Enabled', default: true, description: 'Whether the pool gets visitors' }),
          origins: json({
            label: 'Origins',
            default: '{"eva": {"enabled": true, "weight": 1}}',
            parse: parseOrigins,
            description: 'By name, with enabled, weight (0 to 1) or both',
          }),
        },
        { add: 'Add Change' },
      ),
    },
    output: schema.object({
      changed: schema.boolean(),
      dryRun: schema.boolean(),
      before: poolOutput,
      after: poolOutput,
    }),
    run: async ({ input: { zone, poolId, changes, dryRun }, api, findZone, task }) => {
      const { accountId } = await findZone(zone);
      const before = await getPool(api, accountId, poolId, task);
      const changed = differs(before, changes);
      const after = changed && !dryRun ? await updatePool(api, accountId, poolId, changes, task) : before;
      return { changed, dryRun, before, after };
    },
  }),
];

function differs(pool: Pool, { enabled, origins = {} }: PoolChange): boolean {
  const wanted = Object.entries(origins).some(([name, { enabled: on, weight }]) => {
    const origin = pool.origins.find((one) => one.name === name);
    return (on ?? origin?.enabled) !== origin?.enabled || (weight ?? origin?.weight) !== origin?.weight;
  });
  return wanted || (enabled ?? pool.enabled) !== pool.enabled;
}

function parseOrigins(value: unknown): NonNullable<PoolChange['origins']> {
  if (!isObject(value)) throw new Error('it is no object');
  return Object.fromEntries(
    Object.entries(value).map(([name, change]) => {
      const { enabled, weight, ...rest } = isObject(change) ? change : { nothing: true };
      const isFit =
        (enabled === undefined || typeof enabled === 'boolean') &&
        (weight === undefined || (typeof weight === 'number' && weight >= 0 && weight <= 1)) &&
        Object.keys(rest).length === 0;
      if (!isFit) throw new Error(`${name} takes enabled (true or false) and weight (0 to 1)`);
      return [name, { ...(enabled !== undefined && { enabled }), ...(weight !== undefined && { weight }) }];
    }),
  );
}

const monitorOutput = schema.object({
  id: schema.string(),
  type: schema.string(),
  method: schema.string(),
  path: schema.string(),
  port: schema.optional(schema.integer()),
  expectedCodes: schema.string(),
  interval: schema.number('Seconds'),
  retries: schema.number(),
  timeout: schema.number('Seconds'),
});

const monitorIdField = text({ label: 'Monitor ID', required: true });

export const monitorOperations = [
  operation({
    resource: 'monitor',
    name: 'list',
    action: 'List monitors',
    description: 'Lists the monitors of the account that the zone belongs to',
    effect: 'reads',
    input: { zone: zoneField },
    output: monitorOutput,
    run: async ({ input, api, findZone, task }) => listMonitors(api, (await findZone(input.zone)).accountId, task),
  }),
  operation({
    resource: 'monitor',
    name: 'get',
    action: 'Get a monitor',
    description: 'Reads how origins are checked',
    effect: 'reads',
    input: { zone: zoneField, monitorId: monitorIdField },
    output: monitorOutput,
    run: async ({ input, api, findZone, task }) =>
      getMonitor(api, (await findZone(input.zone)).accountId, input.monitorId, task),
  }),
  operation({
    resource: 'monitor',
    name: 'update',
    action: 'Update a monitor',
    description: 'Changes how origins are checked',
    effect: 'changes',
    dryRun: true,
    input: {
      zone: zoneField,
      monitorId: monitorIdField,
      changes: optional(
        {
          method: choice({ label: 'Method', options: { GET: 'GET', HEAD: 'HEAD' }, default: 'GET' }),
          path: text({ label: 'Path', placeholder: '/health' }),
          port: number({ label: 'Port', default: 443, min: 1, max: 65_535, integer: true }),
          expectedCodes: text({ label: 'Expected Codes', placeholder: '2xx' }),
          interval: number({ label: 'Interval (Seconds)', default: 60, min: 5, max: 3600, integer: true }),
          retries: number({ label: 'Retries', default: 2, min: 0, max: 5, integer: true }),
          timeout: number({ label: 'Timeout (Seconds)', default: 5, min: 1, max: 10, integer: true }),
        },
        { add: 'Add Change' },
      ),
    },
    output: schema.object({
      changed: schema.boolean(),
      dryRun: schema.boolean(),
      before: monitorOutput,
      after: monitorOutput,
    }),
    run: async ({ input: { zone, monitorId, changes, dryRun }, api, findZone, task }) => {
      const { accountId } = await findZone(zone);
      const before = await getMonitor(api, accountId, monitorId, task);
      const changed = Object.entries(changes).some(([name, value]) => before[name as keyof Monitor] !== value);
      const after = changed && !dryRun ? await updateMonitor(api, accountId, monitorId, changes, task) : before;
      return { changed, dryRun, before, after };
    },
  }),
];

const checkOutput = schema.object({
  id: schema.string(),
  name: schema.string(),
  address: schema.string(),
  type: schema.string(),
  suspended: schema.boolean(),
  status: schema.string('healthy, unhealthy, suspended or unknown'),
  failureReason: schema.string(),
  interval: schema.number('Seconds'),
});

const checkIdField = text({ label: 'Health Check ID', required: true });

export const healthCheckOperations = [
  operation({
    resource: 'healthCheck',
    name: 'list',
    action: 'List health checks',
    description: 'Lists the health checks of a zone and how they stand',
    effect: 'reads',
    input: { zone: zoneField },
    output: checkOutput,
    run: async ({ input, api, findZone, task }) => listHealthChecks(api, (await findZone(input.zone)).id, task),
  }),
  operation({
    resource: 'healthCheck',
    name: 'get',
    action: 'Get a health check',
    description: 'Reads a health check and how it stands',
    effect: 'reads',
    input: { zone: zoneField, checkId: checkIdField },
    output: checkOutput,
    run: async ({ input, api, findZone, task }) =>
      getHealthCheck(api, (await findZone(input.zone)).id, input.checkId, task),
  }),
  operation({
    resource: 'healthCheck',
    name: 'setSuspended',
    action: 'Suspend or resume a health check',
    description: 'Suspends a health check during work on its origin, or resumes it',
    effect: 'changes',
    dryRun: true,
    input: {
      zone: zoneField,
      checkId: checkIdField,
      suspended: toggle({ label: 'Suspended', default: true, description: 'Whether it is not to check' }),
    },
    output: schema.object({
      changed: schema.boolean(),
      dryRun: schema.boolean(),
      before: checkOutput,
      after: checkOutput,
    }),
    run: async ({ input: { zone: named, checkId, suspended, dryRun }, api, findZone, task }) => {
      const zone = await findZone(named);
      const before = await getHealthCheck(api, zone.id, checkId, task);
      const changed = before.suspended !== suspended;
      const writes = changed && !dryRun;
      const after = writes ? await suspendHealthCheck(api, zone.id, checkId, suspended, task) : before;
      return { changed, dryRun, before, after };
    },
  }),
];
