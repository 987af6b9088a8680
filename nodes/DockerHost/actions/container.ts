import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { copyIn, copyOut } from '../../../lib/docker/engine/archive';
import {
  awaitContainer,
  changePower,
  createContainer,
  inspectContainer,
  listContainers,
  removeContainer,
  renameContainer,
  topContainer,
  updateContainer,
  type NewContainer,
  type Power,
} from '../../../lib/docker/engine/containers';
import { execInContainer } from '../../../lib/docker/engine/exec';
import { readLogs } from '../../../lib/docker/engine/logs';
import { runOnce } from '../../../lib/docker/engine/run-once';
import { containerStats } from '../../../lib/docker/engine/system';
import { withoutSecrets } from '../../../lib/secrets/redact';
import { resolveReference, type SecretSources } from '../../../lib/secrets/resolve';
import type { Task } from '../../../lib/task';
import {
  binaryProperty,
  choice,
  keyValues,
  list,
  number,
  optional,
  schema,
  text,
  toggle,
  withBinary,
} from '../../declaration';
import { changeOptions, containerField, hostField, readOptions } from '../fields';
import { operation } from '../operation';
import { changeFacts, containerFacts, containerSummary, onHost } from '../schemas';

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
  output: onHost(containerSummary),
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
  output: onHost(containerFacts),
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
    output: onHost({ ...containerFacts, ...changeFacts }),
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
  needsApproval: true,
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
  output: onHost({
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
  output: onHost({ ...containerFacts, ...changeFacts }),
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
  output: onHost(containerFacts),
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
  output: onHost({
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
  output: onHost({
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
  output: onHost({ process: schema.record(schema.string()) }),
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
  output: onHost({
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
  output: onHost(containerFacts),
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
  output: onHost({ container: schema.string(), path: schema.string() }),
  run: async ({ input, engine, hostName, binary, task }) => {
    const stream = await copyOut(await engine(), input.container, input.path, task);
    const file = await binary.store(stream, {
      fileName: `${input.path.split('/').filter(Boolean).at(-1) ?? 'root'}.tar`,
    });
    const json = { host: hostName, container: input.container, path: input.path };
    return withBinary(json, { [input.options.binaryField ?? 'data']: file });
  },
});

/** What a new container is made of. */
const newContainer = {
  user: text({ placeholder: '1000:1000' }),
  directory: text({ placeholder: '/data' }),
  environment: keyValues({}),
  secretEnvironment: keyValues({
    label: 'Secret Environment',
    description: 'Variables whose values are secret references. Who may inspect the container can read them.',
  }),
  mounts: list({
    placeholder: 'pgdata:/data',
    description: 'Each a volume or path of the host, and where: /srv/x:/x:ro',
  }),
  publish: list({ placeholder: '127.0.0.1:8080:80' }),
  network: text({ placeholder: 'proxy' }),
  labels: keyValues({}),
  memoryMib: number({ label: 'Memory (MiB)', default: 512, min: 6, integer: true }),
  cpus: number({ label: 'CPUs', default: 1, min: 0.01 }),
};

interface NewContainerInput {
  readonly user?: string;
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly secretEnvironment?: Readonly<Record<string, string>>;
  readonly mounts?: readonly string[];
  readonly publish?: readonly string[];
  readonly network?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly memoryMib?: number;
  readonly cpus?: number;
}

/** Works with a new container's wish, in which secrets are resolved; neither result nor failure tells them. */
async function withNewContainer<T>(
  options: NewContainerInput,
  secrets: SecretSources,
  task: Task,
  work: (wish: Omit<NewContainer, 'image'>) => Promise<T>,
): Promise<T> {
  const hidden = await Promise.all(
    Object.entries(options.secretEnvironment ?? {}).map(
      async ([name, reference]) => [name, await resolveReference(reference, secrets, task)] as const,
    ),
  );
  const filled = (value: string | undefined) => (value === '' ? undefined : value);
  const wish = {
    user: filled(options.user),
    directory: filled(options.directory),
    environment: { ...options.environment, ...Object.fromEntries(hidden) },
    binds: options.mounts,
    publish: options.publish,
    network: filled(options.network),
    labels: options.labels,
    memoryBytes: options.memoryMib === undefined ? undefined : options.memoryMib * 1024 * 1024,
    cpus: options.cpus,
  };
  return await withoutSecrets(
    hidden.map(([, value]) => value),
    () => work(wish),
  );
}

const imageOfNew = text({ required: true, placeholder: 'redis:7-alpine', description: 'It must be on the host' });

const createOperation = operation({
  resource: 'container',
  name: 'create',
  action: 'Create a container',
  description: 'Makes a container, and starts it unless told otherwise',
  effect: 'creates',
  input: {
    host: hostField,
    containerName: text({ required: true, placeholder: 'cache' }),
    image: imageOfNew,
    arguments: list({
      verbatim: true,
      description: 'Its command, one argument on each line. Empty: what the image says.',
    }),
    options: optional({
      ...changeOptions,
      ...newContainer,
      restartPolicy: choice({
        options: { no: 'No', always: 'Always', 'on-failure': 'On Failure', 'unless-stopped': 'Unless Stopped' },
        default: 'unless-stopped',
      }),
      start: toggle({ default: true, description: 'Whether to start it, too' }),
    }),
  },
  output: onHost(containerFacts),
  run: async ({ input, engine, secrets, hostName, task }) => {
    const { restartPolicy, start = true } = input.options;
    return await withNewContainer(input.options, secrets, task, async (wish) => {
      const on = await engine();
      const argv = input.arguments.filter((one, at, all) => one !== '' || at < all.length - 1);
      const made = await createContainer(
        on,
        { ...wish, name: input.containerName, image: input.image, argv, restartPolicy },
        task,
      );
      if (!start) return { host: hostName, ...made };
      return { host: hostName, ...(await changePower(on, made.id, { action: 'start' }, task)).container };
    });
  },
});

const runOnceOperation = operation({
  resource: 'container',
  name: 'runOnce',
  label: 'Run Once',
  action: 'Run a container once',
  description: 'Makes a container, runs it to its end, gives what it wrote, and removes it in every case',
  effect: 'changes',
  input: {
    host: hostField,
    image: imageOfNew,
    arguments: list({
      verbatim: true,
      description: 'Its command, one argument on each line. Empty: what the image says.',
    }),
    options: optional({
      ...changeOptions,
      ...newContainer,
      timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 600, min: 1, max: 86_400 }),
      acceptExitCodes: list({ label: 'Accept Exit Codes', description: 'Beside 0' }),
    }),
  },
  output: onHost({
    image: schema.string(),
    exitCode: schema.integer(),
    oomKilled: schema.boolean(),
    stdout: schema.string(),
    stderr: schema.string(),
    truncated: schema.boolean(),
  }),
  run: async ({ input, engine, secrets, hostName, task }) => {
    const { timeoutSeconds = 600, acceptExitCodes = [] } = input.options;
    return await withNewContainer(input.options, secrets, task, async (wish) => {
      const argv = input.arguments.filter((one, at, all) => one !== '' || at < all.length - 1);
      const limits = { timeoutMs: timeoutSeconds * 1000, acceptExitCodes: [0, ...acceptExitCodes.map(Number)] };
      const result = await runOnce(await engine(), { ...wish, ...limits, image: input.image, argv }, task);
      return { host: hostName, ...result };
    });
  },
});

const copyInOperation = operation({
  resource: 'container',
  name: 'copyIn',
  label: 'Copy In',
  action: 'Copy into a container',
  description: 'Puts a file of the item into a container, in constant memory. A file of that name is replaced.',
  effect: 'changes',
  input: {
    host: hostField,
    container: containerField,
    folder: text({ required: true, placeholder: '/data', description: 'Where it goes. It must be there.' }),
    binaryField: binaryProperty({ label: 'Input Binary Field', default: 'data' }),
    options: optional({
      ...changeOptions,
      fileName: text({ label: 'File Name', description: 'Empty: as the item calls it' }),
      mode: text({ default: '0644', placeholder: '0644' }),
    }),
  },
  output: onHost({ container: schema.string(), path: schema.string(), bytes: schema.integer() }),
  run: async ({ input, engine, hostName, binary, task }) => {
    const file = binary.read(input.binaryField);
    const { fileName = '', mode = '0644' } = input.options;
    const name = fileName === '' ? file.fileName : fileName;
    const opened = await file.open();
    // An archive begins with the size of its file. n8n knows it but for the smallest of files, kept in memory.
    const content = file.bytes === undefined ? await buffer(opened) : undefined;
    const length = content?.length ?? file.bytes ?? 0;
    const stream = content === undefined ? opened : Readable.from([content]);
    await copyIn(
      await engine(),
      input.container,
      { folder: input.folder, name, content: stream, length, mode: Number.parseInt(mode, 8) },
      task,
    );
    return {
      host: hostName,
      container: input.container,
      path: `${input.folder.replace(/\/+$/, '')}/${name}`,
      bytes: length,
    };
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
  copyInOperation,
  createOperation,
  runOnceOperation,
];
