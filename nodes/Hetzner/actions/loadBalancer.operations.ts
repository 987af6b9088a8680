import { refuse } from '../../../lib/hetzner/checks';
import { readMetrics } from '../../../lib/hetzner/metrics';
import { findItem } from '../../../lib/hetzner/read';
import { locations, servers } from '../../../lib/hetzner/resources/compute';
import { certificates, loadBalancers, loadBalancerTypes, networks } from '../../../lib/hetzner/resources/network';
import { present } from '../../../lib/hetzner/servers';
import { isObject, type Json, type JsonObject } from '../../../lib/json';
import {
  choice,
  choices,
  json,
  list,
  number,
  optional,
  schema,
  secretText,
  text,
  toggle,
  when,
} from '../../declaration';
import type { CommandAsked } from '../build';
import {
  commandOf,
  createOf,
  deleteOf,
  getOf,
  idOf,
  listOf,
  protectionOf,
  reverseDnsOf,
  target,
  updateOf,
} from '../build';
import { operation } from '../operation';
import { pickOne } from '../searches';

const balancer = target(loadBalancers, 'loadBalancer', 'Load Balancer');
const balancerType = target(loadBalancerTypes, 'loadBalancerType', 'Load Balancer Type');
const certificate = target(certificates, 'certificate', 'Certificate');

const port = (label: string, standard: number) =>
  number({ label, default: standard, min: 1, max: 65_535, integer: true });
const algorithm = choice({
  label: 'Algorithm',
  options: { round_robin: 'Round Robin', least_connections: 'Least Connections' },
  default: 'round_robin',
});
const typeField = { loadBalancerType: pickOne('loadBalancerType', { label: 'Load Balancer Type' }) };

const service = {
  protocol: choice({ label: 'Protocol', options: { tcp: 'TCP', http: 'HTTP', https: 'HTTPS' }, default: 'tcp' }),
  listenPort: port('Listen Port', 443),
  destinationPort: port('Destination Port', 443),
  service: optional(
    {
      proxyProtocol: toggle({
        label: 'PROXY Protocol',
        description: 'Whether targets learn the address of the client by it',
      }),
      checkIntervalSeconds: number({ label: 'Check Interval (Seconds)', default: 15, min: 3, max: 60, integer: true }),
      checkTimeoutSeconds: number({ label: 'Check Timeout (Seconds)', default: 10, min: 1, max: 60, integer: true }),
      checkRetries: number({ label: 'Check Retries', default: 3, min: 1, max: 5, integer: true }),
      checkPath: text({ label: 'Check Path', placeholder: '/health', description: 'Makes the check one of HTTP' }),
      http: json({
        label: 'HTTP Settings',
        description: 'As in the API: certificates, redirect_http, sticky_sessions, cookie_name, cookie_lifetime',
        parse: (value) => {
          if (!isObject(value)) throw new Error('it is an object');
          return value as Readonly<Record<string, Json>>;
        },
      }),
    },
    { label: 'Service Settings', add: 'Add Setting' },
  ),
};

function serviceBody({ input }: CommandAsked<typeof service>): JsonObject {
  const { checkIntervalSeconds = 15, checkTimeoutSeconds = 10, checkRetries = 3, checkPath = '', http } = input.service;
  if (checkTimeoutSeconds > checkIntervalSeconds) {
    throw refuse(
      'health check',
      'The timeout of the health check is longer than its interval',
      'Make the timeout shorter, or the interval longer.',
    );
  }
  return present({
    protocol: input.protocol,
    listen_port: input.listenPort,
    destination_port: input.destinationPort,
    proxyprotocol: input.service.proxyProtocol ?? false,
    health_check: present({
      protocol: checkPath === '' ? 'tcp' : 'http',
      port: input.destinationPort,
      interval: checkIntervalSeconds,
      timeout: checkTimeoutSeconds,
      retries: checkRetries,
      http: checkPath === '' ? undefined : { domain: null, path: checkPath },
    }),
    http,
  });
}

const hasService = (services: readonly unknown[], body: JsonObject | undefined) =>
  services.some((one) => isObject(one) && one['listen_port'] === body?.['listen_port']);

const targetFields = {
  targetType: choice({
    label: 'Target',
    options: { server: 'Server', label_selector: 'Label Selector', ip: 'IP Address' },
    default: 'server',
  }),
  server: when('targetType', ['server'], pickOne('server', { label: 'Server' })),
  targetSelector: when('targetType', ['label_selector'], text({ label: 'Label Selector', required: true })),
  targetIp: when('targetType', ['ip'], text({ label: 'IP Address', required: true })),
};
const privateField = {
  usePrivateIp: toggle({
    label: 'Use Private IP',
    description: 'Whether the target is reached by its private network',
  }),
};

