import { asSent, changeRules, planRules, readRule, targetsOf } from '../../../lib/hetzner/firewall-rules';
import { checkLabelSelector, otherThan, refuse } from '../../../lib/hetzner/checks';
import { contains } from '../../../lib/hetzner/contains';
import { findItem } from '../../../lib/hetzner/read';
import { locations, servers } from '../../../lib/hetzner/resources/compute';
import { firewalls, floatingIps, networks, primaryIps } from '../../../lib/hetzner/resources/network';
import { present } from '../../../lib/hetzner/servers';
import type { JsonObject } from '../../../lib/json';
import { choice, json, list, schema, text, toggle } from '../../declaration';
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
import type { CommandAsked } from '../build';
import { changeOptions, mannerOf } from '../fields';
import { operation } from '../operation';
import { changeItemOf, changeSchema } from '../output';
import { pickOne } from '../searches';

const network = target(networks, 'network', 'Network');
const firewall = target(firewalls, 'firewall', 'Firewall');
const floatingIp = target(floatingIps, 'floatingIp', 'Floating IP');
const primaryIp = target(primaryIps, 'primaryIp', 'Primary IP');

const ipRange = text({ label: 'IP Range', required: true, placeholder: '10.0.0.0/16' });
const route = {
  destination: text({ label: 'Destination', required: true, placeholder: '10.100.1.0/24' }),
  gateway: text({ label: 'Gateway', required: true, placeholder: '10.0.1.1' }),
};
const bodyOfRoute = ({ input }: CommandAsked<typeof route>): JsonObject => ({
  destination: input.destination,
  gateway: input.gateway,
});
const holds = (entries: readonly unknown[], wanted: unknown): boolean =>
  entries.some((entry) => contains(entry, wanted));

export const networkOperations = [
  createOf(network, {
    fields: { ipRange },
    options: {
      exposeRoutes: toggle({
        label: 'Expose Routes to vSwitch',
        description: 'Whether a coupled vSwitch learns its routes',
      }),
    },
    body: ({ name, labels, input, options }) =>
      present({ name, labels, ip_range: input.ipRange, expose_routes_to_vswitch: options.exposeRoutes }),
    mismatch: (item, input) =>
      item.ipRange === input.ipRange ? undefined : `its range is ${item.ipRange}, not ${input.ipRange}`,
  }),
  getOf(network),
  listOf(network),
  updateOf(network, {
    fields: {
      exposeRoutes: toggle({
        label: 'Expose Routes to vSwitch',
        description: 'Whether a coupled vSwitch learns its routes',
      }),
    },
    body: ({ exposeRoutes }) => present({ expose_routes_to_vswitch: exposeRoutes }),
  }),
  deleteOf(network),
  commandOf(network, {
    name: 'addSubnet',
    action: 'Add a subnet to a network',
    description: 'Adds a range from which servers get their addresses',
    command: 'add_subnet',
    input: {
      subnetRange: text({ label: 'Subnet Range', placeholder: '10.0.1.0/24', description: 'Empty: the next free one' }),
      networkZone: text({ label: 'Network Zone', required: true, default: 'eu-central' }),
    },
    body: ({ input }) =>
      present({
        type: 'cloud',
        network_zone: input.networkZone,
        ip_range: input.subnetRange === '' ? undefined : input.subnetRange,
      }),
    isDone: ({ subnets }, body) => body?.['ip_range'] !== undefined && holds(subnets, { ip_range: body['ip_range'] }),
  }),
  commandOf(network, {
    name: 'deleteSubnet',
    action: 'Delete a subnet of a network',
    description: 'Deletes a subnet in which no server is any more',
    effect: 'destroys',
    command: 'delete_subnet',
    input: { subnetRange: text({ label: 'Subnet Range', required: true, placeholder: '10.0.1.0/24' }) },
    body: ({ input }) => ({ ip_range: input.subnetRange }),
    isDone: ({ subnets }, body) => !holds(subnets, body),
  }),
  commandOf(network, {
    name: 'addRoute',
    action: 'Add a route to a network',
    description: 'Sends traffic for a range to one of the servers',
    command: 'add_route',
    input: route,
    body: bodyOfRoute,
    isDone: ({ routes }, body) => holds(routes, body),
  }),
  commandOf(network, {
    name: 'deleteRoute',
    action: 'Delete a route of a network',
    description: 'Takes a route out of a network',
    effect: 'destroys',
    command: 'delete_route',
    input: route,
    body: bodyOfRoute,
    isDone: ({ routes }, body) => !holds(routes, body),
  }),
  commandOf(network, {
    name: 'changeIpRange',
    action: 'Change the IP range of a network',
    description: 'Makes the range of a network larger',
    command: 'change_ip_range',
    input: { ipRange },
    body: ({ input }) => ({ ip_range: input.ipRange }),
    isDone: (item, body) => item.ipRange === body?.['ip_range'],
  }),
  protectionOf(network),
];

