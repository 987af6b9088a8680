import { listItems } from '../../../lib/hetzner/read';
import {
  changeRecords,
  changeTtl,
  checkTtl,
  createRecordSet,
  recordSetPlace,
  setRecordSet,
} from '../../../lib/hetzner/record-sets';
import { recordSets, zones } from '../../../lib/hetzner/resources/dns';
import { present } from '../../../lib/hetzner/servers';
import { exportZone } from '../../../lib/hetzner/zones';
import { isObject, type JsonObject } from '../../../lib/json';
import { choice, json, list, number, optional, schema, text, when } from '../../declaration';
import { commandOf, createOf, deleteOf, getOf, listOf, protectionOf, target, updateOf } from '../build';
import type { Target } from '../build';
import { changeOptions, labelsField, listOptions, mannerOf } from '../fields';
import { operation } from '../operation';
import { changeItemOf, changeSchema, itemSchema } from '../output';
import { zoneField as zonePick } from './dnsPlan.operations';

const zoneField = { zone: zonePick };
/** Zones are known by their name, too, so nothing needs to be looked up. */
const zone: Target<typeof zones> = {
  ...target(zones, 'zone', 'DNS Zone'),
  choose: zoneField,
  placeOf: (input) => Promise.resolve({ id: input['zone'] as string }),
};

const ttlField = number({ label: 'TTL (Seconds)', default: 3600, min: 60, integer: true });
const nameservers = list({
  label: 'Primary Nameservers',
  placeholder: '198.51.100.1:53',
  description: 'Addresses, with a port where it is not 53',
});

function nameserverBody(lines: readonly string[]): readonly JsonObject[] {
  return lines.map((line): JsonObject => {
    const [, address = line, port] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(line) ?? [];
    // An IPv6 address without brackets has colons of its own.
    const isBareIpv6 = !line.startsWith('[') && line.split(':').length > 2;
    return isBareIpv6 || port === undefined
      ? { address: isBareIpv6 ? line : address }
      : { address, port: Number(port) };
  });
}

const exportOperation = operation({
  resource: 'zone',
  name: 'export',
  action: 'Export a DNS zone',
  description: 'Gives the zone as a file in BIND’s format',
  effect: 'reads',
  input: zoneField,
  output: schema.object({ zone: schema.string(), zonefile: schema.string() }),
  run: async ({ input, api, task }) => ({ zone: input.zone, zonefile: await exportZone(api, input.zone, task) }),
});

export const zoneOperations = [
  createOf(zone, {
    fields: {
      mode: choice({ label: 'Mode', options: { primary: 'Primary', secondary: 'Secondary' }, default: 'primary' }),
      primaryNameservers: when('mode', ['secondary'], nameservers),
    },
    options: { ttl: ttlField },
    body: ({ name, labels, input, options }) => {
      checkTtl(options.ttl);
      const servers = input.primaryNameservers;
      return present({
        name,
        labels,
        mode: input.mode,
        ttl: options.ttl,
        primary_nameservers: servers === undefined ? undefined : nameserverBody(servers),
      });
    },
    mismatch: ({ mode }, input) => (mode === input.mode ? undefined : `it is ${mode}, not ${input.mode}`),
  }),
  getOf(zone),
  listOf(zone, {
    mode: choice({ label: 'Mode', options: { primary: 'Primary', secondary: 'Secondary' }, default: 'primary' }),
  }),
  updateOf(zone, undefined, { nameable: false }),
  deleteOf(zone, 'Deletes a zone with all its records, unless it is protected'),
  exportOperation,
  commandOf(zone, {
    name: 'import',
    action: 'Import a DNS zone',
    description: 'Replaces all records by those of a file in BIND’s format',
    effect: 'destroys',
    needsApproval: true,
    command: 'import_zonefile',
    input: { zonefile: text({ label: 'Zone File', required: true, multiline: true, noTrim: true }) },
    body: ({ input }) => ({ zonefile: input.zonefile }),
  }),
  commandOf(zone, {
    name: 'setTtl',
    label: 'Set TTL',
    action: 'Set the TTL of a DNS zone',
    description: 'Sets the TTL of all record sets that have none of their own',
    command: 'change_ttl',
    input: { ttl: ttlField },
    body: ({ input }) => ({ ttl: input.ttl }),
    isDone: ({ ttl }, body) => ttl === body?.['ttl'],
  }),
  commandOf(zone, {
    name: 'setNameservers',
    label: 'Set Primary Nameservers',
    action: 'Set the primary nameservers of a secondary DNS zone',
    description: 'Says from where a secondary zone is taken',
    command: 'change_primary_nameservers',
    input: { primaryNameservers: nameservers },
    body: ({ input }) => ({ primary_nameservers: nameserverBody(input.primaryNameservers) }),
  }),
  protectionOf(zone),
];

const recordTypes = [
  'A',
  'AAAA',
  'CAA',
  'CNAME',
  'DS',
  'HINFO',
  'HTTPS',
  'MX',
  'NS',
  'PTR',
  'RP',
  'SOA',
  'SRV',
  'SVCB',
  'TLSA',
  'TXT',
] as const;
const setFields = {
  ...zoneField,
  recordName: text({
    label: 'Name',
    required: true,
    placeholder: 'www',
    description: 'Below the zone; @ is the zone itself',
  }),
  recordType: choice({
    label: 'Type',
    options: Object.fromEntries(recordTypes.map((type) => [type, type])) as Record<
      (typeof recordTypes)[number],
      string
    >,
    default: 'A',
  }),
};

