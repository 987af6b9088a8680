import { Failure } from '../../failure';
import { path } from '../../http/path';
import type { Task } from '../../task';
import { describeDocker } from './access';
import { listContainers } from './containers';
import { filtersOf, type Engine } from './engine';
import { deletedOf, listImages, spaceOf } from './images';
import { jsonLines } from './json-lines';
import { listNetworks } from './networks';
import { labelsAt, listAt, numberAt, textAt, textsAt } from './read';
import { listVolumes } from './volumes';

export interface SystemInfo {
  readonly serverVersion: string;
  readonly apiVersion: string;
  readonly operatingSystem: string;
  readonly kernel: string;
  readonly architecture: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly storageDriver: string;
  readonly dataFolder: string;
  readonly containers: number;
  readonly running: number;
  readonly images: number;
  readonly warnings: readonly string[];
}

export async function systemInfo(engine: Engine, task: Task): Promise<SystemInfo> {
  const { body } = await engine.request({ method: 'GET', path: path('/info') }, task);
  return {
    serverVersion: engine.serverVersion,
    apiVersion: engine.apiVersion,
    operatingSystem: textAt(body, 'OperatingSystem'),
    kernel: textAt(body, 'KernelVersion'),
    architecture: textAt(body, 'Architecture'),
    cpus: numberAt(body, 'NCPU'),
    memoryBytes: numberAt(body, 'MemTotal'),
    storageDriver: textAt(body, 'Driver'),
    dataFolder: textAt(body, 'DockerRootDir'),
    containers: numberAt(body, 'Containers'),
    running: numberAt(body, 'ContainersRunning'),
    images: numberAt(body, 'Images'),
    warnings: textsAt(body, 'Warnings'),
  };
}

/** Whether the engine answers; it throws when it does not. */
export async function ping(
  engine: Engine,
  task: Task,
): Promise<{ readonly apiVersion: string; readonly milliseconds: number }> {
  const begun = performance.now();
  await engine.text({ method: 'GET', path: path('/_ping') }, task);
  return { apiVersion: engine.apiVersion, milliseconds: Math.round(performance.now() - begun) };
}

export interface EngineVersion {
  readonly version: string;
  readonly apiVersion: string;
  readonly newestApiVersion: string;
  readonly oldestApiVersion: string;
  readonly operatingSystem: string;
  readonly architecture: string;
  readonly kernel: string;
  readonly components: Readonly<Record<string, string>>;
}

export async function engineVersion(engine: Engine, task: Task): Promise<EngineVersion> {
  const { body } = await engine.request({ method: 'GET', path: path('/version') }, task);
  return {
    version: textAt(body, 'Version'),
    apiVersion: engine.apiVersion,
    newestApiVersion: textAt(body, 'ApiVersion'),
    oldestApiVersion: textAt(body, 'MinAPIVersion'),
    operatingSystem: textAt(body, 'Os'),
    architecture: textAt(body, 'Arch'),
    kernel: textAt(body, 'KernelVersion'),
    components: Object.fromEntries(
      listAt(body, 'Components').map((part) => [textAt(part, 'Name'), textAt(part, 'Version')]),
    ),
  };
}

export interface DiskUsage {
  readonly imagesBytes: number;
  readonly containersBytes: number;
  readonly volumesBytes: number;
  readonly buildCacheBytes: number;
  readonly images: number;
  readonly containers: number;
  readonly volumes: number;
}

/** Until API 1.51 the answer lists everything, from 1.52 on it counts. */
export async function diskUsage(engine: Engine, task: Task): Promise<DiskUsage> {
  const { body } = await engine.request({ method: 'GET', path: path('/system/df'), deadlineMs: 10 * 60_000 }, task);
  return readDiskUsage(body);
}

