import {
  CHANGES,
  DATABASE_KINDS,
  DRILL_KINDS,
  FOLDER_KINDS,
  LANES,
  PERIODS,
  PROVIDERS,
  ROTATED_AT,
  type Change,
  type Lane,
} from '../../../../lib/inventory/inventory';
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

const gitPlace = { url: text, user: text, token: schema.string('A secret reference') };

export const inventoryOutput = {
  estate: text,
  timezone: text,
  hosts: schema.array(
    schema.object({
      name: text,
      address: text,
      port: schema.integer(),
      provider,
      role: text,
      server: text,
      docker: text,
      addressFrom: texts,
      powerOff: toggle,
      // What is ordered in its stead when it is gone for good.
      recovery: schema.nullable(
        schema.object({ type: text, image: text, location: text, sshKeys: texts, notInDrills: texts }),
      ),
    }),
  ),
  n8n: schema.object({ name: text, host: text }, 'This one. Empty: none of the instances'),
  instances: schema.array(
    schema.object({
      name: text,
      host: text,
      url: text,
      health: text,
      service: text,
      lostMinutes: schema.number(),
      backMinutes: schema.number(),
    }),
  ),
  services: schema.array(
    schema.object({
      name: text,
      host: text,
      standby: text,
      data: schema.array(schema.object({ name: text, to: text, start: text })),
      names: texts,
      project: text,
      url: text,
      repository: text,
      branch: text,
      paths: texts,
      folder: text,
      files: texts,
      checks: texts,
      secrets: text,
      watchSeconds: schema.number(),
      images: schema.record(text),
      updates: schema.record(text),
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
      user: text,
      password: schema.string('A reference'),
      runAs: text,
      address: text,
      port: schema.integer(),
      service: text,
    }),
  ),
  clusters: schema.array(
    schema.object({
      name: text,
      members: schema.array(schema.record(schema.anything()), 'In the words of Postgres Replication'),
      preferred: text,
      names: texts,
      routes: schema.array(
        schema.object({
          kind: schema.oneOf(['pgbouncer', 'haproxy']),
          host: text,
          databases: texts,
          port: schema.integer(),
        }),
      ),
      synchronous: toggle,
      commitFence: toggle,
      firewall: toggle,
      powerOff: toggle,
      allowCopy: toggle,
      allowRestart: toggle,
      stanza: text,
      backupMember: text,
      backupConfig: text,
      scratch: text,
    }),
    'Pairs of PostgreSQL servers that fail over',
  ),
  drills: schema.array(
    schema.object({ name: text, kind: schema.oneOf(DRILL_KINDS), of: text, everyDays: schema.number() }),
  ),
  folders: schema.array(
    schema.object({
      name: text,
      host: text,
      path: text,
      excludes: texts,
      as: schema.oneOf(FOLDER_KINDS),
      marker: text,
      tolerateChanges: toggle,
      to: texts,
    }),
  ),
  commands: schema.array(schema.object({ name: text, host: text, argv: texts, runAs: text })),
  destinations: schema.array(
    schema.object({
      name: text,
      remote: text,
      provider,
      host: text,
      bandwidth: text,
      undeletable: toggle,
      attempts: schema.integer(),
      pauseSeconds: schema.integer(),
    }),
  ),
  backups: schema.object({
    quorum: schema.integer(),
    everyHours: schema.number(),
    keep: schema.object(Object.fromEntries(PERIODS.map((period) => [period, schema.integer()]))),
    treePassword: schema.string('A reference'),
    deadManUrl: text,
    searched: texts,
    ignore: texts,
    retryMinutes: schema.number(),
    spool: text,
    logFile: text,
    kit: schema.object({
      host: text,
      recipients: texts,
      places: schema.array(schema.object({ name: text, remote: text, provider, host: text })),
      keys: schema.anything('References by name'),
    }),
  }),
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
  git: schema.object({
    ...gitPlace,
    mirror: schema.nullable(schema.object({ ...gitPlace, behindHours: schema.number() }, 'A copy elsewhere')),
  }),
  rotations: schema.array(
    schema.object({
      name: text,
      secrets: text,
      key: text,
      host: text,
      at: schema.oneOf(ROTATED_AT),
      role: text,
      address: text,
      adminUser: text,
      adminPassword: schema.string('A secret reference'),
      container: text,
      database: text,
      program: texts,
      services: texts,
    }),
  ),
  terraform: schema.array(
    schema.object({ name: text, host: text, directory: text, program: text, secrets: text, repository: text }),
  ),
  ansible: schema.array(
    schema.object({ name: text, host: text, directory: text, playbook: text, hosts: text, program: text }),
  ),
};
