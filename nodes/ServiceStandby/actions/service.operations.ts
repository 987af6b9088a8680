import { carryData, placeData } from '../../../lib/standby/carry';
import { placeDatabase, readyDatabase } from '../../../lib/standby/database';
import { finishTurn } from '../../../lib/standby/finish';
import { type Left, lookAt, runs, type Sight, statusOf } from '../../../lib/standby/look';
import { type BackupOf, chooseData } from '../../../lib/standby/newest';
import type { Place, Service } from '../../../lib/standby/service';
import { keepDown, silence, startService } from '../../../lib/standby/steps';
import { takeTurn, type Turn } from '../../../lib/standby/turn';
import { Failure } from '../../../lib/failure';
import { isObject } from '../../../lib/json';
import { choice, json, number, optional, schema, text, toggle } from '../../declaration';
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
const how = schema.nullable(schema.oneOf(['carry', 'restore']));
const turnSchema = schema.object({
  number: schema.integer('0: nobody has ever moved it'),
  at: place,
  how,
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
  finished: schema.nullable(schema.integer('Turn with which all is done')),
  left: schema.nullable(
    schema.object({
      until: schema.string('Until then the data that lie there were the newest'),
      over: schema.nullable(schema.string('Since when the other host may have gone on with them')),
    }),
  ),
  busy: schema.boolean('Somebody is at work on it, or was a moment ago'),
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
      verdict: schema.oneOf(['in its place', 'down', 'on its way', 'out of its place', 'twins', 'unclear']),
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
    how: choice({
      label: 'Data',
      options: {
        restore: { label: 'Restored', description: 'The other host is gone: its data come from a backup' },
        carry: { label: 'Carried Over', description: 'Both hosts are well: nothing that was written is lost' },
      },
      default: 'restore',
      description: 'Kept with the turn, so that whoever goes on with it after a crash does the same',
    }),
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
    how,
    by: schema.string(),
    since: schema.nullable(schema.string()),
  }),
  run: async ({ input, service, automatic, task }) => {
    const wish = { to: input.to, by: input.by, how: input.how, takeOver: input.options.takeOver === true, automatic };
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
    again: schema.boolean('It was silent there for this turn before, and somebody or something has started it since'),
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
  keptAside: schema.array(schema.string(), 'What was there before. Finish keeps the newest two of each path.'),
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

export const newestOperation = operation({
  resource: 'service',
  name: 'newest',
  label: 'Choose Newest Data',
  action: 'Choose the newest data for the standby',
  description:
    'Tells whether the standby is to start with the newest backups or with what lies there itself, because that is newer: when its home died while the service was on its way back',
  effect: 'reads',
  input: {
    ...which,
    backups: json({
      required: true,
      default: '[{ "name": "forgejo", "madeAt": "2026-11-21T02:00:00Z" }]',
      description: 'Of each piece of its data the newest good backup; an empty time where there is none',
      parse: backupsOf,
    }),
    options: optional(readOptions),
  },
  output: schema.lazy(() =>
    schema.object({
      service: schema.string(),
      choice: schema.oneOf(['restore', 'keep', 'ask', 'nothing']),
      since: schema.nullable(schema.string('What was written after that is lost')),
      why: schema.nullable(schema.string('Of a choice that a person has to make')),
    }),
  ),
  run: async ({ input, service, task }) => {
    const sight = await lookAt(service, 'standby', task);
    if (sight.kind === 'unseen') throw standbyUnseen(service, sight.why);
    const chosen = chooseData(sight.left, input.backups);
    return {
      service: input.service,
      choice: chosen.choice,
      since: chosen.choice === 'nothing' ? null : chosen.since.toISOString(),
      why: chosen.choice === 'ask' ? chosen.why : null,
    };
  },
});

/** What is put in place is compared with what lies there. */
const ageOptions = {
  ...changeOptions,
  madeAt: text({
    label: 'Backup Made At',
    placeholder: '2026-11-21T02:00:00Z',
    description: 'Time of the oldest backup of what is put in place. Over data that are newer it is refused.',
  }),
  whateverIsThere: toggle({
    label: 'Whatever Is There',
    description: 'Whether to put it in place although what lies there may be newer. That is kept beside it.',
  }),
};

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
    options: optional(ageOptions),
  },
  output: schema.object(placed),
  run: async ({ input, service, task }) => {
    const turn = { number: input.turn, at: input.at };
    const made = ageOf(input.options);
    const { changed, keptAside } = await placeData(service, turn, input.moves, task, made);
    return { service: input.service, host: nameAt(service, input.at), changed, keptAside: [...keptAside] };
  },
});

export const readyDatabaseOperation = operation({
  resource: 'service',
  name: 'readyDatabase',
  label: 'Start Database for a Restore',
  action: 'Start the database of a service for a restore',
  description:
    'Starts its PostgreSQL alone and without published ports, so that nobody writes to it before its data are there. Start takes it away again.',
  effect: 'changes',
  needsApproval: true,
  input: {
    ...which,
    ...turnFields,
    start: text({
      label: 'Compose Service',
      required: true,
      placeholder: 'database',
      description: 'The one with PostgreSQL',
    }),
    options: optional({
      ...changeOptions,
      runAs: text({ label: 'Run As', placeholder: 'postgres', description: 'User in the container' }),
      user: text({ label: 'Role', placeholder: 'postgres', description: 'With which psql logs in' }),
      waitSeconds: number({ label: 'Health Timeout (Seconds)', default: 300, min: 5, max: 3600, integer: true }),
    }),
  },
  output: schema.object({
    service: schema.string(),
    host: schema.string(),
    container: schema.nullable(schema.string('Null: the service was started already, and nothing is to be restored')),
  }),
  run: async ({ input, service, task }) => {
    const { runAs = '', user = '', waitSeconds = 300 } = input.options;
    const wish = { start: input.start, waitSeconds, runAs, user };
    const turn = { number: input.turn, at: input.at };
    return {
      service: input.service,
      host: nameAt(service, input.at),
      ...(await readyDatabase(service, turn, wish, task)),
    };
  },
});

