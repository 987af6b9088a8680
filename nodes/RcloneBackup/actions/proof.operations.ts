import type { Described } from '../../../lib/backup/described/described';
import { storedPlan } from '../../../lib/backup/described/groups';
import { chooseBackup, chooseFrom, destinationNamed, sourceNamed } from '../../../lib/backup/inventory/choose';
import { listStored } from '../../../lib/backup/inventory/listing';
import type { DatabaseAccess, Source } from '../../../lib/backup/plan';
import { drillRestore, restoreBackup, type RestoreTarget } from '../../../lib/backup/restore';
import { verifyBackup, type VerifyDepth } from '../../../lib/backup/verify';
import { choice, list, number, optional, schema, text, when } from '../../declaration';
import {
  backupField,
  destinationField,
  hostField,
  options,
  planField,
  sourceField,
  throwawayFolder,
  timeoutHours,
} from '../fields';
import { operation, type BackupContext } from '../operation';

export const verifyOperation = operation({
  resource: 'backup',
  name: 'verify',
  action: 'Verify a backup',
  description:
    'Compares a backup with its manifest at every destination: sizes and hashes, or by downloading some or all of it',
  effect: 'reads',
  input: {
    host: hostField,
    plan: planField,
    source: text({ label: 'Source', placeholder: 'postgres/immich', description: 'Empty: every source of the plan' }),
    backup: backupField,
    depth: choice({
      options: {
        hash: { label: 'Sizes and Hashes', description: 'Asks the remotes; nothing is downloaded' },
        sample: { label: 'Sample', description: 'Downloads some parts, too' },
        full: { label: 'Everything', description: 'Downloads all of it, decrypts it and reads it to its end' },
      },
      default: 'hash',
    }),
    parts: when('depth', ['sample'], number({ label: 'Parts', default: 3, min: 1, max: 10_000, integer: true })),
    options: optional({ ...options, timeoutHours }),
  },
  output: schema.lazy(() =>
    schema.object({
      source: schema.string(),
      backup: schema.string(),
      destination: schema.string(),
      good: schema.boolean('Nothing is wrong with it; it may still be unproven'),
      status: schema.oneOf(['proven', 'unproven', 'damaged', 'missing', 'unreachable']),
      sentence: schema.string(),
      compared: schema.string('Which hash the remote was asked for, or none'),
      readBack: schema.integer('Parts that were downloaded'),
      problems: schema.array(
        schema.object({
          part: schema.string(),
          problem: schema.oneOf(['missing', 'size', 'hash', 'unreadable']),
        }),
      ),
    }),
  ),
  run: async function* ({ input, host, describe, task }) {
    const described = describe(input.plan);
    const { vault, destinations } = described.plan;
    const listings = await listStored(host, vault, destinations, task);
    const plan = storedPlan(described, listings);
    const sources = input.source === '' ? plan.sources : [sourceNamed(plan, input.source)];
    const depth: VerifyDepth =
      input.depth === 'sample' ? { kind: 'sample', parts: input.parts ?? 3 } : { kind: input.depth };
    const timeoutMs = (input.options.timeoutHours ?? 12) * 3_600_000;
    for (const source of sources) {
      const { backup } = chooseFrom(listings, source, input.backup, plan.destinations);
      task.progress({ message: `Verifying ${backup.source} ${backup.name}` });
      const request = { vault: plan.vault, backup, destinations: plan.destinations, depth, timeoutMs };
      const { copies } = await verifyBackup(host, request, task);
      for (const copy of copies) {
        const good = copy.status === 'proven' || copy.status === 'unproven';
        yield { source: backup.source, backup: backup.name, good, ...copy };
      }
    }
  },
});

async function chosen(
  { host, task }: Pick<BackupContext, 'host'> & { readonly task: Parameters<typeof chooseBackup>[3] },
  described: Described,
  input: { readonly source: string; readonly backup: string; readonly destination: string },
) {
  const { plan } = described;
  const random = input.destination === 'random';
  const among = input.destination === '' || random ? plan.destinations : [destinationNamed(plan, input.destination)];
  const wanted = { source: input.source, which: input.backup, among };
  const { source, backup, at } = await chooseBackup(host, described, wanted, task);
  const [first] = at;
  return { source, backup, from: random ? (at[Math.floor(Math.random() * at.length)] ?? first) : first };
}

