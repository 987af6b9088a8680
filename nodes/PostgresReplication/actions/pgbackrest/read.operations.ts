import { verifyRepository } from '../../../../lib/postgres/pgbackrest/backup';
import { readFeatures } from '../../../../lib/postgres/pgbackrest/features';
import { readInfo } from '../../../../lib/postgres/pgbackrest/info';
import { checkArchiving } from '../../../../lib/postgres/pgbackrest/stanza-commands';
import { number, optional, schema } from '../../../declaration';
import { operation } from '../../operation';
import { lookOptions, placeOf, placeSchema, repositoryOption, stanzaFields, timeoutOption, told } from './stanza';
import { backupSchema } from './backup.operations';

const info = operation({
  resource: 'pgBackRest',
  name: 'info',
  action: 'Look at backups and the archive',
  description:
    'Backups per repository, the age of the newest, the archiver, and what WAL is missing in between; one verdict with reasons. Tells also what this version of pgBackRest can do.',
  effect: 'reads',
  input: {
    ...stanzaFields,
    options: optional({
      ...lookOptions,
      oldestHours: number({
        label: 'Newest Backup at Most (Hours)',
        default: 26,
        min: 0,
        max: 8760,
        description: 'An older newest backup is a reason to worry',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      verdict: schema.oneOf(['ok', 'warning', 'failing']),
      reasons: schema.array(schema.string()),
      pgBackRest: schema.object({
        version: schema.string(),
        sftp: schema.boolean('Repositories by SFTP'),
        blockIncremental: schema.boolean('Backups of changed blocks only'),
      }),
      repositories: schema.array(
        schema.object({
          key: schema.integer(),
          status: schema.oneOf(['ok', 'no stanza', 'no backups', 'damaged', 'unreachable']),
          why: schema.string(),
          cipher: schema.string(),
          backups: schema.integer(),
          newest: schema.nullable(schema.string('Label of the newest backup')),
          newestAt: schema.nullable(schema.string()),
          newestAgeSeconds: schema.nullable(schema.integer()),
          bytes: schema.number(),
        }),
      ),
      backups: schema.array(schema.object(backupSchema)),
      archives: schema.array(
        schema.object({
          id: schema.string(),
          repository: schema.integer(),
          segments: schema.integer(),
          oldest: schema.nullable(schema.string()),
          newest: schema.nullable(schema.string()),
          newestAt: schema.nullable(schema.string('Restores to a time reach so far')),
          gaps: schema.array(
            schema.object({ from: schema.string(), to: schema.string(), count: schema.integer() }),
            'WAL that a kept backup needs and that is not there',
          ),
          missing: schema.integer(),
        }),
      ),
      archiver: schema.nullable(
        schema.object({
          mode: schema.string(),
          failing: schema.boolean(),
          lastArchived: schema.nullable(schema.string()),
          lastArchivedAt: schema.nullable(schema.string()),
          lastFailed: schema.nullable(schema.string()),
          lastFailedAt: schema.nullable(schema.string()),
          waitingBytes: schema.number('WAL that waits to be archived'),
        }),
      ),
      backupRunning: schema.boolean(),
      systemIdentifier: schema.nullable(schema.string()),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { oldestHours } = input.options;
    const wish = { ...(oldestHours !== undefined && { oldestSeconds: oldestHours * 3600 }) };
    const [pgBackRest, { archiveIds: _, systems: __, ...seen }] = await Promise.all([
      readFeatures(place.stanza, task),
      readInfo(place.stanza, wish, task),
    ]);
    return { ...seen, ...told(place), pgBackRest };
  },
});

const check = operation({
  resource: 'pgBackRest',
  name: 'check',
  action: 'Check that WAL is archived',
  description:
    'Has PostgreSQL archive what it has, and waits until that is in every repository. Do it before a restore to a moment of today.',
  effect: 'reads',
  input: {
    ...stanzaFields,
    seconds: number({ label: 'Within (Seconds)', default: 60, min: 1, max: 3600, integer: true }),
    options: optional(lookOptions),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      ok: schema.boolean(),
      archived: schema.nullable(schema.string('The segment that was switched and found in the repository')),
      tookMs: schema.integer(),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    return { ...told(place), ...(await checkArchiving(place.stanza, input.seconds, task)) };
  },
});

const verify = operation({
  resource: 'pgBackRest',
  name: 'verify',
  action: 'Verify a repository',
  description:
    'Reads every file of a repository and compares it with its checksum, as a job on the host. What it says nothing about are gaps in the WAL: Info finds those.',
  effect: 'reads',
  input: {
    ...stanzaFields,
    options: optional({ ...lookOptions, repository: repositoryOption, timeoutHours: timeoutOption }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      ok: schema.boolean(),
      problems: schema.array(schema.string(), 'What is missing or damaged'),
      walChecked: schema.integer(),
      walValid: schema.integer(),
      files: schema.array(
        schema.object({
          label: schema.string(),
          status: schema.string(),
          checked: schema.integer(),
          valid: schema.integer(),
        }),
      ),
      tookMs: schema.integer(),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { repository, timeoutHours = 24 } = input.options;
    const wish = { timeoutMs: timeoutHours * 3_600_000, ...(repository !== undefined && { repository }) };
    return { ...told(place), ...(await verifyRepository(place.stanza, wish, task)) };
  },
});

export const readOperations = [check, info, verify];
