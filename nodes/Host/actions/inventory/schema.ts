import { CHANGES, DATABASE_KINDS, LANES, PROVIDERS, type Change, type Lane } from '../../../../lib/inventory/inventory';
import { schema } from '../../../declaration';
import type { Schema } from '../../../declaration/schema';

const text = schema.string();
const toggle = schema.boolean();
const texts = schema.array(text);
const provider = schema.oneOf(PROVIDERS);

const forEach = <Name extends string, Value>(names: readonly Name[], value: Schema<Value>) =>
  schema.object(Object.fromEntries(names.map((name) => [name, value])) as Record<Name, Schema<Value>>);

const recipient = schema.object({
  by: schema.oneOf(['telegram', 'slack', 'email']),
  chat: schema.optional(text),
  channel: schema.optional(text),
  address: schema.optional(text),
});

export const inventoryOutput = {
  estate: text,
  timezone: text,
  hosts: schema.array(
    schema.object({ name: text, address: text, port: schema.integer(), provider, role: text, server: text }),
  ),
  services: schema.array(
    schema.object({
      name: text,
      host: text,
      standby: text,
      project: text,
      url: text,
      repository: text,
      branch: text,
      paths: texts,
      migrates: toggle,
      open: texts,
      inside: text,
    }),
  ),
  databases: schema.array(
    schema.object({
      name: text,
      kind: schema.oneOf(DATABASE_KINDS),
      host: text,
      container: text,
      database: text,
      replica: text,
    }),
  ),
  folders: schema.array(schema.object({ name: text, host: text, path: text, excludes: texts })),
  destinations: schema.array(schema.object({ name: text, remote: text, provider, host: text })),
  domains: schema.array(
    schema.object({
      zone: text,
      at: schema.oneOf(['cloudflare', 'hetzner']),
      owner: schema.oneOf(['n8n', 'terraform']),
      names: schema.array(schema.object({ name: text, host: text, proxied: toggle })),
      rdap: text,
      terraform: schema.nullable(schema.object({ repository: text, branch: text, file: text })),
    }),
  ),
  resolvers: schema.array(text, 'Whom to ask whether a change of DNS is seen'),
  recoveryOrder: schema.array(texts, 'What is brought up together stands together'),
  recipients: forEach<Lane, readonly object[]>(LANES, schema.array(recipient)),
  deadManUrl: text,
  checks: schema.array(schema.record(schema.anything()), 'Targets of Health Monitor'),
  divergenceMinutes: schema.number(),
  costs: schema.array(schema.object({ name: text, monthly: schema.number() })),
  sshKeys: schema.array(schema.object({ name: text, fingerprint: text, hosts: texts })),
  keyCopies: schema.array(schema.object({ name: text, host: text, path: text })),
  keyCanary: text,
  packageOwners: texts,
  sender: text,
  approvers: schema.array(
    schema.object({
      name: text,
      by: schema.oneOf(['telegram', 'slack']),
      id: text,
      where: text,
      minutes: schema.number(),
    }),
    'In the order in which they are asked',
  ),
  automatic: forEach<Change, readonly string[]>(CHANGES, texts),
};
