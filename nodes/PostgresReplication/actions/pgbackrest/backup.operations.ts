import { expire, takeBackup } from '../../../../lib/postgres/pgbackrest/backup';
import { choice, optional, schema, text, toggle } from '../../../declaration';
import { planHashField } from '../../fields';
import { operation } from '../../operation';
import {
  agreementOf,
  placeOf,
  placeSchema,
  repositoryOption,
  stanzaFields,
  stanzaOptions,
  timeoutOption,
  told,
} from './stanza';

export const backupSchema = {
  label: schema.string(),
  repository: schema.integer(),
  system: schema.integer('Number of its database system in that repository; a new major version is a new one'),
  type: schema.oneOf(['full', 'diff', 'incr']),
  startedAt: schema.string(),
  stoppedAt: schema.string(),
  stopLsn: schema.string(),
  firstWal: schema.string(),
  lastWal: schema.string(),
  damagedPages: schema.boolean('Pages were damaged in the database already'),
  databaseBytes: schema.number(),
  repositoryBytes: schema.number('What this backup alone takes in the repository'),
  needs: schema.array(schema.string(), 'Backups that it cannot be restored without'),
};

const backup = operation({
  resource: 'pgBackRest',
  name: 'backup',
  label: 'Back Up',
  action: 'Take a backup',
  description:
    'As a job on the host, which goes on when the connection or n8n does not; a second call attaches to the one that is going. The first backup is full, whatever is asked for.',
  effect: 'creates',
  input: {
    ...stanzaFields,
    type: choice({
      options: {
        full: { label: 'Full', description: 'Everything' },
        diff: { label: 'Differential', description: 'What has changed since the last full one' },
        incr: { label: 'Incremental', description: 'What has changed since the last of any kind' },
      },
      default: 'incr',
    }),
    options: optional({
      ...stanzaOptions,
      repository: repositoryOption,
      startFast: toggle({
        default: true,
        description: 'Whether to begin with a checkpoint at once instead of waiting for the next',
      }),
      timeoutHours: timeoutOption,
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      changed: schema.boolean(),
      ...backupSchema,
      typeAsked: schema.oneOf(['full', 'diff', 'incr']),
      job: schema.string(),
      tookMs: schema.integer(),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { repository, startFast, timeoutHours = 24 } = input.options;
    const wish = {
      ...{ type: input.type, timeoutMs: timeoutHours * 3_600_000 },
      ...(repository !== undefined && { repository }),
      ...(startFast !== undefined && { startFast }),
    };
    return { ...told(place), changed: true, ...(await takeBackup(place.stanza, wish, task)) };
  },
});

const expireOld = operation({
  resource: 'pgBackRest',
  name: 'expire',
  action: 'Expire backups',
  description:
    'Removes what retention no longer keeps, or one backup with what depends on it. A dry run says what that would be.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    ...stanzaFields,
    set: text({
      label: 'Backup',
      placeholder: '20260131-020000F',
      description: 'Label of one backup. Empty: what retention no longer keeps.',
    }),
    planHash: planHashField,
    options: optional({ ...stanzaOptions, repository: repositoryOption }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      changed: schema.boolean('In a dry run: whether something would go'),
      dryRun: schema.boolean(),
      hash: schema.string('Give it as Plan Hash, so that exactly this is done'),
      lines: schema.array(schema.string(), 'One line for each thing that goes'),
    }),
  ),
  run: async ({ input, approvedHash, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { set, dryRun, options } = input;
    const { repository } = options;
    const agreed = input.planHash === '' ? approvedHash : input.planHash;
    const { hash, agree } = agreementOf(place, 'expire', { set, repository: repository ?? null }, agreed);
    const wish = {
      dryRun,
      ...(repository !== undefined && { repository }),
      ...(set !== '' && { set }),
      ...(agreed !== '' && { agree: (found: Found) => agree(linesOf(found)) }),
    };
    const lines = linesOf(await expire(place.stanza, wish, task));
    return { ...told(place), changed: lines.length > 0, dryRun, hash: hash(lines), lines };
  },
});

type Found = Pick<Awaited<ReturnType<typeof expire>>, 'backups' | 'archives'>;

function linesOf({ backups, archives }: Found): readonly string[] {
  return [
    ...backups.map((label) => `backup ${label}`),
    ...archives.map(({ repository, id, from, to }) => `repository ${repository}: WAL of ${id} from ${from} to ${to}`),
  ];
}

export const backupOperations = [backup, expireOld];