export const placeDatabaseOperation = operation({
  resource: 'service',
  name: 'placeDatabase',
  label: 'Put Database in Place',
  action: 'Put a restored database in the place of what is there',
  description:
    'Gives a database that was restored beside it the name of the one that the service uses, once a turn and only before the service was started. What was there is kept.',
  effect: 'changes',
  needsApproval: true,
  input: {
    ...which,
    ...turnFields,
    container: text({ required: true, placeholder: 'immich_postgres', description: 'Of its PostgreSQL' }),
    from: text({ label: 'Restored', required: true, placeholder: 'immich_restored' }),
    to: text({ label: 'Database', required: true, placeholder: 'immich' }),
    options: optional({
      ...ageOptions,
      runAs: text({ label: 'Run As', placeholder: 'postgres', description: 'User in the container' }),
      user: text({ label: 'Role', placeholder: 'postgres', description: 'With which psql logs in' }),
    }),
  },
  output: schema.object({ service: schema.string(), host: schema.string(), changed: schema.boolean() }),
  run: async ({ input, service, task }) => {
    const { runAs = '', user = '' } = input.options;
    const { container, from, to } = input;
    const restored = { container, runAs, user, from, to, of: ageOf(input.options) };
    const turn = { number: input.turn, at: input.at };
    return {
      service: input.service,
      host: nameAt(service, input.at),
      ...(await placeDatabase(service, turn, restored, task)),
    };
  },
});

export const finishOperation = operation({
  resource: 'service',
  name: 'finish',
  action: 'Finish a move',
  description:
    'Notes that the service runs, its names point there and nothing is left to do, and removes what older turns have put aside, all but the newest two of each path',
  effect: 'changes',
  needsApproval: true,
  input: { ...which, ...turnFields, options: optional(changeOptions) },
  output: schema.object({
    service: schema.string(),
    host: schema.string(),
    changed: schema.boolean(),
    removed: schema.array(schema.string()),
  }),
  run: async ({ input, service, task }) => {
    const { changed, removed } = await finishTurn(service, { number: input.turn, at: input.at }, task);
    return { service: input.service, host: nameAt(service, input.at), changed, removed: [...removed] };
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
      waitSeconds: number({ label: 'Health Timeout (Seconds)', default: 300, min: 5, max: 3600, integer: true }),
    }),
  },
  output: schema.object({ service: schema.string(), host: schema.string(), changed: schema.boolean() }),
  run: async ({ input, service, task }) => {
    const { waitSeconds = 300 } = input.options;
    const wish = { waitSeconds, otherIsSilent: input.otherIsSilent };
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

function backupsOf(value: unknown): readonly (Date | null)[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [];
  return list.map((one) => {
    const made = isObject(one) ? one['madeAt'] : undefined;
    if (made === '') return null;
    return timeOf(typeof made === 'string' ? made : 'nothing', 'backups');
  });
}

function ageOf(options: { readonly madeAt?: string; readonly whateverIsThere?: boolean }): BackupOf | undefined {
  if (options.whateverIsThere === true) return 'whatever is there';
  const made = options.madeAt ?? '';
  return made === '' ? undefined : timeOf(made, 'Backup Made At');
}

function timeOf(value: string, subject: string): Date {
  const time = new Date(value);
  if (/^\d{4}-\d\d-\d\dT/.test(value) && !Number.isNaN(time.getTime())) return time;
  throw new Failure({
    code: 'invalid_parameter',
    subject,
    message: `"${value.slice(0, 40)}" is no time of a backup`,
    nextStep: 'Write it like 2026-11-21T02:00:00Z.',
  });
}

function standbyUnseen(service: Service, why: string): Failure {
  const { name } = service.standby.target;
  return new Failure({
    code: 'host_unseen',
    subject: `service ${service.name} on host ${name}`,
    message: `Nobody knows what service ${service.name} has on ${name}: ${why}`,
    nextStep: 'Bring that host within reach, and begin again. Nothing was changed.',
  });
}

function pathOf(value: unknown): string | undefined {
  const plain = typeof value === 'string' && /^\/[^\n\0]+[^/\n\0]$/.test(value) && !value.split('/').includes('..');
  return plain ? value : undefined;
}

function nameAt(service: Service, at: Place): string {
  return service[at].target.name;
}

function flatTurn({ number: count, at, how: means, by, since }: Turn) {
  return { number: count, at, how: means, by, since: since?.toISOString() ?? null };
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
    finished: sight.kind === 'seen' ? sight.finished : null,
    left: sight.kind === 'seen' && sight.left !== null ? flatLeft(sight.left) : null,
    busy: sight.kind === 'seen' && sight.busy,
    containers,
  };
}

function flatLeft({ until, over }: Left) {
  return { until: until.toISOString(), over: over?.toISOString() ?? null };
}
