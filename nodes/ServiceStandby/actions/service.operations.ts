import { carryData, placeData } from '../../../lib/standby/carry';
import { runs, type Sight, statusOf } from '../../../lib/standby/look';
import type { Place, Service } from '../../../lib/standby/service';
import { keepDown, silence, startService } from '../../../lib/standby/steps';
import { takeTurn, type Turn } from '../../../lib/standby/turn';
import { Failure } from '../../../lib/failure';
import { isObject } from '../../../lib/json';
import { choice, json, list, number, optional, schema, text, toggle } from '../../declaration';
import { changeOptions as hostChangeOptions, hostField, hostOptions } from '../../Host/fields';
import { operation } from '../operation';

const which = {
  service: text({ required: true, placeholder: 'forgejo', description: 'The same name in every flow' }),
  directory: text({
    required: true,
    placeholder: '/srv/forgejo',
    description: 'Folder of its Compose files, the same on both hosts',
  }),
  home: { ...hostField, label: 'Home', required: true, description: 'The host where it lives' },
  standby: {
    ...hostField,
    label: 'Standby',
    required: true,
    description: 'The host where it goes when its home is gone. It keeps the claims that say whose turn it is.',
  },
};

const socketPath = (label: string) =>
  text({
    label,
    placeholder: '/var/run/docker.sock',
    description: 'Where Docker listens there. Empty: its usual place.',
  });
const readOptions = {
  hostKeys: hostOptions.hostKeys,
  homeSocketPath: socketPath('Socket Path at Home'),
  standbySocketPath: socketPath('Socket Path at the Standby'),
};
const changeOptions = { ...readOptions, ignoreHold: hostChangeOptions.ignoreHold };

const turnFields = {
  turn: number({
    label: 'Turn',
    default: 0,
    min: 0,
    integer: true,
    description: 'Number that Take the Turn gave. What belongs to an earlier one is refused on the hosts.',
  }),
  at: choice({
    label: 'Whose Turn',
    options: { home: 'Home', standby: 'Standby' },
    default: 'standby',
    description: 'As Take the Turn gave it',
  }),
};

const place = schema.oneOf(['home', 'standby']);
const turnSchema = schema.object({
  number: schema.integer('0: nobody has ever moved it'),
  at: place,
  by: schema.string(),
  since: schema.nullable(schema.string()),
});
const sightSchema = schema.object({
  host: schema.string(),
  seen: schema.boolean(),
  why: schema.nullable(schema.string()),
  runs: schema.nullable(schema.boolean('Null: nobody knows')),
  startsByItself: schema.array(schema.string(), 'Containers that Docker would start after a crash'),
  placed: schema.nullable(schema.integer('Turn whose data lie there')),
  begun: schema.nullable(schema.integer('Turn for which it was started there')),
  containers: schema.array(
    schema.object({
      name: schema.string(),
      state: schema.string(),
      health: schema.nullable(schema.string()),
      restartPolicy: schema.string(),
    }),
  ),
});

export const getOperation = operation({
  resource: 'service',
  name: 'get',
  action: 'Get where a service runs',
  description: 'Tells whose turn it is, what both hosts see, and whether it runs where it should, nowhere, or twice',
  effect: 'reads',
  input: { ...which, options: optional(readOptions) },
  output: schema.lazy(() =>
    schema.object({
      service: schema.string(),
      verdict: schema.oneOf(['in its place', 'down', 'out of its place', 'twins', 'unclear']),
      turn: turnSchema,
      home: sightSchema,
      standby: sightSchema,
      warnings: schema.array(schema.string()),
    }),
  ),
  run: async ({ input, service, task }) => {
    const { turn, home, standby, verdict, warnings } = await statusOf(service, task);
    return {
      service: input.service,
      verdict,
      turn: flatTurn(turn),
      home: flatSight(service.home.target.name, home),
      standby: flatSight(service.standby.target.name, standby),
      warnings: [...warnings],
    };
  },
});

