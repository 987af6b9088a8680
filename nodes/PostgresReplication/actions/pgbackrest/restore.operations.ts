import {
  applyRestore,
  forgetFormerData,
  planRestore,
  undoRestore,
  type RestoreWish,
} from '../../../../lib/postgres/pgbackrest/restore';
import { choice, optional, schema, text } from '../../../declaration';
import { operation } from '../../operation';
import { placeOf, placeSchema, stanzaFields, stanzaOptions, timeoutOption, told } from './stanza';
import { chosenOf, restoreOptions, targetFields, targetOf } from './target';

const restore = operation({
  resource: 'pgBackRest',
  name: 'restore',
  label: 'Restore over the Server',
  action: 'Restore over the real server',
  description:
    'Takes the server back to a moment: every commit after it is gone from there. Only what a dry run has planned, by its hash; the dry run refuses a moment that cannot be had. Nothing is restored while a standby follows or may be promoted. Try the moment in a scratch folder first.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    ...stanzaFields,
    ...targetFields,
    method: choice({
      options: {
        aside: {
          label: 'Put Aside What Is There',
          description: 'It comes back when the restore fails; the disk needs room for both',
        },
        delta: { label: 'Only What Differs', description: 'Faster, and what was there is gone' },
      },
      default: 'aside',
    }),
    planHash: text({
      label: 'Plan Hash',
      description: 'From a dry run: exactly that is done, or nothing. Needed unless it is a dry run.',
    }),
    options: optional({ ...stanzaOptions, ...restoreOptions, timeoutHours: timeoutOption }),
  },
  output: schema.lazy(() =>
    schema.object({
      ...placeSchema,
      changed: schema.boolean('Not when an earlier run of the same plan had done it'),
      dryRun: schema.boolean(),
      hash: schema.string('Give it as Plan Hash, so that exactly this is done'),
      lines: schema.array(schema.string(), 'What is done, and what is lost by it'),
      earlier: schema.nullable(
        schema.object(
          { step: schema.oneOf(['begun', 'restored', 'done']), at: schema.string() },
          'How far an earlier run of this very plan had come: what was cut off is gone on with, what is done is not done again',
        ),
      ),
      inTheWay: schema.array(
        schema.object({ member: schema.string(), why: schema.string() }),
        'Standbys that have to be let go first; nothing is restored as long as they are there',
      ),
      timeline: schema.nullable(schema.integer('The new history')),
      target: schema.nullable(schema.string()),
      keptAside: schema.nullable(schema.string('Where the former data is, until Forget Former Data takes it away')),
      job: schema.nullable(schema.string()),
      seconds: schema.nullable(schema.number()),
      nextStep: schema.string(),
    }),
  ),
  run: async ({ input, approvedHash, refuseHeld, cluster, task, ...context }) => {
    await refuseHeld(cluster.members);
    const place = await placeOf({ ...context, cluster, refuseHeld }, input, task);
    const { stanza, others } = place;
    const { dryRun, method, options } = input;
    const wish: RestoreWish = { target: targetOf(input), method, others, ...chosenOf(options) };
    if (dryRun) {
      const plan = await planRestore(stanza, wish, task);
      const nothing = { timeline: null, target: null, keptAside: null, job: null, seconds: null };
      const changed = plan.earlier?.step !== 'done';
      const inTheWay = plan.inTheWay.map(({ member }) => member).join(', ');
      const nextStep = changed
        ? `Read every line; then ${inTheWay === '' ? '' : `let go of ${inTheWay} (Remove a Standby), and `}run it with this hash as Plan Hash.`
        : 'It is done already. To restore once more, let go of what was put aside (Forget Former Data) or go back to it (Undo Restore) first.';
      return { ...told(place), changed, dryRun, ...plan, ...nothing, nextStep };
    }
    const agreed = input.planHash === '' ? approvedHash : input.planHash;
    const timeoutMs = (options.timeoutHours ?? 24) * 3_600_000;
    const done = await applyRestore(stanza, wish, { agreed, timeoutMs }, task);
    return { ...told(place), dryRun, ...done };
  },
});

const asideSchema = () =>
  schema.object({
    ...placeSchema,
    changed: schema.boolean('In a dry run: whether there is anything aside'),
    dryRun: schema.boolean(),
  });

const undo = operation({
  resource: 'pgBackRest',
  name: 'undoRestore',
  action: 'Undo a restore',
  description: 'Puts back what the restore has put aside; every commit since then is gone with it',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: { ...stanzaFields, options: optional(stanzaOptions) },
  output: schema.lazy(asideSchema),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { dryRun } = input;
    return { ...told(place), dryRun, ...(await undoRestore(place.stanza, { dryRun }, task)) };
  },
});

const forget = operation({
  resource: 'pgBackRest',
  name: 'forgetFormerData',
  action: 'Forget what a restore has put aside',
  description: 'Takes the former data folder away, for good',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: { ...stanzaFields, options: optional(stanzaOptions) },
  output: schema.lazy(asideSchema),
  run: async ({ input, task, ...context }) => {
    const place = await placeOf(context, input, task);
    const { dryRun } = input;
    return { ...told(place), dryRun, ...(await forgetFormerData(place.stanza, { dryRun }, task)) };
  },
});

export const restoreOperations = [forget, restore, undo];
