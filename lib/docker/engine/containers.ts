import { Failure, isFailure } from '../../failure';
import { path } from '../../http/path';
import type { JsonObject } from '../../json';
import { pause, type Task } from '../../task';
import { describeDocker } from './access';
import { filtersOf, type Engine } from './engine';
import { flagAt, idAt, labelsAt, listAt, numberAt, recordAt, textAt, textsAt, timeAt } from './read';

export interface Port {
  readonly container: number;
  readonly protocol: string;
  /** Null where it is exposed only. */
  readonly host: number | null;
  readonly address: string | null;
}

export interface ContainerSummary {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: string;
  readonly status: string;
  readonly created: string;
  readonly project: string | null;
  readonly service: string | null;
  readonly ports: readonly Port[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface Container {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly state: string;
  /** Null without a health check. */
  readonly health: string | null;
  /** What the last health check said. */
  readonly healthOutput: string | null;
  readonly exitCode: number;
  readonly error: string;
  readonly oomKilled: boolean;
  readonly restarts: number;
  readonly created: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly terminal: boolean;
  readonly restartPolicy: string;
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly privileged: boolean;
  readonly networkMode: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly mounts: readonly {
    readonly type: string;
    readonly source: string;
    readonly target: string;
    readonly writable: boolean;
  }[];
  readonly networks: readonly { readonly name: string; readonly address: string }[];
}

export interface ContainerFilter {
  /** Also those that do not run. */
  readonly all?: boolean;
  readonly name?: string;
  readonly status?: readonly string[];
  readonly labels?: readonly string[];
}

export async function listContainers(
  engine: Engine,
  filter: ContainerFilter,
  task: Task,
): Promise<readonly ContainerSummary[]> {
  const { body } = await engine.request(
    {
      method: 'GET',
      path: path('/containers/json'),
      query: {
        all: filter.all ?? false,
        filters: filtersOf({
          name: filter.name === undefined ? undefined : [filter.name],
          status: filter.status,
          label: filter.labels,
        }),
      },
    },
    task,
  );
  return (Array.isArray(body) ? body : []).map(readSummary);
}

function readSummary(value: unknown): ContainerSummary {
  const labels = labelsAt(value, 'Labels');
  return {
    id: idAt(value, 'Id'),
    name: (textsAt(value, 'Names')[0] ?? '').replace(/^\//, ''),
    image: textAt(value, 'Image'),
    imageId: textAt(value, 'ImageID'),
    state: textAt(value, 'State'),
    status: textAt(value, 'Status'),
    created: new Date(numberAt(value, 'Created') * 1000).toISOString(),
    project: labels['com.docker.compose.project'] ?? null,
    service: labels['com.docker.compose.service'] ?? null,
    ports: listAt(value, 'Ports').map((port) => ({
      container: numberAt(port, 'PrivatePort'),
      protocol: textAt(port, 'Type'),
      host: numberAt(port, 'PublicPort') || null,
      address: textAt(port, 'IP') || null,
    })),
    labels,
  };
}

export async function inspectContainer(engine: Engine, container: string, task: Task): Promise<Container> {
  return readContainer(await rawContainer(engine, container, task));
}

/** As Docker says it, for what the flat form leaves out. */
export async function rawContainer(engine: Engine, container: string, task: Task): Promise<unknown> {
  const { body } = await engine.request(
    { method: 'GET', path: path('/containers/{container}/json', { container }) },
    task,
  );
  return body;
}

export function readContainer(value: unknown): Container {
  const checks = listAt(value, 'State', 'Health', 'Log');
  const health = textAt(value, 'State', 'Health', 'Status');
  return {
    id: idAt(value, 'Id'),
    name: textAt(value, 'Name').replace(/^\//, ''),
    image: textAt(value, 'Config', 'Image'),
    imageId: textAt(value, 'Image'),
    state: textAt(value, 'State', 'Status'),
    health: health === '' || health === 'none' ? null : health,
    healthOutput: checks.length === 0 ? null : textAt(checks.at(-1), 'Output').slice(0, 4_096),
    exitCode: numberAt(value, 'State', 'ExitCode'),
    error: textAt(value, 'State', 'Error'),
    oomKilled: flagAt(value, 'State', 'OOMKilled'),
    restarts: numberAt(value, 'RestartCount'),
    created: textAt(value, 'Created'),
    startedAt: timeAt(value, 'State', 'StartedAt'),
    finishedAt: timeAt(value, 'State', 'FinishedAt'),
    terminal: flagAt(value, 'Config', 'Tty'),
    restartPolicy: textAt(value, 'HostConfig', 'RestartPolicy', 'Name') || 'no',
    memoryBytes: numberAt(value, 'HostConfig', 'Memory'),
    cpus: numberAt(value, 'HostConfig', 'NanoCpus') / 1e9,
    privileged: flagAt(value, 'HostConfig', 'Privileged'),
    networkMode: textAt(value, 'HostConfig', 'NetworkMode'),
    labels: labelsAt(value, 'Config', 'Labels'),
    mounts: listAt(value, 'Mounts').map((mount) => ({
      type: textAt(mount, 'Type'),
      source: textAt(mount, 'Name') || textAt(mount, 'Source'),
      target: textAt(mount, 'Destination'),
      writable: flagAt(mount, 'RW'),
    })),
    // NetworkSettings.IPAddress is gone since API 1.52; this is in all versions.
    networks: Object.entries(recordAt(value, 'NetworkSettings', 'Networks')).map(([name, network]) => ({
      name,
      address: textAt(network, 'IPAddress'),
    })),
  };
}

export interface NewContainer {
  readonly name?: string;
  readonly image: string;
  readonly argv?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly directory?: string;
  /** `/srv/data:/data:ro`, `volume:/data` */
  readonly binds?: readonly string[];
  /** `8080:80`, `127.0.0.1:8080:80/tcp` */
  readonly publish?: readonly string[];
  readonly network?: string;
  readonly restartPolicy?: string;
  readonly memoryBytes?: number;
  readonly cpus?: number;
}

export async function createContainer(engine: Engine, wish: NewContainer, task: Task): Promise<Container> {
  const ports = (wish.publish ?? []).map(parsePublished);
  const body: JsonObject = {
    Image: wish.image,
    ...(wish.argv !== undefined && wish.argv.length > 0 && { Cmd: wish.argv }),
    Env: Object.entries(wish.environment ?? {}).map(([name, value]) => `${name}=${value}`),
    Labels: wish.labels ?? {},
    ...(wish.user !== undefined && { User: wish.user }),
    ...(wish.directory !== undefined && { WorkingDir: wish.directory }),
    ExposedPorts: Object.fromEntries(ports.map(({ key }) => [key, {}])),
    HostConfig: {
      Binds: wish.binds ?? [],
      PortBindings: Object.fromEntries(
        ports.map(({ key, address, host }) => [key, [{ HostIp: address, HostPort: host }]]),
      ),
      ...(wish.network !== undefined && { NetworkMode: wish.network }),
      ...limitsOf(wish),
    },
  };
  const { body: made } = await engine.request(
    { method: 'POST', path: path('/containers/create'), query: { name: wish.name }, body: { json: body } },
    task,
  );
  return await inspectContainer(engine, idAt(made, 'Id'), task);
}

interface Published {
  readonly key: string;
  readonly address: string;
  readonly host: string;
}

export function parsePublished(text: string): Published {
  const [, address = '', host = '', container = '', protocol = 'tcp'] =
    /^(?:(?:\[?([0-9a-fA-F.:]+?)\]?):)?(\d*):(\d+)(?:\/(tcp|udp|sctp))?$/.exec(text) ?? [];
  if (container !== '') return { key: `${container}/${protocol}`, address, host };
  throw new Failure({
    code: 'invalid_parameter',
    subject: 'Publish',
    message: `"${text}" does not say which port to publish where`,
    nextStep: 'Write 8080:80, or 127.0.0.1:8080:80 to keep it on the host.',
  });
}

export interface Limits {
  readonly restartPolicy?: string;
  readonly memoryBytes?: number;
  readonly cpus?: number;
}

function limitsOf({ restartPolicy, memoryBytes, cpus }: Limits): JsonObject {
  return {
    ...(restartPolicy !== undefined && { RestartPolicy: { Name: restartPolicy } }),
    // Swap as large as memory allows no more of it; only memory would be refused where a limit on both exists.
    ...(memoryBytes !== undefined && { Memory: memoryBytes, MemorySwap: memoryBytes }),
    ...(cpus !== undefined && { NanoCpus: Math.round(cpus * 1e9) }),
  };
}

export interface Change {
  readonly container: Container;
  readonly changed: boolean;
  readonly before: string;
}

export async function updateContainer(engine: Engine, name: string, limits: Limits, task: Task): Promise<Container> {
  await engine.request(
    {
      method: 'POST',
      path: path('/containers/{name}/update', { name }),
      body: { json: limitsOf(limits) },
      idempotent: true,
    },
    task,
  );
  return await inspectContainer(engine, name, task);
}

export type Power = 'start' | 'stop' | 'restart' | 'kill' | 'pause' | 'unpause';

export interface PowerWish {
  readonly action: Power;
  /** Seconds until it is killed. Default: what the container says, or 10. */
  readonly graceSeconds?: number;
  readonly signal?: string;
  readonly dryRun?: boolean;
}

const WANTED: Readonly<Record<Exclude<Power, 'restart' | 'kill'>, readonly string[]>> = {
  start: ['running', 'paused'],
  stop: ['exited', 'created', 'dead'],
  pause: ['paused'],
  unpause: ['running', 'exited', 'created', 'dead'],
};

/** Starts, stops and so on; nothing is done to a container that is as wanted already. */
export async function changePower(engine: Engine, name: string, wish: PowerWish, task: Task): Promise<Change> {
  const { action, graceSeconds } = wish;
  const now = await inspectContainer(engine, name, task);
  const asWanted = action !== 'restart' && action !== 'kill' && WANTED[action].includes(now.state);
  if (asWanted || wish.dryRun === true) return { container: now, changed: !asWanted, before: now.state };
  const waits = action === 'stop' || action === 'restart';
  await engine.request(
    {
      method: 'POST',
      path: path('/containers/{id}/{action}', { id: now.id, action }),
      query: { ...(waits && { t: graceSeconds }), ...(action === 'kill' && { signal: wish.signal }) },
      // Said twice, it is still started or stopped; a restart or a signal would be given twice.
      idempotent: action !== 'restart' && action !== 'kill',
      deadlineMs: 60_000 + (graceSeconds ?? 60) * 1000,
    },
    task,
  );
  return { container: await inspectContainer(engine, now.id, task), changed: true, before: now.state };
}

export async function renameContainer(engine: Engine, name: string, to: string, task: Task): Promise<Change> {
  const now = await inspectContainer(engine, name, task);
  if (now.name === to) return { container: now, changed: false, before: now.name };
  await engine.request(
    { method: 'POST', path: path('/containers/{id}/rename', { id: now.id }), query: { name: to } },
    task,
  );
  return { container: await inspectContainer(engine, now.id, task), changed: true, before: now.name };
}

export interface Removal {
  readonly name: string;
  readonly id: string | null;
  readonly changed: boolean;
  readonly before: string;
}

/** Removes it; one that is not there is removed already. */
export async function removeContainer(
  engine: Engine,
  name: string,
  wish: { readonly force?: boolean; readonly volumes?: boolean; readonly dryRun?: boolean },
  task: Task,
): Promise<Removal> {
  let now: Container;
  try {
    now = await inspectContainer(engine, name, task);
  } catch (error) {
    if (isFailure(error, 'not_found')) return { name, id: null, changed: false, before: 'missing' };
    throw error;
  }
  const removal = { name: now.name, id: now.id, changed: true, before: now.state };
  if (wish.dryRun === true) return removal;
  await engine.request(
    {
      method: 'DELETE',
      path: path('/containers/{id}', { id: now.id }),
      query: { force: wish.force ?? false, v: wish.volumes ?? false },
    },
    task,
  );
  return removal;
}

export async function topContainer(
  engine: Engine,
  name: string,
  task: Task,
): Promise<readonly Readonly<Record<string, string>>[]> {
  const { body } = await engine.request({ method: 'GET', path: path('/containers/{name}/top', { name }) }, task);
  const titles = textsAt(body, 'Titles');
  return listAt(body, 'Processes').map((row) => {
    const cells: readonly unknown[] = Array.isArray(row) ? row : [];
    return Object.fromEntries(
      titles.map((title, index) => {
        const cell = cells[index];
        return [title, typeof cell === 'string' ? cell : ''];
      }),
    );
  });
}

export type Awaited = 'running' | 'healthy' | 'exited';

/** Waits for a state. One that can no longer come, as health in a container that has exited, is a failure at once. */
export async function awaitContainer(
  engine: Engine,
  name: string,
  wish: { readonly state: Awaited; readonly timeoutMs: number },
  task: Task,
): Promise<Container> {
  const deadline = performance.now() + wish.timeoutMs;
  for (;;) {
    const now = await inspectContainer(engine, name, task);
    const ended = now.state === 'exited' || now.state === 'dead';
    if (
      wish.state === 'exited'
        ? ended
        : now.state === 'running' && (wish.state === 'running' || now.health === 'healthy')
    ) {
      return now;
    }
    const never =
      wish.state === 'healthy' && now.state === 'running' && now.health === null
        ? 'has no health check'
        : wish.state !== 'exited' && ended && now.restartPolicy === 'no'
          ? `has exited with code ${now.exitCode}`
          : undefined;
    if (never !== undefined || performance.now() > deadline) {
      throw new Failure({
        code: never === undefined ? 'timeout' : 'container_not_ready',
        subject: `container ${now.name}, ${describeDocker(engine.access)}`,
        message: `Container ${now.name} ${never ?? `is ${now.state}${now.health === null ? '' : ` and ${now.health}`} after ${wish.timeoutMs / 1000} s`}, and not ${wish.state}`,
        nextStep: 'Read its logs, and what its health check said in the details of this error.',
        details: { state: now.state, health: now.health, healthOutput: now.healthOutput, exitCode: now.exitCode },
      });
    }
    await pause(
      Math.min(500, Math.max(1, deadline - performance.now())),
      task.signal,
      `the waiting for container ${now.name}`,
    );
  }
}