async function targetBody({ input, api, task }: CommandAsked<typeof targetFields>): Promise<JsonObject> {
  switch (input.targetType) {
    case 'server':
      return { type: 'server', server: { id: (await idOf(api, servers, input.server ?? '', task)).id } };
    case 'label_selector':
      return { type: 'label_selector', label_selector: { selector: input.targetSelector ?? '' } };
    case 'ip':
      return { type: 'ip', ip: { ip: input.targetIp ?? '' } };
  }
}

/** A server that a selector chose stands in the list, too, inside of the selector. */
const hasTarget = (targets: readonly unknown[], body: JsonObject | undefined) => {
  const type = body?.['type'];
  if (typeof type !== 'string') return false;
  return targets.some((one) => isObject(one) && one['type'] === type && containsAll(one[type], body?.[type]));
};

function containsAll(one: unknown, wanted: unknown): boolean {
  return isObject(one) && isObject(wanted) && Object.entries(wanted).every(([name, value]) => one[name] === value);
}

const networkField = { network: pickOne('network', { label: 'Network' }) };
const isInNetwork = (nets: readonly unknown[], body: JsonObject | undefined) =>
  nets.some((one) => isObject(one) && one['network'] === body?.['network']);

const metrics = operation({
  resource: 'loadBalancer',
  name: 'metrics',
  label: 'Get Metrics',
  action: 'Get the metrics of a load balancer',
  description: 'Gives measured values as one row for each point of each series, ready to plot',
  effect: 'reads',
  input: {
    loadBalancer: pickOne('loadBalancer', { label: 'Load Balancer' }),
    metricTypes: choices({
      label: 'Metrics',
      options: {
        open_connections: 'Open Connections',
        connections_per_second: 'Connections per Second',
        requests_per_second: 'Requests per Second',
        bandwidth: 'Bandwidth',
      },
      default: ['open_connections'],
    }),
    start: text({ label: 'Start', required: true, default: '={{ $now.minus({ hours: 1 }).toISO() }}' }),
    end: text({ label: 'End', required: true, default: '={{ $now.toISO() }}' }),
    options: optional({ stepSeconds: number({ label: 'Step (Seconds)', default: 60, min: 1, integer: true }) }),
  },
  output: schema.object({ series: schema.string(), time: schema.string(), value: schema.number() }),
  run: async ({ input, api, task }) => {
    const { id } = await idOf(api, loadBalancers, input.loadBalancer, task);
    const { stepSeconds } = input.options;
    const times = { start: new Date(input.start), end: new Date(input.end) };
    const question = { id, types: input.metricTypes, ...times, ...(stepSeconds !== undefined && { stepSeconds }) };
    return readMetrics(api, loadBalancers, question, task);
  },
});