export const keepDownOperation = operation({
  resource: 'service',
  name: 'keepDown',
  label: 'Start Only When Told',
  action: 'Keep a service from starting by itself',
  description:
    'Takes the restart policy from its containers on one host, so that a host that comes back after a crash starts no second one',
  effect: 'changes',
  needsApproval: true,
  input: {
    ...which,
    at: choice({ label: 'On', options: { home: 'Home', standby: 'Standby' }, default: 'home' }),
    options: optional(changeOptions),
  },
  output: schema.object({ service: schema.string(), host: schema.string(), changed: schema.boolean() }),
  run: async ({ input, service, task }) => ({
    service: input.service,
    host: nameAt(service, input.at),
    ...(await keepDown(service, input.at, task)),
  }),
});

export const takeTurnOperation = operation({
  resource: 'service',
  name: 'takeTurn',
  label: 'Take the Turn',
  action: 'Take the turn for a service',
  description:
    'Claims on the standby that the service is to run on that host from now on. Of any number of n8n one gets it; the others are refused.',
  effect: 'changes',
  needsApproval: true,
  input: {
    ...which,
    to: choice({ options: { home: 'Home', standby: 'Standby' }, default: 'standby' }),
    by: text({
      required: true,
      placeholder: 'n8n-bruno',
      description: 'Name of this n8n, always the same: begun again after a crash, it goes on with its own turn',
    }),
    options: optional({
      ...changeOptions,
      takeOver: toggle({
        label: 'Take Over',
        description: 'Whether to take it from somebody else who has it and will not come back',
      }),
    }),
  },
  output: schema.object({
    service: schema.string(),
    host: schema.string(),
    changed: schema.boolean(),
    number: schema.integer(),
    at: place,
    by: schema.string(),
    since: schema.nullable(schema.string()),
  }),
  run: async ({ input, service, automatic, task }) => {
    const wish = { to: input.to, by: input.by, takeOver: input.options.takeOver === true, automatic };
    const { changed, ...turn } = await takeTurn(service, wish, task);
    return { service: input.service, host: nameAt(service, turn.at), changed, ...flatTurn(turn) };
  },
});

export const silenceOperation = operation({
  resource: 'service',
  name: 'silence',
  label: 'Silence',
  action: 'Silence a service where it is not its turn',
  description:
    'Stops it on the host that does not have the turn, keeps it down and proves that nothing is left. A host that cannot be reached is told, not thrown.',
  effect: 'changes',
  needsApproval: true,
  input: {
    ...which,
    ...turnFields,
    options: optional({
      ...changeOptions,
      graceSeconds: number({ label: 'Grace Period (Seconds)', default: 60, min: 1, max: 3600, integer: true }),
    }),
  },
  output: schema.object({
    service: schema.string(),
    host: schema.string(),
    silent: schema.boolean('Proven. False: it may run where nobody sees it.'),
    changed: schema.boolean(),
    why: schema.nullable(schema.string()),
  }),
  run: async ({ input, service, task }) => {
    const other: Place = input.at === 'home' ? 'standby' : 'home';
    const { graceSeconds = 60 } = input.options;
    const turn = { number: input.turn, at: input.at };
    return {
      service: input.service,
      host: nameAt(service, other),
      ...(await silence(service, turn, other, { graceSeconds }, task)),
    };
  },
});

const placed = {
  service: schema.string(),
  host: schema.string(),
  changed: schema.boolean('False: the data of this turn lie there already'),
  keptAside: schema.array(schema.string(), 'What was there before; remove it when all is well'),
};

export const carryOperation = operation({
  resource: 'service',
  name: 'carry',
  label: 'Carry Data',
  action: 'Carry the data of a service to the other host',
  description:
    'Copies everything its containers write to, while it runs on neither host, and puts it in place. Nothing that was acknowledged is lost.',
  effect: 'changes',
  needsApproval: true,
  input: { ...which, ...turnFields, options: optional(changeOptions) },
  output: schema.object({
    ...placed,
    carried: schema.array(schema.object({ name: schema.string(), bytes: schema.integer() })),
  }),
  run: async ({ input, service, task }) => {
    const { changed, keptAside, carried } = await carryData(service, { number: input.turn, at: input.at }, task);
    return {
      ...{ service: input.service, host: nameAt(service, input.at), changed },
      ...{ keptAside: [...keptAside], carried: carried.map((one) => ({ ...one })) },
    };
  },
});