const rules = json({
  label: 'Rules',
  required: true,
  default: '[{ "protocol": "tcp", "port": "443", "addresses": ["0.0.0.0/0", "::/0"], "description": "web" }]',
  description: 'A list of rules: direction (in or out), protocol, port, addresses, description',
  parse: (value) => {
    if (!Array.isArray(value)) throw new Error('it is a list of rules');
    return value.map(readRule);
  },
});

const ruleSchema = schema.array(
  schema.object({
    direction: schema.oneOf(['in', 'out']),
    protocol: schema.oneOf(['tcp', 'udp', 'icmp', 'esp', 'gre']),
    port: schema.nullable(schema.string()),
    addresses: schema.array(schema.string()),
    description: schema.nullable(schema.string()),
  }),
);

const ruleOperations = (
  [
    ['setRules', 'set', 'Set the rules of a firewall', 'Replaces all rules, and tells which came and which went'],
    ['addRules', 'add', 'Add rules to a firewall', 'Adds rules that are not there yet'],
    [
      'removeRules',
      'remove',
      'Remove rules from a firewall',
      'Removes rules that do the same, however they are written',
    ],
  ] as const
).map(([name, kind, action, description]) =>
  operation({
    resource: 'firewall',
    name,
    action,
    description,
    effect: 'changes',
    dryRun: true,
    input: { firewall: pickOne('firewall', { label: 'Firewall' }), rules, options: changeOptions({}) },
    output: changeSchema(firewalls, { more: { addedRules: ruleSchema, removedRules: ruleSchema } }),
    run: async ({ input, api, task }): Promise<object> => {
      const found = await findItem(api, firewalls, input.firewall, task);
      const manner = mannerOf(input.options, input.dryRun);
      const changed = await changeRules(api, found, { kind, rules: input.rules }, manner, task);
      return {
        ...changeItemOf(firewalls, changed, { dryRun: input.dryRun }),
        addedRules: changed.added,
        removedRules: changed.removed,
      };
    },
  }),
);

const targets = {
  servers: list({ label: 'Servers', description: 'IDs or names' }),
  labelSelectors: list({ label: 'Label Selectors', placeholder: 'env=production' }),
};

async function targetsFrom({ input, api, task }: CommandAsked<typeof targets>) {
  input.labelSelectors.forEach(checkLabelSelector);
  if (input.servers.length + input.labelSelectors.length === 0) {
    throw refuse('firewall', 'Neither a server nor a label selector was given', 'Give at least one of them.');
  }
  const ids = await Promise.all(input.servers.map((server) => idOf(api, servers, server, task)));
  return targetsOf(
    ids.map(({ id }) => id),
    input.labelSelectors,
  );
}

const listIn = (body: JsonObject | undefined, name: string): readonly unknown[] => {
  const value = body?.[name];
  return Array.isArray(value) ? value : [];
};

export const firewallOperations = [
  createOf(firewall, {
    fields: { rules },
    body: ({ name, labels, input }) => ({ name, labels, rules: input.rules.map(asSent) }),
    mismatch: ({ rules: present }, input) =>
      planRules(present.map(readRule), { kind: 'set', rules: input.rules }).same ? undefined : 'its rules are others',
  }),
  getOf(firewall),
  listOf(firewall),
  updateOf(firewall),
  deleteOf(firewall),
  ...ruleOperations,
  commandOf(firewall, {
    name: 'apply',
    action: 'Apply a firewall',
    description: 'Puts servers behind a firewall, one by one or all with certain labels',
    command: 'apply_to_resources',
    input: targets,
    body: async (asked) => ({ apply_to: await targetsFrom(asked) }),
    isDone: ({ appliedTo }, body) => listIn(body, 'apply_to').every((one) => holds(appliedTo, one)),
  }),
  commandOf(firewall, {
    name: 'remove',
    action: 'Remove a firewall from servers',
    description: 'Takes servers from behind a firewall. What it kept out can reach them then.',
    effect: 'destroys',
    command: 'remove_from_resources',
    input: targets,
    body: async (asked) => ({ remove_from: await targetsFrom(asked) }),
    isDone: ({ appliedTo }, body) => listIn(body, 'remove_from').every((one) => !holds(appliedTo, one)),
  }),
];

