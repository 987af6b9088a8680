import { copyOut } from '../../../lib/docker/engine/archive';
import {
  awaitContainer,
  changePower,
  inspectContainer,
  listContainers,
  removeContainer,
  renameContainer,
  topContainer,
  updateContainer,
  type Power,
} from '../../../lib/docker/engine/containers';
import { execInContainer } from '../../../lib/docker/engine/exec';
import { readLogs } from '../../../lib/docker/engine/logs';
import { containerStats } from '../../../lib/docker/engine/system';
import { choice, keyValues, list, number, optional, schema, text, toggle, withBinary } from '../../declaration';
import { changeOptions, containerField, hostField, readOptions } from '../fields';
import { operation } from '../operation';
import { changeFacts, containerFacts, containerSummary } from '../schemas';

const listOperation = operation({
  resource: 'container',
  name: 'list',
  action: 'List containers',
  description: 'Gives the containers of a host, one item each',
  effect: 'reads',
  input: {
    host: hostField,
    all: toggle({ label: 'Also Stopped', default: false, description: 'Whether to list those that do not run, too' }),
    options: optional({
      ...readOptions,
      nameContains: text({ label: 'Name Contains' }),
      labels: list({ description: 'Each a label, or label=value; all must be there' }),
    }),
  },
  output: schema.object(containerSummary),
  run: async ({ input, engine, hostName, task }) => {
    const filter = { all: input.all, name: input.options.nameContains, labels: input.options.labels };
    return (await listContainers(await engine(), filter, task)).map((one) => ({ host: hostName, ...one }));
  },
});

const getOperation = operation({
  resource: 'container',
  name: 'get',
  action: 'Get a container',
  description: 'Tells the state, health, limits, mounts and networks of a container',
  effect: 'reads',
  input: { host: hostField, container: containerField, options: optional(readOptions) },
  output: schema.object(containerFacts),
  run: async ({ input, engine, hostName, task }) => ({
    host: hostName,
    ...(await inspectContainer(await engine(), input.container, task)),
  }),
});

const POWER: Readonly<Record<Power, string>> = {
  start: 'Starts a container that does not run',
  stop: 'Stops a container that runs',
  restart: 'Stops and starts a container',
  kill: 'Sends a signal to a container',
  pause: 'Freezes the processes of a container',
  unpause: 'Lets the processes of a paused container go on',
};

const powerOperations = (Object.keys(POWER) as Power[]).map((action) =>
  operation({
    resource: 'container',
    name: action,
    action: `${action.charAt(0).toUpperCase()}${action.slice(1)} a container`,
    description: POWER[action],
    effect: 'changes',
    dryRun: true,
    input: {
      host: hostField,
      container: containerField,
      options: optional({
        ...changeOptions,
        graceSeconds: number({
          label: 'Grace Period (Seconds)',
          default: 10,
          min: 0,
          max: 3600,
          integer: true,
          description: 'Until a container that does not stop is killed',
        }),
        signal: text({ placeholder: 'SIGHUP', description: 'For kill. Default: SIGKILL.' }),
      }),
    },
    output: schema.object({ ...containerFacts, ...changeFacts }),
    run: async ({ input, engine, hostName, task }) => {
      const { graceSeconds, signal } = input.options;
      const wish = { action, graceSeconds, signal, dryRun: input.dryRun };
      const { container, changed, before } = await changePower(await engine(), input.container, wish, task);
      return { host: hostName, ...container, changed, before, dryRun: input.dryRun };
    },
  }),
);