export const drillOperation = operation({
  resource: 'backup',
  name: 'drill',
  action: 'Prove that a backup restores',
  description:
    'Restores a backup into a throwaway database or folder on the host, compares it with what was dumped, times it, and takes it away again',
  effect: 'creates',
  input: {
    host: hostField,
    plan: planField,
    source: sourceField,
    backup: backupField,
    destination: text({
      label: 'Destination',
      placeholder: 'random',
      description: 'Its name in the plan, or random. Empty: the first that has it complete.',
    }),
    options: optional({
      ...options,
      timeoutHours,
      folder: throwawayFolder,
      image: text({
        label: 'Docker Image',
        placeholder: 'ghcr.io/immich-app/postgres:16-vectorchord0.4.3',
        description:
          'Databases are restored into a container of this image, without a network, instead of a server of the host: for extensions and versions that the host has not',
      }),
      dockerSocket: text({ label: 'Docker Socket', placeholder: '/var/run/docker.sock' }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      source: schema.string(),
      backup: schema.string(),
      destination: schema.string(),
      restorable: schema.boolean(),
      seconds: schema.number('What a restore would take: the recovery time'),
      sentence: schema.string(),
      tables: schema.integer(),
      differences: schema.array(
        schema.object({
          table: schema.string(),
          expected: schema.nullable(schema.integer()),
          found: schema.nullable(schema.integer()),
        }),
      ),
      amcheck: schema.nullable(schema.boolean()),
    }),
  ),
  run: async ({ input, host, describe, task }) => {
    const described = describe(input.plan);
    const { backup, from } = await chosen({ host, task }, described, input);
    const { folder = '', image = '', dockerSocket = '', timeoutHours: hours = 12 } = input.options;
    const container = image === '' ? undefined : { image, ...(dockerSocket !== '' && { dockerSocket }) };
    const request = {
      vault: described.plan.vault,
      backup,
      from,
      timeoutMs: hours * 3_600_000,
      ...(folder !== '' && { folder }),
      ...(container !== undefined && { container }),
    };
    return { source: backup.source, backup: backup.name, ...(await drillRestore(host, request, task)) };
  },
});

export const restoreOperation = operation({
  resource: 'backup',
  name: 'restore',
  action: 'Restore a backup',
  description: 'Restores a backup to a new file, folder or database. Nothing that is there is ever written over.',
  effect: 'creates',
  input: {
    host: hostField,
    plan: planField,
    source: sourceField,
    backup: backupField,
    destination: destinationField,
    target: choice({
      options: {
        file: { label: 'File', description: 'The stream as it was dumped' },
        directory: { label: 'Folder', description: 'Unpacks a folder' },
        dockerVolume: { label: 'Docker Volume', description: 'Unpacks a folder or volume into a new volume' },
        mysql: {
          label: 'MariaDB or MySQL Database',
          description: 'A new database, reached like the source in the plan',
        },
        postgres: { label: 'PostgreSQL Database', description: 'A new database, reached like the source in the plan' },
      },
      default: 'file',
    }),
    path: when(
      'target',
      ['file', 'directory'],
      text({ placeholder: '/root/restored', description: 'Must not be there yet' }),
    ),
    only: when(
      'target',
      ['directory'],
      list({ label: 'Only These Paths', description: 'Files and folders within it. Empty: everything.' }),
    ),
    volume: when(
      'target',
      ['dockerVolume'],
      text({ placeholder: 'immich_restored', description: 'Must not be there yet' }),
    ),
    database: when(
      'target',
      ['mysql', 'postgres'],
      text({ placeholder: 'immich_restored', description: 'Must not be there yet' }),
    ),
    options: optional({
      ...options,
      timeoutHours,
      like: text({
        label: 'Like Database',
        placeholder: 'immich',
        description:
          'PostgreSQL: one that it will stand in for. It gets that one’s owner, settings and grants, and the dump’s own owners.',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      source: schema.string(),
      backup: schema.string(),
      destination: schema.string(),
      runId: schema.string(),
      target: schema.string(),
      seconds: schema.number(),
      tables: schema.array(
        schema.object({ schema: schema.string(), table: schema.string(), rows: schema.integer() }),
        'Counted after the restore',
      ),
    }),
  ),
  run: async ({ input, host, describe, secret, task }) => {
    const described = describe(input.plan);
    const { source, backup, from } = await chosen({ host, task }, described, input);
    const target = await targetOf({ ...input, like: input.options.like ?? '' }, source, secret);
    const timeoutMs = (input.options.timeoutHours ?? 12) * 3_600_000;
    const restored = await restoreBackup(host, { vault: described.plan.vault, backup, from, target, timeoutMs }, task);
    return { source: backup.source, backup: backup.name, target: placeOf(target), ...restored };
  },
});

interface WantedTarget {
  readonly target: 'file' | 'directory' | 'dockerVolume' | 'mysql' | 'postgres';
  readonly path: string | undefined;
  readonly only: readonly string[] | undefined;
  readonly volume: string | undefined;
  readonly database: string | undefined;
  readonly like: string;
}

async function targetOf(
  { target, path = '', only = [], volume = '', database = '', like }: WantedTarget,
  source: Source,
  secret: BackupContext['secret'],
): Promise<RestoreTarget> {
  switch (target) {
    case 'file':
      return { kind: target, path };
    case 'directory':
      return { kind: target, path, ...(only.length > 0 && { only }) };
    case 'dockerVolume':
      return { kind: 'docker-volume', volume };
    case 'mysql':
      return { kind: target, database, access: await accessOf(source, target, secret) };
    case 'postgres': {
      const access = await accessOf(source, target, secret);
      return { kind: target, database, access, ...(like !== '' && { like }) };
    }
  }
}

/** A new database stands on the server of its source; where the source is none of that kind, on the local one. */
async function accessOf(
  source: Source,
  kind: 'mysql' | 'postgres',
  secret: BackupContext['secret'],
): Promise<DatabaseAccess> {
  if (source.kind !== kind) return {};
  const { runAs, address, port, user, password, container, dockerSocket } = source;
  const resolved = password === undefined ? undefined : await secret(password);
  return { runAs, address, port, user, password: resolved, container, dockerSocket };
}

function placeOf(target: RestoreTarget): string {
  switch (target.kind) {
    case 'file':
    case 'directory':
      return target.path;
    case 'docker-volume':
      return target.volume;
    case 'postgres-roles':
      return 'roles';
    case 'mysql':
    case 'postgres':
      return target.database;
  }
}