export function readDiskUsage(body: unknown): DiskUsage {
  const sum = (list: string, ...way: readonly string[]) =>
    listAt(body, list).reduce<number>((total, one) => total + Math.max(0, numberAt(one, ...way)), 0);
  const usage = (group: string) => ({
    bytes: numberAt(body, group, 'TotalSize'),
    count: numberAt(body, group, 'TotalCount'),
  });
  const counted = {
    images: usage('ImageUsage'),
    containers: usage('ContainerUsage'),
    volumes: usage('VolumeUsage'),
    cache: usage('BuildCacheUsage'),
  };
  return {
    imagesBytes: counted.images.bytes || numberAt(body, 'LayersSize'),
    containersBytes: counted.containers.bytes || sum('Containers', 'SizeRw'),
    volumesBytes: counted.volumes.bytes || sum('Volumes', 'UsageData', 'Size'),
    buildCacheBytes: counted.cache.bytes || sum('BuildCache', 'Size'),
    images: counted.images.count || listAt(body, 'Images').length,
    containers: counted.containers.count || listAt(body, 'Containers').length,
    volumes: counted.volumes.count || listAt(body, 'Volumes').length,
  };
}

export interface DockerEvent {
  readonly type: string;
  readonly action: string;
  readonly id: string;
  readonly name: string;
  readonly time: string;
  /** Nanoseconds since 1970, as text: too large for a number. */
  readonly timeNano: string;
  readonly attributes: Readonly<Record<string, string>>;
}

export interface EventWish {
  readonly since?: string;
  /** Left out, it goes on until it is stopped. */
  readonly until?: string;
  readonly types?: readonly string[];
  readonly events?: readonly string[];
  readonly containers?: readonly string[];
}

export async function* events(
  engine: Engine,
  wish: EventWish,
  task: Task,
): AsyncGenerator<DockerEvent, void, undefined> {
  const { body } = await engine.stream(
    {
      method: 'GET',
      path: path('/events'),
      query: {
        since: wish.since,
        until: wish.until,
        filters: filtersOf({ type: wish.types, event: wish.events, container: wish.containers }),
      },
    },
    task,
  );
  try {
    for await (const event of jsonLines(body)) {
      const attributes = labelsAt(event, 'Actor', 'Attributes');
      const seconds = numberAt(event, 'time');
      yield {
        type: textAt(event, 'Type'),
        action: textAt(event, 'Action'),
        id: textAt(event, 'Actor', 'ID'),
        name: attributes.name ?? '',
        time: new Date(seconds * 1000).toISOString(),
        timeNano: String(BigInt(Math.trunc(numberAt(event, 'timeNano')))),
        attributes,
      };
    }
  } finally {
    body.destroy();
  }
}

export type Prunable = 'containers' | 'images' | 'volumes' | 'networks';

export interface PruneWish {
  readonly what: Prunable;
  /** Images: also those with a name that no container uses. Volumes: also those with a name. */
  readonly all?: boolean;
  readonly labels?: readonly string[];
  readonly dryRun?: boolean;
}

const NAMES = {
  containers: 'ContainersDeleted',
  images: 'ImagesDeleted',
  volumes: 'VolumesDeleted',
  networks: 'NetworksDeleted',
} as const;

/** Networks that Docker makes itself, and that a prune leaves alone. */
const OWN_NETWORKS = ['bridge', 'host', 'none'];

export async function prune(
  engine: Engine,
  wish: PruneWish,
  task: Task,
): Promise<{ readonly changed: boolean; readonly removed: readonly string[]; readonly freedBytes: number | null }> {
  if (wish.dryRun === true) {
    const removed = await prunable(engine, wish, task);
    return { changed: removed.length > 0, removed, freedBytes: null };
  }
  const filters = filtersOf({
    label: wish.labels,
    // Without a word Docker prunes nameless images only, and until API 1.41 all volumes.
    dangling: wish.what === 'images' ? [String(wish.all !== true)] : undefined,
    all:
      wish.what === 'volumes' && wish.all === true && engine.apiVersion !== '1.40' && engine.apiVersion !== '1.41'
        ? ['true']
        : undefined,
  });
  if (wish.what === 'volumes' && wish.all !== true && (engine.apiVersion === '1.40' || engine.apiVersion === '1.41')) {
    throw new Failure({
      code: 'docker_version',
      subject: describeDocker(engine.access),
      message: `${describeDocker(engine.access)} would remove named volumes, too: API ${engine.apiVersion} knows no other way`,
      nextStep: 'Remove volumes one by one, or say that all unused volumes may go.',
    });
  }
  const { body } = await engine.request(
    {
      method: 'POST',
      path: path('/{what}/prune', { what: wish.what }),
      query: { filters },
      idempotent: true,
      deadlineMs: 10 * 60_000,
    },
    task,
  );
  const removed = deletedOf(body, NAMES[wish.what]);
  return { changed: removed.length > 0, removed, freedBytes: spaceOf(body) };
}