export const loadBalancerOperations = [
  createOf(balancer, {
    fields: { ...typeField, location: pickOne('location', { label: 'Location' }), algorithm },
    body: async ({ name, labels, input, api, task }) => ({
      name,
      labels,
      load_balancer_type: (await findItem(api, loadBalancerTypes, input.loadBalancerType, task)).name,
      location: (await findItem(api, locations, input.location, task)).name,
      algorithm: { type: input.algorithm },
    }),
  }),
  getOf(balancer),
  listOf(balancer),
  updateOf(balancer),
  deleteOf(balancer),
  commandOf(balancer, {
    name: 'addService',
    action: 'Add a service to a load balancer',
    description: 'Lets it listen on a port and pass on what comes',
    command: 'add_service',
    input: service,
    body: serviceBody,
    isDone: ({ services }, body) => hasService(services, body),
  }),
  commandOf(balancer, {
    name: 'updateService',
    action: 'Update a service of a load balancer',
    description: 'Changes what listens on a port',
    command: 'update_service',
    input: service,
    body: serviceBody,
    check: ({ name, services }, body) => {
      if (hasService(services, body)) return;
      throw refuse(
        `load balancer ${name}`,
        `${name} has no service on port ${String(Number(body?.['listen_port']))}`,
        'Add the service first, or correct the port.',
      );
    },
  }),
  commandOf(balancer, {
    name: 'deleteService',
    action: 'Delete a service of a load balancer',
    description: 'Ends listening on a port',
    effect: 'destroys',
    command: 'delete_service',
    input: { listenPort: port('Listen Port', 443) },
    body: ({ input }) => ({ listen_port: input.listenPort }),
    isDone: ({ services }, body) => !hasService(services, body),
  }),
  commandOf(balancer, {
    name: 'addTarget',
    action: 'Add a target to a load balancer',
    description: 'Lets it pass on to a server, to servers with certain labels, or to an address',
    command: 'add_target',
    input: { ...targetFields, ...privateField },
    body: async (asked) => {
      const body = await targetBody(asked);
      return body['type'] === 'ip' ? body : { ...body, use_private_ip: asked.input.usePrivateIp };
    },
    isDone: ({ targets }, body) => hasTarget(targets, body),
  }),
  commandOf(balancer, {
    name: 'removeTarget',
    action: 'Remove a target from a load balancer',
    description: 'Passes nothing on to it any more',
    effect: 'destroys',
    command: 'remove_target',
    input: targetFields,
    body: targetBody,
    isDone: ({ targets }, body) => !hasTarget(targets, body),
  }),
  commandOf(balancer, {
    name: 'setAlgorithm',
    action: 'Set the algorithm of a load balancer',
    description: 'Says to which target the next connection goes',
    command: 'change_algorithm',
    input: { algorithm },
    body: ({ input }) => ({ type: input.algorithm }),
    isDone: (item, body) => item.algorithm === body?.['type'],
  }),
  commandOf(balancer, {
    name: 'changeType',
    action: 'Change the type of a load balancer',
    description: 'Makes it larger or smaller',
    command: 'change_type',
    input: typeField,
    body: async ({ input, api, task }) => ({
      load_balancer_type: (await findItem(api, loadBalancerTypes, input.loadBalancerType, task)).name,
    }),
    isDone: ({ type }, body) => type === body?.['load_balancer_type'],
  }),
  commandOf(balancer, {
    name: 'attachNetwork',
    action: 'Attach a load balancer to a network',
    description: 'Gives it an address in a private network',
    command: 'attach_to_network',
    input: networkField,
    body: async ({ input, api, task }) => ({ network: (await idOf(api, networks, input.network, task)).id }),
    isDone: ({ privateNetworks }, body) => isInNetwork(privateNetworks, body),
  }),
  commandOf(balancer, {
    name: 'detachNetwork',
    action: 'Detach a load balancer from a network',
    description: 'Takes it out of a private network',
    command: 'detach_from_network',
    input: networkField,
    body: async ({ input, api, task }) => ({ network: (await idOf(api, networks, input.network, task)).id }),
    isDone: ({ privateNetworks }, body) => !isInNetwork(privateNetworks, body),
  }),
  commandOf(balancer, {
    name: 'enablePublic',
    label: 'Enable Public Interface',
    action: 'Enable the public interface of a load balancer',
    description: 'Lets it be reached from the internet',
    command: 'enable_public_interface',
    isDone: ({ publicEnabled }) => publicEnabled,
  }),
  commandOf(balancer, {
    name: 'disablePublic',
    label: 'Disable Public Interface',
    action: 'Disable the public interface of a load balancer',
    description: 'Lets it be reached from its private networks only',
    command: 'disable_public_interface',
    isDone: ({ publicEnabled }) => !publicEnabled,
  }),
  reverseDnsOf(balancer),
  protectionOf(balancer),
  metrics,
];

export const loadBalancerTypeOperations = [
  getOf(balancerType),
  listOf(balancerType, {}, { labels: false, sort: false }),
];

const certificateFields = {
  certificateType: choice({
    label: 'Type',
    options: { managed: 'Managed by Hetzner', uploaded: 'Uploaded' },
    default: 'managed',
  }),
  domainNames: when('certificateType', ['managed'], list({ label: 'Domain Names', required: true })),
  pem: when(
    'certificateType',
    ['uploaded'],
    text({ label: 'Certificate', required: true, multiline: true, description: 'With its chain, in PEM' }),
  ),
  privateKey: when(
    'certificateType',
    ['uploaded'],
    secretText({ label: 'Private Key', required: true, description: 'In PEM' }),
  ),
};

export const certificateOperations = [
  createOf(certificate, {
    fields: certificateFields,
    body: ({ name, labels, input }): JsonObject =>
      input.certificateType === 'managed'
        ? { name, labels, type: 'managed', domain_names: input.domainNames ?? [] }
        : {
            name,
            labels,
            type: 'uploaded',
            certificate: input.pem ?? '',
            private_key: input.privateKey ?? '',
          },
    mismatch: (item, input) =>
      input.domainNames === undefined || same(item.domainNames, input.domainNames)
        ? undefined
        : `it is for ${item.domainNames.join(', ')}`,
  }),
  getOf(certificate),
  listOf(certificate, {
    type: choice({ label: 'Type', options: { managed: 'Managed', uploaded: 'Uploaded' }, default: 'managed' }),
  }),
  updateOf(certificate),
  deleteOf(certificate),
  commandOf(certificate, {
    name: 'retry',
    action: 'Retry the issuance of a certificate',
    description: 'Lets Hetzner try again to get or renew a managed certificate',
    command: 'retry',
  }),
];

function same(one: readonly string[], other: readonly string[]): boolean {
  return JSON.stringify([...one].sort()) === JSON.stringify([...other].sort());
}