const addressType = choice({ label: 'Type', options: { ipv4: 'IPv4', ipv6: 'IPv6' }, default: 'ipv4' });
const serverField = { server: pickOne('server', { label: 'Server' }) };

export const floatingIpOperations = [
  createOf(floatingIp, {
    fields: { addressType },
    options: {
      server: text({ label: 'Server', description: 'ID or name of the server to assign it to' }),
      location: text({ label: 'Location', description: 'ID or name; needed without a server' }),
      description: text({ label: 'Description' }),
    },
    body: async ({ name, labels, input, options, api, task }) => {
      const { server = '', location = '', description } = options;
      if (server === '' && location === '') {
        throw refuse(`floating IP ${name}`, 'Neither a server nor a location was given', 'Add one of the two options.');
      }
      return present({
        name,
        labels,
        type: input.addressType,
        description,
        server: server === '' ? undefined : (await idOf(api, servers, server, task)).id,
        home_location: location === '' ? undefined : (await findItem(api, locations, location, task)).name,
      });
    },
    mismatch: ({ type, location }, { addressType: wanted }, { location: place = '' }) =>
      otherThan('type', type, wanted) ?? otherThan('location', location, place),
  }),
  getOf(floatingIp),
  listOf(floatingIp),
  updateOf(floatingIp, {
    fields: { description: text({ label: 'Description' }) },
    body: ({ description }) => present({ description }),
  }),
  deleteOf(floatingIp),
  commandOf(floatingIp, {
    name: 'assign',
    action: 'Assign a floating IP to a server',
    description: 'Lets the address lead to this server, wherever it led before',
    command: 'assign',
    input: serverField,
    body: async ({ input, api, task }) => ({ server: (await idOf(api, servers, input.server, task)).id }),
    isDone: ({ serverId }, body) => serverId === body?.['server'],
  }),
  commandOf(floatingIp, {
    name: 'unassign',
    action: 'Unassign a floating IP',
    description: 'Takes the address from its server. It goes on to cost money.',
    command: 'unassign',
    isDone: ({ serverId }) => serverId === null,
  }),
  reverseDnsOf(floatingIp),
  protectionOf(floatingIp),
];

export const primaryIpOperations = [
  createOf(primaryIp, {
    fields: { addressType, location: pickOne('location', { label: 'Location' }) },
    options: {
      autoDelete: toggle({ label: 'Auto Delete', description: 'Whether it goes when its server goes' }),
    },
    body: async ({ name, labels, input, options, api, task }) =>
      present({
        name,
        labels,
        type: input.addressType,
        location: (await findItem(api, locations, input.location, task)).name,
        auto_delete: options.autoDelete ?? false,
      }),
    mismatch: ({ type, location }, input) =>
      otherThan('type', type, input.addressType) ?? otherThan('location', location, input.location),
  }),
  getOf(primaryIp),
  listOf(primaryIp, { ip: text({ label: 'IP Address' }) }),
  updateOf(primaryIp, {
    fields: { autoDelete: toggle({ label: 'Auto Delete', description: 'Whether it goes when its server goes' }) },
    body: ({ autoDelete }) => present({ auto_delete: autoDelete }),
  }),
  deleteOf(primaryIp),
  commandOf(primaryIp, {
    name: 'assign',
    action: 'Assign a primary IP to a server',
    description: 'Gives the address to a server that is off',
    command: 'assign',
    input: serverField,
    body: async ({ input, api, task }) => ({
      assignee_type: 'server',
      assignee_id: (await idOf(api, servers, input.server, task)).id,
    }),
    isDone: ({ assigneeId }, body) => assigneeId === body?.['assignee_id'],
    check: ({ name, assigneeId }) => {
      if (assigneeId === null) return;
      throw refuse(
        `primary IP ${name}`,
        `${name} belongs to server ${assigneeId}`,
        'Unassign it there first.',
        'primary_ip_assigned',
      );
    },
  }),
  commandOf(primaryIp, {
    name: 'unassign',
    action: 'Unassign a primary IP',
    description: 'Takes the address from its server, which must be off',
    command: 'unassign',
    isDone: ({ assigneeId }) => assigneeId === null,
  }),
  reverseDnsOf(primaryIp),
  protectionOf(primaryIp),
];