async function prunable(engine: Engine, { what, all, labels }: PruneWish, task: Task): Promise<readonly string[]> {
  switch (what) {
    case 'containers':
      return (await listContainers(engine, { all: true, status: ['created', 'exited', 'dead'], labels }, task)).map(
        ({ name }) => name,
      );
    case 'images': {
      if (all !== true) return (await listImages(engine, { dangling: true }, task)).map(({ id }) => id);
      const used = new Set((await listContainers(engine, { all: true }, task)).map(({ imageId }) => imageId));
      return (await listImages(engine, {}, task))
        .filter(({ id }) => !used.has(id))
        .map(({ id, tags }) => tags[0] ?? id);
    }
    case 'volumes':
      return (await listVolumes(engine, { unused: true, labels }, task))
        .filter(({ name }) => all === true || /^[0-9a-f]{64}$/.test(name))
        .map(({ name }) => name);
    case 'networks':
      return (await listNetworks(engine, { unused: true }, task))
        .map(({ name }) => name)
        .filter((name) => !OWN_NETWORKS.includes(name));
  }
}

export interface Stats {
  readonly name: string;
  readonly cpuPercent: number;
  readonly memoryBytes: number;
  readonly memoryLimitBytes: number;
  readonly processes: number;
  readonly receivedBytes: number;
  readonly sentBytes: number;
}

/** One measurement; Docker takes a second for it, because use is a difference. */
export async function containerStats(engine: Engine, container: string, task: Task): Promise<Stats> {
  const { body } = await engine.request(
    { method: 'GET', path: path('/containers/{container}/stats', { container }), query: { stream: false } },
    task,
  );
  return readStats(body);
}

export function readStats(body: unknown): Stats {
  const used =
    numberAt(body, 'cpu_stats', 'cpu_usage', 'total_usage') -
    numberAt(body, 'precpu_stats', 'cpu_usage', 'total_usage');
  const passed = numberAt(body, 'cpu_stats', 'system_cpu_usage') - numberAt(body, 'precpu_stats', 'system_cpu_usage');
  const cpus =
    numberAt(body, 'cpu_stats', 'online_cpus') || listAt(body, 'cpu_stats', 'cpu_usage', 'percpu_usage').length || 1;
  // Pages that only hold files are given back when they are needed.
  const files =
    numberAt(body, 'memory_stats', 'stats', 'inactive_file') ||
    numberAt(body, 'memory_stats', 'stats', 'total_inactive_file');
  const networks = Object.values((body as { networks?: Record<string, unknown> } | null)?.networks ?? {});
  const total = (name: string) => networks.reduce<number>((sum, one) => sum + numberAt(one, name), 0);
  return {
    name: textAt(body, 'name').replace(/^\//, ''),
    cpuPercent: passed > 0 && used > 0 ? Math.round((used / passed) * cpus * 10_000) / 100 : 0,
    memoryBytes: Math.max(0, numberAt(body, 'memory_stats', 'usage') - files),
    memoryLimitBytes: numberAt(body, 'memory_stats', 'limit'),
    processes: numberAt(body, 'pids_stats', 'current'),
    receivedBytes: total('rx_bytes'),
    sentBytes: total('tx_bytes'),
  };
}
