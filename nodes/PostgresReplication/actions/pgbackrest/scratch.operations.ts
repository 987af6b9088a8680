import { drill as runDrill } from '../../../../lib/postgres/pgbackrest/drill';
import { removeScratch, restoreToScratch, startScratch } from '../../../../lib/postgres/pgbackrest/scratch';
import { choices, list, number, optional, schema, text, toggle } from '../../../declaration';
import { operation } from '../../operation';
import { placeOf, placeSchema, repositoryOption, stanzaFields, stanzaOptions, timeoutOption, told } from './stanza';
import { atTime, chosenOf, restoreOptions, targetFields, targetOf } from './target';

const folder = text({
  label: 'Scratch Folder',
  required: true,
  placeholder: '/srv/scratch',
  pattern: { matches: /^\/[^\0\r\n]+$/, says: 'an absolute path' },
  description: 'On the host of that member. It must not exist yet, or be one that an earlier restore has made.',
});

const toScratch = operation({
  resource: 'pgBackRest',
  name: 'restoreScratch',
  label: 'Restore to Scratch',
  action: 'Restore a copy beside the real one',
  description:
    'Restores into a folder of its own and starts a server there that hears on a socket in it only. The real server is not touched. Asked again for the same moment it answers with the copy that runs there.',
  effect: 'creates',
  input: {
    ...stanzaFields,
    folder,
    ...targetFields,
    options: optional({
      ...stanzaOptions,
      ...restoreOptions,
      start: toggle({ default: true, description: 'Whether to start a server in it' }),
      timeoutHours: timeoutOption,
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      changed: schema.boolean('Not when a copy of the same moment runs there already'),
      folder: schema.string(),
      socketFolder: schema.nullable(schema.string('Where psql -h gets in, as PostgreSQL’s user')),
      backup: schema.string('Label of the backup it began with'),
      target: schema.string(),
      lastCommitAt: schema.nullable(schema.string('Of the last commit that was played back')),
      restoredAt: schema.string('When its files were restored'),
      job: schema.nullable(schema.string()),
      tookMs: schema.integer(),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { start = true, timeoutHours = 24 } = input.options;
    const wish = {
      ...{ folder: input.folder, target: targetOf(input), start, timeoutMs: timeoutHours * 3_600_000 },
      ...chosenOf(input.options),
    };
    return { ...told(place), ...(await restoreToScratch(place.stanza, wish, task)) };
  },
});

const start = operation({
  resource: 'pgBackRest',
  name: 'startScratch',
  action: 'Start a restored copy',
  description: 'Starts the server in a scratch folder that was restored without that, or after its host was restarted',
  effect: 'changes',
  input: {
    ...stanzaFields,
    folder,
    options: optional({ ...stanzaOptions, timeoutHours: timeoutOption }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      changed: schema.boolean(),
      socketFolder: schema.string('Where psql -h gets in, as PostgreSQL’s user'),
      lastCommitAt: schema.nullable(schema.string('Of the last commit that was played back')),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const timeoutMs = (input.options.timeoutHours ?? 24) * 3_600_000;
    const lastCommitAt = await startScratch(place.stanza, input.folder, timeoutMs, task);
    return { ...told(place), changed: true, socketFolder: `${input.folder}/socket`, lastCommitAt };
  },
});

const remove = operation({
  resource: 'pgBackRest',
  name: 'removeScratch',
  action: 'Remove a restored copy',
  description: 'Ends the server in a scratch folder and takes the folder away. Only one that a restore has made.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: { ...stanzaFields, folder, options: optional(stanzaOptions) },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      folder: schema.string(),
      changed: schema.boolean('In a dry run: whether it is there'),
      dryRun: schema.boolean(),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const wish = { folder: input.folder, dryRun: input.dryRun };
    return { ...told(place), ...wish, ...(await removeScratch(place.stanza, wish, task)) };
  },
});

const drill = operation({
  resource: 'pgBackRest',
  name: 'drill',
  action: 'Prove that the backups can be restored',
  description:
    'Restores the newest and a random moment into a scratch folder, starts each, looks for the heartbeat, counts rows, reads every index with pg_amcheck, and throws it away. The real server is only asked for a heartbeat and to archive it.',
  effect: 'changes',
  input: {
    ...stanzaFields,
    folder,
    points: choices({
      options: {
        newest: { label: 'Newest', description: 'As far as there is WAL' },
        random: { label: 'Random Moment', description: 'Since the oldest backup, another one each time' },
      },
      default: ['newest', 'random'],
    }),
    options: optional({
      ...stanzaOptions,
      repository: repositoryOption,
      amcheck: toggle({
        label: 'Check Indexes',
        default: true,
        description: 'Whether to read every index entry with pg_amcheck',
      }),
      heartbeatSeconds: number({
        label: 'Heartbeat at Most (Seconds)',
        default: 900,
        min: 1,
        description: 'How old the newest heartbeat in a copy may be at its target',
      }),
      times: list({
        label: 'Further Times',
        placeholder: '2026-01-31T01:59:00Z',
        description: 'Moments to restore as well, each with its zone',
      }),
      timeoutHours: timeoutOption,
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      ok: schema.boolean(),
      points: schema.array(
        schema.object({
          target: schema.string(),
          backup: schema.string(),
          ok: schema.boolean(),
          problems: schema.array(schema.string()),
          restoreSeconds: schema.number(),
          recoverySeconds: schema.number('Playing back WAL, until it took writes'),
          amcheckSeconds: schema.nullable(schema.number()),
          lastCommitAt: schema.nullable(schema.string()),
          heartbeatAt: schema.nullable(schema.string()),
          heartbeatAgeSeconds: schema.nullable(schema.number('How old it was at the target')),
          databases: schema.array(
            schema.object({ database: schema.string(), tables: schema.integer(), rows: schema.integer() }),
          ),
          job: schema.string(),
        }),
      ),
      seconds: schema.number(),
    }),
  ),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { repository, amcheck, heartbeatSeconds, times = [], timeoutHours = 24 } = input.options;
    const wish = {
      ...{ folder: input.folder, points: [...input.points, ...times.map(atTime)] },
      timeoutMs: timeoutHours * 3_600_000,
      ...(repository !== undefined && { repository }),
      ...(amcheck !== undefined && { amcheck }),
      ...(heartbeatSeconds !== undefined && { heartbeatSeconds }),
    };
    return { ...told(place), ...(await runDrill(place.stanza, wish, task)) };
  },
});

export const scratchOperations = [drill, remove, start, toScratch];
