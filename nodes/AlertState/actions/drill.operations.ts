import { beginDrill, planDrills, readDrills, recordDrill, type DrillView } from '../../../lib/alert/drills';
import { Failure } from '../../../lib/failure';
import { isObject } from '../../../lib/json';
import { json, number, schema, text, toggle } from '../../declaration';
import { place } from '../fields';
import { operation } from '../operation';

const drillField = text({ label: 'Drill', required: true, placeholder: 'switchover of immich' });

const facts = () => ({
  name: schema.string(),
  everyDays: schema.number('0: no calendar wants it'),
  due: schema.boolean('It should be done now'),
  overdue: schema.boolean('It has not succeeded for so long that somebody should know'),
  dueAt: schema.string(),
  lastAt: schema.nullable(schema.string()),
  lastGoodAt: schema.nullable(schema.string()),
  ok: schema.nullable(schema.boolean('Of the last time')),
  seconds: schema.nullable(schema.number('How long the last one took')),
  sentence: schema.nullable(schema.string()),
  times: schema.array(schema.number(), 'How long those that succeeded took, in seconds, oldest first'),
});

const output = schema.lazy(() => schema.object(facts()));

const begunOutput = schema.lazy(() =>
  schema.object({ begun: schema.boolean('It is ours: do it, and write it down'), ...facts() }),
);

function shown({ name, everyDays, due, overdue, dueAt, last, lastGoodAt, runs }: DrillView) {
  const iso = (at: number | null | undefined) => (at === null || at === undefined ? null : new Date(at).toISOString());
  return {
    ...{ name, everyDays, due, overdue, dueAt: new Date(dueAt).toISOString() },
    ...{ lastAt: iso(last?.at), lastGoodAt: iso(lastGoodAt) },
    ...{ ok: last?.ok ?? null, seconds: last?.seconds ?? null, sentence: last?.sentence ?? null },
    times: runs.filter(({ ok }) => ok).map(({ seconds }) => seconds),
  };
}

function parseDrills(value: unknown): readonly { readonly name: string; readonly everyDays: number }[] {
  const wrong = (why: string) =>
    new Failure({
      code: 'drills_unusable',
      subject: 'the drills',
      message: `The drills cannot be used: ${why}`,
      nextStep: 'Give a list like [{ "name": "switchover of immich", "everyDays": 30 }].',
    });
  if (!Array.isArray(value)) throw wrong('they are no list');
  return value.map((one: unknown) => {
    if (!isObject(one) || typeof one['name'] !== 'string' || one['name'].trim() === '') throw wrong('one has no name');
    const { everyDays } = one;
    if (typeof everyDays !== 'number' || !(everyDays > 0)) throw wrong(`"${one['name']}" has no everyDays`);
    return { name: one['name'].trim(), everyDays };
  });
}

export const drillOperations = [
  operation({
    resource: 'drill',
    name: 'plan',
    action: 'Look which drills are due',
    description:
      'From now on these are wanted; tells of each when it was done, how long that took, and whether it is due or overdue',
    effect: 'changes',
    input: {
      ...place,
      drills: json({
        label: 'Drills',
        required: true,
        default: '[{ "name": "switchover of immich", "everyDays": 30 }]',
        parse: parseDrills,
        description: 'A list with name and everyDays. What else stands there is passed over.',
      }),
    },
    output,
    run: async ({ input, store }) => (await planDrills(store, input.estate, parseDrills(input.drills))).map(shown),
  }),
  operation({
    resource: 'drill',
    name: 'begin',
    action: 'Begin a drill',
    description:
      'Takes it, when it is due and nobody else is at it. It is given back when written down, or after 6 hours.',
    effect: 'changes',
    input: { ...place, drill: drillField },
    output: begunOutput,
    run: async ({ input, store }) => {
      const { begun, view } = await beginDrill(store, input.estate, input.drill);
      return { begun, ...shown(view) };
    },
  }),
  operation({
    resource: 'drill',
    name: 'record',
    action: 'Write down a drill',
    description: 'That it was done, how long it took and what came of it. The status page shows it.',
    effect: 'changes',
    input: {
      ...place,
      drill: drillField,
      ok: toggle({ label: 'Succeeded', default: true, description: 'Whether it did what it should' }),
      seconds: number({ label: 'Seconds', default: 0, min: 0 }),
      sentence: text({ label: 'Outcome', placeholder: 'there and back, writes waited for 0.8 s' }),
    },
    output,
    run: async ({ input, store }) => {
      const { drill, ok, seconds, sentence } = input;
      return shown(await recordDrill(store, input.estate, drill, { ok, seconds, sentence }));
    },
  }),
  operation({
    resource: 'drill',
    name: 'list',
    action: 'List drills',
    description: 'Every drill that is wanted or was done',
    effect: 'reads',
    input: place,
    output,
    run: async ({ input, store }) => (await readDrills(store, input.estate)).map(shown),
  }),
];