const removeOperation = operation({
  resource: 'container',
  name: 'remove',
  action: 'Remove a container',
  description: 'Removes a container; one that is not there is removed already',
  effect: 'destroys',
  dryRun: true,
  input: {
    host: hostField,
    container: containerField,
    options: optional({
      ...changeOptions,
      force: toggle({ description: 'Whether to remove it also while it runs' }),
      volumes: toggle({
        label: 'Remove Anonymous Volumes',
        description: 'Whether its volumes without a name go with it',
      }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    name: schema.string(),
    id: schema.nullable(schema.string()),
    ...changeFacts,
  }),
  run: async ({ input, engine, hostName, task }) => {
    const { force, volumes } = input.options;
    const wish = { force, volumes, dryRun: input.dryRun };
    return {
      host: hostName,
      ...(await removeContainer(await engine(), input.container, wish, task)),
      dryRun: input.dryRun,
    };
  },
});

const renameOperation = operation({
  resource: 'container',
  name: 'rename',
  action: 'Rename a container',
  description: 'Gives a container another name',
  effect: 'changes',
  input: {
    host: hostField,
    container: containerField,
    newName: text({ required: true, placeholder: 'immich-old' }),
    options: optional(changeOptions),
  },
  output: schema.object({ ...containerFacts, ...changeFacts }),
  run: async ({ input, engine, hostName, task }) => {
    const { container, changed, before } = await renameContainer(await engine(), input.container, input.newName, task);
    return { host: hostName, ...container, changed, before, dryRun: false };
  },
});

const updateOperation = operation({
  resource: 'container',
  name: 'update',
  action: 'Update the limits of a container',
  description: 'Changes memory, CPUs and restart policy of a container without recreating it',
  effect: 'changes',
  input: {
    host: hostField,
    container: containerField,
    options: optional({
      ...changeOptions,
      memoryMib: number({ label: 'Memory (MiB)', default: 512, min: 6, integer: true }),
      cpus: number({ label: 'CPUs', default: 1, min: 0.01 }),
      restartPolicy: choice({
        options: { no: 'No', always: 'Always', 'on-failure': 'On Failure', 'unless-stopped': 'Unless Stopped' },
        default: 'unless-stopped',
      }),
    }),
  },
  output: schema.object(containerFacts),
  run: async ({ input, engine, hostName, task }) => {
    const { memoryMib, cpus, restartPolicy } = input.options;
    const memoryBytes = memoryMib === undefined ? undefined : memoryMib * 1024 * 1024;
    const limits = { memoryBytes, cpus, restartPolicy };
    return { host: hostName, ...(await updateContainer(await engine(), input.container, limits, task)) };
  },
});

const logsOperation = operation({
  resource: 'container',
  name: 'logs',
  label: 'Get Logs',
  action: 'Get the logs of a container',
  description:
    'Gives what a container has written, in constant memory: of more than the limit, the beginning and the end',
  effect: 'reads',
  input: {
    host: hostField,
    container: containerField,
    options: optional({
      ...readOptions,
      tailLines: number({ label: 'Last Lines', default: 100, min: 1, integer: true }),
      since: text({ placeholder: '2026-01-31T02:00:00Z', description: 'A time, or seconds since 1970' }),
      grep: text({ description: 'Only lines that match this regular expression' }),
      stream: choice({ options: { both: 'Both', stdout: 'Output', stderr: 'Errors' }, default: 'both' }),
      timestamps: toggle({ description: 'Whether to put the time before each line' }),
      maxKib: number({ label: 'Max Size (KiB)', default: 256, min: 1, max: 16_384, integer: true }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    container: schema.string(),
    text: schema.string(),
    lines: schema.integer(),
    bytes: schema.integer('True size, also when the middle was left out'),
    truncated: schema.boolean(),
  }),
  run: async ({ input, engine, hostName, task }) => {
    const { tailLines = 100, since, grep, stream = 'both', timestamps, maxKib = 256 } = input.options;
    const wish = {
      tail: tailLines,
      since: since === undefined || since === '' ? undefined : unixSeconds(since),
      grep,
      stdout: stream !== 'stderr',
      stderr: stream !== 'stdout',
      timestamps,
      maxBytes: maxKib * 1024,
    };
    return {
      host: hostName,
      container: input.container,
      ...(await readLogs(await engine(), input.container, wish, task)),
    };
  },
});

function unixSeconds(text: string): string {
  const time = Date.parse(text);
  return /^\d+(\.\d+)?$/.test(text) || Number.isNaN(time) ? text : String(time / 1000);
}

const statsOperation = operation({
  resource: 'container',
  name: 'stats',
  label: 'Get Stats',
  action: 'Get the stats of a container',
  description: 'Measures CPU, memory and network of a container once, which takes a second',
  effect: 'reads',
  input: { host: hostField, container: containerField, options: optional(readOptions) },
  output: schema.object({
    host: schema.string(),
    name: schema.string(),
    cpuPercent: schema.number('100 is one CPU'),
    memoryBytes: schema.integer(),
    memoryLimitBytes: schema.integer(),
    processes: schema.integer(),
    receivedBytes: schema.integer(),
    sentBytes: schema.integer(),
  }),
  run: async ({ input, engine, hostName, task }) => ({
    host: hostName,
    ...(await containerStats(await engine(), input.container, task)),
  }),
});

const topOperation = operation({
  resource: 'container',
  name: 'top',
  label: 'List Processes',
  action: 'List the processes of a container',
  description: 'Gives what runs in a container, one item each process',
  effect: 'reads',
  input: { host: hostField, container: containerField, options: optional(readOptions) },
  output: schema.object({ host: schema.string(), process: schema.record(schema.string()) }),
  run: async ({ input, engine, hostName, task }) =>
    (await topContainer(await engine(), input.container, task)).map((process) => ({ host: hostName, process })),
});

const execOperation = operation({
  resource: 'container',
  name: 'exec',
  label: 'Run Program',
  action: 'Run a program in a container',
  description: 'Runs a program with its arguments in a running container. No shell looks at them.',
  effect: 'changes',
  input: {
    host: hostField,
    container: containerField,
    program: text({ required: true, placeholder: 'pg_isready' }),
    arguments: list({ description: 'One on each line, exactly as the program gets them' }),
    options: optional({
      ...changeOptions,
      user: text({ placeholder: 'postgres' }),
      directory: text({ placeholder: '/data' }),
      environment: keyValues({}),
      timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 120, min: 1, max: 86_400 }),
      acceptExitCodes: list({ label: 'Accept Exit Codes', description: 'Beside 0' }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    container: schema.string(),
    stdout: schema.string(),
    stderr: schema.string(),
    exitCode: schema.integer(),
    truncated: schema.boolean(),
  }),
  run: async ({ input, engine, hostName, task }) => {
    const { user, directory, environment, timeoutSeconds = 120, acceptExitCodes = [] } = input.options;
    const result = await execInContainer(
      await engine(),
      input.container,
      {
        argv: [input.program, ...input.arguments],
        user,
        directory,
        environment,
        timeoutMs: timeoutSeconds * 1000,
        acceptExitCodes: [0, ...acceptExitCodes.map(Number)],
      },
      task,
    );
    return { host: hostName, container: input.container, ...result };
  },
});

const waitOperation = operation({
  resource: 'container',
  name: 'wait',
  action: 'Wait for a container',
  description: 'Waits until a container runs, is healthy or has exited, and fails when that cannot come any more',
  effect: 'reads',
  input: {
    host: hostField,
    container: containerField,
    state: choice({ options: { healthy: 'Healthy', running: 'Running', exited: 'Exited' }, default: 'healthy' }),
    options: optional({
      ...readOptions,
      timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 120, min: 1, max: 86_400 }),
    }),
  },
  output: schema.object(containerFacts),
  run: async ({ input, engine, hostName, task }) => {
    const wish = { state: input.state, timeoutMs: (input.options.timeoutSeconds ?? 120) * 1000 };
    return { host: hostName, ...(await awaitContainer(await engine(), input.container, wish, task)) };
  },
});

const copyOutOperation = operation({
  resource: 'container',
  name: 'copyOut',
  action: 'Copy out of a container',
  description: 'Gives a file or directory of a container as a tar archive, in constant memory',
  effect: 'reads',
  input: {
    host: hostField,
    container: containerField,
    path: text({ required: true, placeholder: '/data/export' }),
    options: optional({ ...readOptions, binaryField: text({ label: 'Output Binary Field', default: 'data' }) }),
  },
  output: schema.object({ host: schema.string(), container: schema.string(), path: schema.string() }),
  run: async ({ input, engine, hostName, binary, task }) => {
    const stream = await copyOut(await engine(), input.container, input.path, task);
    const file = await binary.store(stream, {
      fileName: `${input.path.split('/').filter(Boolean).at(-1) ?? 'root'}.tar`,
    });
    const json = { host: hostName, container: input.container, path: input.path };
    return withBinary(json, { [input.options.binaryField ?? 'data']: file });
  },
});

export const containerOperations = [
  listOperation,
  getOperation,
  ...powerOperations,
  removeOperation,
  renameOperation,
  updateOperation,
  logsOperation,
  statsOperation,
  topOperation,
  execOperation,
  waitOperation,
  copyOutOperation,
];
