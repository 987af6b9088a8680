import { cloudflareApi } from '../../lib/cloudflare/api';
import { parseCloudflareCredential } from '../../lib/cloudflare/credential';
import { listZones } from '../../lib/cloudflare/zones';
import { RECORD_TYPES } from '../../lib/dns/layouts';
import { choice, json, list, number, pick, schema, searchable, text, toggle } from '../declaration';

const zones = searchable('searchZones', async (asker, filter) => {
  const { readOnly: _, ...settings } = parseCloudflareCredential(await asker.getCredentials('selfhostCloudflare'));
  const api = cloudflareApi(settings);
  const task = { signal: AbortSignal.timeout(20_000), progress: () => undefined, owner: 'list of zones' };
  const all = await listZones(api, task).finally(api.close);
  return {
    results: all.filter(({ name }) => name.includes(filter.toLowerCase())).map(({ name }) => ({ name, value: name })),
  };
});

export const zoneField = pick(zones, { label: 'Zone', byHand: 'By Name or ID', placeholder: 'example.org' });

export const recordIdField = text({ label: 'Record ID', required: true });

export const typeField = choice({
  label: 'Type',
  options: Object.fromEntries(RECORD_TYPES.map((type) => [type, type])),
  default: 'A',
});

export const contentField = text({
  label: 'Content',
  placeholder: '203.0.113.7',
  description: 'As in a zone file: an address, a name, a text. Leave it empty where Data is given.',
});

/** What else can be said of a record. */
export const recordOptions = {
  ttl: number({
    label: 'TTL (Seconds)',
    default: 1,
    min: 1,
    max: 86_400,
    integer: true,
    description: '1 is automatic, otherwise at least 60',
  }),
  proxied: toggle({ label: 'Proxied', description: 'Whether visitors go through Cloudflare' }),
  comment: text({ label: 'Comment' }),
  tags: list({ label: 'Tags', description: 'Not on the free plan' }),
  priority: number({
    label: 'Priority',
    default: 10,
    min: 0,
    max: 65_535,
    integer: true,
    description: 'Of MX and URI',
  }),
  data: json({
    label: 'Data',
    parse: (value) => value,
    description:
      'Fields of a structured type, such as {"priority": 10, "weight": 5, "port": 5060, "target": "sip.example.org"}',
  }),
  settings: json({ label: 'Settings', parse: (value) => value, description: 'Such as {"ipv4_only": true}' }),
};

export const recordOutput = schema.object({
  id: schema.string(),
  name: schema.string(),
  type: schema.string(),
  content: schema.string(),
  data: schema.optional(schema.record(schema.anything())),
  priority: schema.optional(schema.integer()),
  ttl: schema.integer('Seconds; 1 is automatic'),
  proxied: schema.boolean(),
  comment: schema.string('Empty when there is none'),
  tags: schema.array(schema.string()),
  settings: schema.record(schema.anything()),
});

export const changeOutput = schema.object({
  zone: schema.string(),
  changed: schema.boolean('In a dry run: whether it would change'),
  dryRun: schema.boolean(),
  action: schema.oneOf(['create', 'update', 'delete', 'none']),
  before: schema.nullable(recordOutput),
  after: schema.nullable(recordOutput),
});
