import { Failure } from '../../../../lib/failure';
import type { Host } from '../../../../lib/host/host';
import { liftHold, readHold, setHold, type Hold } from '../../../../lib/host/hold';
import type { Task } from '../../../../lib/task';
import { number, optional, schema, text } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';

const holdFacts = {
  host: schema.string(),
  state: schema.oneOf(['none', 'held', 'expired']),
  who: schema.nullable(schema.string()),
  why: schema.nullable(schema.string()),
  until: schema.nullable(schema.string('Null: until it is lifted')),
  warning: schema.nullable(schema.string('Of a hold that has expired and was not lifted')),
} as const;

function holdItem(host: string, hold: Hold) {
  if (hold.kind === 'none') return { host, state: hold.kind, who: null, why: null, until: null, warning: null };
  const { kind: state, who = null, why = null, until } = hold;
  const warning = hold.kind === 'expired' ? hold.warning : null;
  return { host, state, who, why, until: until?.toISOString() ?? null, warning };
}

const options = optional({ hostKeys: hostOptions.hostKeys });

export const readHoldOperation = operation({
  resource: 'hold',
  name: 'get',
  action: 'Get the hold of a host',
  description: 'Tells whether somebody keeps automatic changes away from a host',
  effect: 'reads',
  input: { host: hostField, options },
  output: schema.object(holdFacts),
  run: async ({ host, task }) => holdItem(host.target.name, await readHold(host, task)),
});

export const setHoldOperation = operation({
  resource: 'hold',
  name: 'set',
  action: 'Put a host on hold',
  description: 'Keeps every automatic change away from a host until it is lifted or expires',
  effect: 'changes',
  dryRun: true,
  input: {
    host: hostField,
    who: text({ required: true, placeholder: 'felipe' }),
    why: text({ required: true, placeholder: 'replacing a disk' }),
    hours: number({
      default: 2,
      min: 0,
      description: 'After so long it expires with a warning. 0: until it is lifted.',
    }),
    options,
  },
  output: schema.object({ ...holdFacts, changed: schema.boolean(), dryRun: schema.boolean() }),
  run: async ({ input, host, task }) => {
    const until = input.hours === 0 ? undefined : new Date(Date.now() + input.hours * 3_600_000);
    const { name } = host.target;
    const note = { who: input.who, why: input.why, until };
    const { dryRun } = input;
    if (dryRun) return { ...holdItem(name, { kind: 'held', path: '', ...note }), changed: true, dryRun };
    const { changed } = await setHold(host, note, task);
    const now = await readHold(host, task);
    if (now.kind === 'held') return { ...holdItem(name, now), changed, dryRun };
    throw new Failure({
      code: 'hold_not_set',
      subject: `host ${name}`,
      message: `The hold of ${name} was set but does not hold`,
      nextStep: 'Check the clock of the host, and set it again.',
    });
  },
});

export const liftHoldOperation = operation({
  resource: 'hold',
  name: 'lift',
  action: 'Lift the hold of a host',
  description: 'Lets automatic changes go on',
  effect: 'changes',
  dryRun: true,
  input: { host: hostField, options },
  output: schema.object({
    ...holdFacts,
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    was: schema.object(holdFacts),
  }),
  run: async ({ input, host, task }) => {
    const { name } = host.target;
    const { dryRun } = input;
    const { changed, was } = dryRun ? await wouldLift(host, task) : await liftHold(host, task);
    return { ...holdItem(name, { kind: 'none' }), changed, dryRun, was: holdItem(name, was) };
  },
});

async function wouldLift(host: Host, task: Task) {
  const was = await readHold(host, task);
  return { changed: was.kind !== 'none', was };
}
