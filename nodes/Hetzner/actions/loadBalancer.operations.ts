import { changeItem } from '../../../lib/hetzner/change';
import { otherThan, refuse } from '../../../lib/hetzner/checks';
import { contains } from '../../../lib/hetzner/contains';
import { findItem } from '../../../lib/hetzner/read';
import { locations, servers } from '../../../lib/hetzner/resources/compute';
import { certificates, loadBalancers, loadBalancerTypes, networks } from '../../../lib/hetzner/resources/network';
import { present } from '../../../lib/hetzner/servers';
import { isObject, type Json, type JsonObject } from '../../../lib/json';
import { choice, json, list, number, optional, secretText, text, toggle, when } from '../../declaration';
import type { CommandAsked } from '../build';
import {
  commandOf,
  createOf,
  deleteOf,
  getOf,
  idOf,
  listOf,
  metricsOf,
  protectionOf,
  reverseDnsOf,
  target,
  updateOf,
} from '../build';
import { changeOptions, mannerOf } from '../fields';
import { reveal } from '../../shared/secretSources';
import { operation } from '../operation';
import { changeItemOf, changeSchema } from '../output';
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

const protocol = choice({ label: 'Protocol', options: { tcp: 'TCP', http: 'HTTP', https: 'HTTPS' }, default: 'tcp' });
const settings = {
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
};
const service = {
  protocol,
  listenPort: port('Listen Port', 443),
  destinationPort: port('Destination Port', 443),
  service: optional(settings, { label: 'Service Settings', add: 'Add Setting' }),
};
const serviceChange = {
  listenPort: port('Listen Port', 443),
  changes: optional(
    { protocol, destinationPort: port('Destination Port', 443), ...settings },
    { label: 'Changes', add: 'Add Change' },
  ),
};

interface Settings {
  readonly protocol?: string;
  readonly destinationPort?: number;
  readonly proxyProtocol?: boolean;
  readonly checkIntervalSeconds?: number;
  readonly checkTimeoutSeconds?: number;
  readonly checkRetries?: number;
  readonly checkPath?: string;
  readonly http?: JsonObject;
}

/** What was given, in the words of the API. The health check goes to the port that is served. */
function serviceBody(listenPort: number, given: Settings): JsonObject {
  const { checkPath = '', checkIntervalSeconds: interval, checkTimeoutSeconds: timeout } = given;
  if (interval !== undefined && timeout !== undefined && timeout > interval) {
    throw refuse(
      'health check',
      'The timeout of the health check is longer than its interval',
      'Make the timeout shorter, or the interval longer.',
    );
  }
  const check = present({
    protocol: checkPath === '' ? undefined : 'http',
    port: given.destinationPort,
    interval,
    timeout,
    retries: given.checkRetries,
    http: checkPath === '' ? undefined : { path: checkPath },
  });
  return present({
    protocol: given.protocol,
    listen_port: listenPort,
    destination_port: given.destinationPort,
    proxyprotocol: given.proxyProtocol,
    health_check: Object.keys(check).length === 0 ? undefined : check,
    http: given.http,
  });
}

/** A new one has them all. */
function newServiceBody({ input }: CommandAsked<typeof service>): JsonObject {
  const { listenPort, service: given, ...rest } = input;
  const usual = { proxyProtocol: false, checkIntervalSeconds: 15, checkTimeoutSeconds: 10, checkRetries: 3 };
  const body = serviceBody(listenPort, { ...usual, ...rest, ...given });
  const check = given.checkPath === undefined ? { protocol: 'tcp' } : { http: { domain: null } };
  return { ...body, health_check: merged(check, body['health_check'] ?? {}) };
}

/** The present values where nothing else was given: a health check can only be sent as a whole. */
function merged(present: unknown, given: Json): Json {
  if (!isObject(present) || !isObject(given)) return given;
  const entries = Object.entries(given).map(([name, value]) => [name, merged(present[name], value)] as const);
  return { ...(present as JsonObject), ...Object.fromEntries(entries) };
}

function serviceOn(services: readonly unknown[], body: JsonObject | undefined): unknown {
  return services.find((one) => isObject(one) && one['listen_port'] === body?.['listen_port']);
}

const hasService = (services: readonly unknown[], body: JsonObject | undefined) =>
  serviceOn(services, body) !== undefined;

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
  return targets.some((one) => isObject(one) && one['type'] === type && contains(one[type], body?.[type]));
};

const networkField = { network: pickOne('network', { label: 'Network' }) };
const isInNetwork = (nets: readonly unknown[], body: JsonObject | undefined) =>
  nets.some((one) => isObject(one) && one['network'] === body?.['network']);

const metrics = metricsOf(balancer, {
  open_connections: 'Open Connections',
  connections_per_second: 'Connections per Second',
  requests_per_second: 'Requests per Second',
  bandwidth: 'Bandwidth',
});

const updateService = operation({
  resource: 'loadBalancer',
  name: 'updateService',
  action: 'Update a service of a load balancer',
  description: 'Changes what listens on a port. What is not given stays.',
  effect: 'changes',
  dryRun: true,
  input: {
    loadBalancer: pickOne('loadBalancer', { label: 'Load Balancer' }),
    ...serviceChange,
    options: changeOptions({}),
  },
  output: changeSchema(loadBalancers),
  run: async ({ input, api, task }): Promise<object> => {
    const { listenPort, changes, options, dryRun } = input;
    const { id, name, services } = await findItem(api, loadBalancers, input.loadBalancer, task);
    const given = serviceBody(listenPort, changes);
    const before = serviceOn(services, given);
    if (!isObject(before)) {
      throw refuse(
        `load balancer ${name}`,
        `${name} has no service on port ${listenPort}`,
        'Add the service first, or correct the port.',
      );
    }
    const check = given['health_check'];
    const body = { ...given, ...(check !== undefined && { health_check: merged(before['health_check'], check) }) };
    const change = {
      place: { id },
      command: 'update_service',
      body,
      isDone: (now: { readonly services: readonly unknown[] }) => contains(serviceOn(now.services, body), body),
    } as const;
    const changed = await changeItem(api, loadBalancers, change, mannerOf(options, dryRun), task);
    return changeItemOf(loadBalancers, changed, { dryRun });
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
    mismatch: ({ type, location }, input) =>
      otherThan('type', type, input.loadBalancerType) ?? otherThan('location', location, input.location),
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
    body: newServiceBody,
    isDone: ({ services }, body) => contains(serviceOn(services, body), body),
    check: ({ name, services }, body) => {
      if (!hasService(services, body)) return;
      throw refuse(
        `load balancer ${name}`,
        `${name} has another service on port ${String(Number(body?.['listen_port']))} already`,
        'Update that service, or choose another port.',
        'uniqueness_error',
      );
    },
  }),
  updateService,
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
    body: async ({ name, labels, input, secrets, task }): Promise<JsonObject> =>
      input.certificateType === 'managed'
        ? { name, labels, type: 'managed', domain_names: input.domainNames ?? [] }
        : {
            name,
            labels,
            type: 'uploaded',
            certificate: input.pem ?? '',
            private_key: await reveal(input.privateKey ?? '', secrets, task),
          },
    mismatch: (item, { domainNames, pem }) => {
      if (domainNames !== undefined && !same(item.domainNames, domainNames)) {
        return `it is for ${item.domainNames.join(', ')}`;
      }
      return pem === undefined || pem.trim() === item.certificate?.trim() ? undefined : 'it is another certificate';
    },
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
