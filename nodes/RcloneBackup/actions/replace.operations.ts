import { chooseBackup, destinationNamed } from '../../../lib/backup/inventory/choose';
import type { PostgresSource } from '../../../lib/backup/plan';
import { resolvedSource, withSecrets } from '../../../lib/backup/described/described';
import { applyReplace, previewReplace, type ReplaceRequest } from '../../../lib/backup/replace';
import { Failure } from '../../../lib/failure';
import type { Task } from '../../../lib/task';
import { choice, optional, schema, text } from '../../declaration';
import { backupField, destinationField, hostField, options, planField, sourceField, timeoutHours } from '../fields';
import { operation, type BackupContext } from '../operation';

const fields = {
  host: hostField,
  plan: planField,
  source: sourceField,
  backup: backupField,
  destination: destinationField,
  database: text({
    label: 'Live Database',
    required: true,
    placeholder: 'immich',
    description: 'The name of the database that is replaced, typed out: it must be that of the source',
  }),
  safety: choice({
    options: {
      dump: { label: 'Back Up First', description: 'What is there is carried to the destinations before' },
      aside: {
        label: 'Only Set Aside',
        description: 'For a database that is too broken to be dumped. It stays on the server under another name.',
      },
    },
    default: 'dump',
  }),
} as const;

interface Wanted {
  readonly plan: unknown;
  readonly source: string;
  readonly backup: string;
  readonly destination: string;
  readonly database: string;
  readonly safety: 'dump' | 'aside';
}

async function requested(
  input: Wanted,
  { host, describe, secret, task }: Pick<BackupContext, 'host' | 'describe' | 'secret'> & { readonly task: Task },
): Promise<ReplaceRequest> {
  const described = describe(input.plan);
  const plan = await withSecrets(described.plan, secret);
  const among = input.destination === '' ? plan.destinations : [destinationNamed(plan, input.destination)];
  const wanted = { source: input.source, which: input.backup, among };
  const { source: found, backup, at } = await chooseBackup(host, described, wanted, task);
  const source = await resolvedSource(found, secret);
  if (source.kind !== 'postgres' || source.database !== input.database) throw another(input.database, source.name);
  const own: PostgresSource = source;
  return { plan, source: own, name: backup.name, from: at[0], safety: input.safety };
}

function another(database: string, source: string): Failure {
  return new Failure({
    code: 'replace_refused',
    subject: `database ${database.slice(0, 63)}`,
    message: `Source ${source} is not the PostgreSQL database ${database.slice(0, 63)}, so nothing was looked at or changed`,
    nextStep:
      'Choose the source, and type the name of its database. To restore elsewhere, use Restore, to a new database.',
  });
}

export const previewReplaceOperation = operation({
  resource: 'backup',
  name: 'previewReplace',
  label: 'Preview Replace',
  action: 'Preview the replacement of a live database',
  description:
    'Says what would be lost if a PostgreSQL database were replaced by a backup of it: tables, rows, connections. Changes nothing.',
  effect: 'reads',
  input: { ...fields, options: optional(options) },
  output: schema.lazy(() =>
    schema.object({
      planHash: schema.string('Replace does exactly this, or nothing'),
      sentence: schema.string(),
      database: schema.string(),
      source: schema.string(),
      backup: schema.string(),
      destination: schema.string(),
      runId: schema.string(),
      backupAgeHours: schema.number(),
      bytes: schema.integer('Of the live database'),
      connections: schema.integer('That would be cut'),
      neededBytes: schema.integer('What the backup will take on the disk of the server, about'),
      freeBytes: schema.nullable(schema.integer('On that disk; null where it is not known')),
      leftovers: schema.array(
        schema.object({ name: schema.string(), bytes: schema.integer() }),
        'Databases left of replacements that were broken off; Replace takes them away first',
      ),
      differences: schema.nullable(
        schema.array(
          schema.object({
            table: schema.string(),
            now: schema.nullable(schema.integer()),
            inBackup: schema.nullable(schema.integer()),
          }),
        ),
      ),
      warnings: schema.array(schema.string()),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const request = await requested(input, { ...context, task });
    const { hash, ...plan } = await previewReplace(context.host, request, task);
    return { planHash: hash, source: request.source.name, backup: request.name, ...plan };
  },
});

export const replaceOperation = operation({
  resource: 'backup',
  name: 'replace',
  action: 'Replace a live database by its backup',
  description:
    'Backs up what is there, restores the backup beside it, and changes the two names in one moment. The old database stays under another name.',
  effect: 'destroys',
  needsApproval: true,
  input: {
    ...fields,
    planHash: text({ label: 'Plan Hash', required: true, description: 'From Preview Replace' }),
    options: optional({ ...options, timeoutHours }),
  },
  output: schema.lazy(() =>
    schema.object({
      sentence: schema.string(),
      database: schema.string(),
      source: schema.string(),
      backup: schema.string(),
      destination: schema.string(),
      runId: schema.string(),
      keptAs: schema.string('The database as it was. Drop it yourself when nobody misses it.'),
      safetyBackup: schema.nullable(schema.string('The backup of what was there')),
      tables: schema.array(
        schema.object({ schema: schema.string(), table: schema.string(), rows: schema.integer() }),
        'Counted before the names were changed',
      ),
      seconds: schema.number(),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const request = await requested(input, { ...context, task });
    const timeoutMs = (input.options.timeoutHours ?? 12) * 3_600_000;
    const replaced = await applyReplace(context.host, { ...request, hash: input.planHash, timeoutMs }, task);
    const { database, keptAs, safetyBackup } = replaced;
    const dumped = safetyBackup === null ? '' : `, and as backup ${safetyBackup}`;
    return {
      sentence: `${database} is its backup ${request.name} now. What was there is kept as ${keptAs}${dumped}`,
      source: request.source.name,
      backup: request.name,
      ...replaced,
    };
  },
});