export const placeOperation = operation({
  resource: 'service',
  name: 'place',
  label: 'Put Data in Place',
  action: 'Put restored data in the place of what is there',
  description:
    'Renames what was restored beside it into place, once a turn and only before the service was started. What was there is kept.',
  effect: 'changes',
  needsApproval: true,
  input: {
    ...which,
    ...turnFields,
    moves: json({
      required: true,
      default: '[{ "from": "/srv/forgejo/data.restored", "to": "/srv/forgejo/data" }]',
      description: 'What was restored, and where it belongs: both on the same file system',
      parse: movesOf,
    }),
    options: optional(changeOptions),
  },
  output: schema.object(placed),
  run: async ({ input, service, task }) => {
    const turn = { number: input.turn, at: input.at };
    const { changed, keptAside } = await placeData(service, turn, input.moves, task);
    return { service: input.service, host: nameAt(service, input.at), changed, keptAside: [...keptAside] };
  },
});

export const startOperation = operation({
  resource: 'service',
  name: 'start',
  action: 'Start a service where it is its turn',
  description:
    'Brings it up on the host that has the turn and waits until it is well. Where the other host was not silenced it first waits until no permission of before is good any more.',
  effect: 'changes',
  needsApproval: true,
  input: {
    ...which,
    ...turnFields,
    otherIsSilent: toggle({
      label: 'Other Host Is Silent',
      description: 'Whether Silence has proven it, or the power of the other host is off',
    }),
    options: optional({
      ...changeOptions,
      only: list({
        description: 'Only these services of the project, such as its database before a restore. Empty: all.',
      }),
      waitSeconds: number({ label: 'Health Timeout (Seconds)', default: 300, min: 5, max: 3600, integer: true }),
    }),
  },
  output: schema.object({ service: schema.string(), host: schema.string(), changed: schema.boolean() }),
  run: async ({ input, service, task }) => {
    const { only = [], waitSeconds = 300 } = input.options;
    const wish = { only, waitSeconds, otherIsSilent: input.otherIsSilent };
    return {
      service: input.service,
      host: nameAt(service, input.at),
      ...(await startService(service, { number: input.turn, at: input.at }, wish, task)),
    };
  },
});

function movesOf(value: unknown): readonly { readonly from: string; readonly to: string }[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  const moves = list.map((one) => (isObject(one) ? { from: pathOf(one['from']), to: pathOf(one['to']) } : undefined));
  const whole = moves.flatMap((one) =>
    one?.from === undefined || one.to === undefined ? [] : [{ from: one.from, to: one.to }],
  );
  if (list.length > 0 && whole.length === list.length) return whole;
  throw new Failure({
    code: 'invalid_parameter',
    subject: 'moves',
    message: 'Moves must be a list like [{ "from": "/srv/forgejo/data.restored", "to": "/srv/forgejo/data" }]',
    nextStep: 'Give absolute paths on the host, without "..".',
  });
}

function pathOf(value: unknown): string | undefined {
  const plain = typeof value === 'string' && /^\/[^\n\0]+[^/\n\0]$/.test(value) && !value.split('/').includes('..');
  return plain ? value : undefined;
}

function nameAt(service: Service, at: Place): string {
  return service[at].target.name;
}

function flatTurn({ number: count, at, by, since }: Turn) {
  return { number: count, at, by, since: since?.toISOString() ?? null };
}

function flatSight(host: string, sight: Sight) {
  const containers = sight.kind === 'seen' ? sight.containers.map((one) => ({ ...one })) : [];
  return {
    host,
    seen: sight.kind === 'seen',
    why: sight.kind === 'unseen' ? sight.why : null,
    runs: runs(sight) ?? null,
    startsByItself: containers.filter(({ restartPolicy }) => restartPolicy !== 'no').map(({ name }) => name),
    placed: sight.kind === 'seen' ? sight.placed : null,
    begun: sight.kind === 'seen' ? sight.begun : null,
    containers,
  };
}