const records = json({
  label: 'Records',
  required: true,
  default: '["203.0.113.7"]',
  description: 'A list of values as in a zone file, or of objects with value and comment. TXT is quoted by itself.',
  parse: (value) => {
    if (!Array.isArray(value)) throw new Error('it is a list of values');
    return value.map((one: unknown) => {
      if (typeof one === 'string') return { value: one };
      if (!isObject(one) || typeof one['value'] !== 'string') throw new Error('a record is a text, or has a value');
      return { value: one['value'], ...(typeof one['comment'] === 'string' && { comment: one['comment'] }) };
    });
  },
});

interface SetInput {
  readonly zone: string;
  readonly recordName: string;
  readonly recordType: string;
}

const placeFor = ({ zone: of, recordName, recordType }: SetInput) => ({ zone: of, name: recordName, type: recordType });

const recordSet: Target<typeof recordSets> = {
  resource: recordSets,
  name: 'recordSet',
  label: 'Record Set',
  a: 'a record set',
  many: 'record sets',
  choose: setFields,
  within: zoneField,
  placeOf: (input) => Promise.resolve(recordSetPlace(placeFor(input as unknown as SetInput))),
  withinOf: (input) => Promise.resolve({ zone: input['zone'] as string }),
};

const listRecordSets = operation({
  resource: 'recordSet',
  name: 'list',
  action: 'List record sets',
  description: 'Gives the record sets of a zone, from all pages',
  effect: 'reads',
  input: {
    ...zoneField,
    options: optional({
      ...listOptions,
      recordName: text({ label: 'Name' }),
      recordType: setFields.recordType,
    }),
  },
  output: itemSchema(recordSets),
  run: async ({ input, api, task }): Promise<readonly object[]> => {
    const { recordName = '', recordType, labelSelector, sort = '' } = input.options;
    return listItems(
      api,
      recordSets,
      {
        within: { zone: input.zone },
        filter: {
          ...(recordName !== '' && { name: recordName.toLowerCase() }),
          ...(recordType !== undefined && { type: recordType }),
        },
        ...(labelSelector !== undefined && { labelSelector }),
        ...(sort !== '' && { sort }),
      },
      task,
    );
  },
});

const writing = { records, options: changeOptions({ ttl: ttlField }) };

const setOperation = (name: 'create' | 'set', action: string, description: string, write: typeof setRecordSet) =>
  operation({
    resource: 'recordSet',
    name,
    action,
    description,
    effect: name === 'create' ? 'creates' : 'changes',
    dryRun: true,
    input: { ...setFields, labels: labelsField, ...writing },
    output: changeSchema(recordSets, { maybe: true }),
    run: async ({ input, api, task }): Promise<object> => {
      const { ttl } = input.options;
      const wish = { records: input.records, labels: input.labels, ...(ttl !== undefined && { ttl }) };
      const changed = await write(api, placeFor(input), wish, mannerOf(input.options, input.dryRun), task);
      return changeItemOf(recordSets, changed, { dryRun: input.dryRun });
    },
  });

const recordOperation = (
  name: 'addRecords' | 'removeRecords' | 'updateRecords',
  how: 'add_records' | 'remove_records' | 'update_records',
  action: string,
  description: string,
) =>
  operation({
    resource: 'recordSet',
    name,
    action,
    description,
    effect: how === 'remove_records' ? 'destroys' : 'changes',
    dryRun: true,
    input: { ...setFields, ...writing },
    output: changeSchema(recordSets, { maybe: true }),
    run: async ({ input, api, task }): Promise<object> => {
      const { ttl } = input.options;
      const wish = { records: input.records, ...(ttl !== undefined && { ttl }) };
      const changed = await changeRecords(api, placeFor(input), how, wish, mannerOf(input.options, input.dryRun), task);
      return changeItemOf(recordSets, changed, { dryRun: input.dryRun });
    },
  });

const setTtl = operation({
  resource: 'recordSet',
  name: 'setTtl',
  label: 'Set TTL',
  action: 'Set the TTL of a record set',
  description: 'Sets how long others may remember it',
  effect: 'changes',
  dryRun: true,
  input: { ...setFields, ttl: ttlField, options: changeOptions({}) },
  output: changeSchema(recordSets),
  run: async ({ input, api, task }): Promise<object> => {
    const place = recordSetPlace(placeFor(input));
    const changed = await changeTtl(api, place, input.ttl, mannerOf(input.options, input.dryRun), task);
    return changeItemOf(recordSets, changed, { dryRun: input.dryRun });
  },
});

export const recordSetOperations = [
  setOperation(
    'create',
    'Create a record set',
    'Creates a record set, unless it is there with these records',
    createRecordSet,
  ),
  setOperation(
    'set',
    'Set a record set',
    'Makes a record set what it is to be, whether it is there or not',
    setRecordSet,
  ),
  getOf(recordSet),
  listRecordSets,
  recordOperation('addRecords', 'add_records', 'Add records to a record set', 'Adds records beside those there are'),
  recordOperation(
    'removeRecords',
    'remove_records',
    'Remove records from a record set',
    'Removes records, and leaves the others',
  ),
  recordOperation(
    'updateRecords',
    'update_records',
    'Update the comments of records',
    'Changes the comments of records that are there',
  ),
  setTtl,
  updateOf(recordSet, undefined, { nameable: false }),
  deleteOf(recordSet),
  protectionOf(recordSet, { key: 'change', item: 'changeProtected' }),
];
