import { isFailure } from '../../failure';
import type { Host } from '../../host/host';
import type { Task } from '../../task';
import { listDatabases } from '../expand';
import type { BackupPlan, Source } from '../plan';
import { discover, type Discovery, type Found } from './discover';

export interface Covered {
  readonly kind: 'database' | 'sqlite' | 'volume' | 'bind mount' | 'application' | 'bucket' | 'unseen';
  readonly what: string;
  readonly state:
    | 'covered'
    /** It is copied, but not in a way that surely restores: a live database as files. */
    | 'weak'
    | 'in no backup'
    | 'ignored'
    /** It could not be looked at. */
    | 'unknown';
  /** The sources of the plan that have it. */
  readonly sources: readonly string[];
  readonly sentence: string;
}

export interface CoverageRequest {
  /** With the passwords of its sources. */
  readonly plan: BackupPlan;
  /** Below these SQLite files are looked for, beside the volumes and bind mounts of containers. */
  readonly folders: readonly string[];
  /** Buckets and other places that nobody can find on a host, as the plan names them. */
  readonly buckets: readonly string[];
  /** Folders and buckets that are copied as trees, by plans of their own. */
  readonly trees: readonly string[];
  /** Paths and names that need no backup; what lies below a path neither. */
  readonly ignore: readonly string[];
}

/** Compares what a host holds with what its plan backs up. */
export async function takeCoverage(host: Host, request: CoverageRequest, task: Task): Promise<Covered[]> {
  const { plan, folders } = request;
  const sockets = new Set(plan.sources.flatMap((source) => dockerSocketOf(source)));
  const [first, databases] = await Promise.all([
    discover(host, { folders: [], dockerSockets: sockets.size === 0 ? [''] : [...sockets] }, task),
    databasesOf(host, plan, task),
  ]);
  const mounted = first.found.flatMap((each) =>
    each.kind === 'volume' ||
    (each.kind === 'mount' && each.writable && !isPlumbing(each)) ||
    each.kind === 'application'
      ? [each.path]
      : [],
  );
  const second = await discover(host, { folders: outermost([...folders, ...mounted]), dockerSockets: [] }, task);
  const files = second.found.filter(({ kind }) => kind === 'sqlite');
  // A mount may be a single file, which is no folder to look through.
  const unseen = second.unseen.filter(({ what }) => folders.includes(what) || !mounted.includes(what));
  return judgeCoverage(
    {
      found: [...databases.found, ...first.found, ...files],
      unseen: [...databases.unseen, ...first.unseen, ...unseen],
    },
    request,
  );
}

/** Asks every server that the plan reaches for all of its databases, each server once. */
async function databasesOf(host: Host, plan: BackupPlan, task: Task): Promise<Discovery> {
  const found: Found[] = [];
  const unseen: Discovery['unseen'][number][] = [];
  const asked = new Set<string>();
  for (const source of plan.sources.filter(isDatabaseSource)) {
    const engine = engineOf(source);
    const server = serverOf(source);
    if (asked.has(`${engine} ${server}`)) continue;
    asked.add(`${engine} ${server}`);
    try {
      const { databases } = await listDatabases(host, engine, source, task);
      found.push(...databases.map((name) => ({ kind: 'database' as const, engine, server, name })));
    } catch (error) {
      if (!isFailure(error) || task.signal.aborted) throw error;
      unseen.push({ what: `the databases of ${NAMES[engine]} (${server})`, why: error.message });
    }
  }
  return { found, unseen };
}

const NAMES = { postgres: 'PostgreSQL', mysql: 'MariaDB' } as const;

type DatabaseSource = Extract<Source, { kind: 'postgres' | 'postgres-globals' | 'mysql' | 'mysql-accounts' }>;

function isDatabaseSource(source: Source): source is DatabaseSource {
  return ['postgres', 'postgres-globals', 'mysql', 'mysql-accounts'].includes(source.kind);
}

function engineOf({ kind }: DatabaseSource): 'postgres' | 'mysql' {
  return kind === 'postgres' || kind === 'postgres-globals' ? 'postgres' : 'mysql';
}

/** Which server of a host it is: two ways to one server are one. */
function serverOf(source: DatabaseSource): string {
  const { container, address = '', port } = source;
  if (container !== undefined) return `container ${container}`;
  if (engineOf(source) === 'mysql') return address.startsWith('/') ? address : `port ${port ?? 3306}`;
  return `port ${port ?? 5432}`;
}

function dockerSocketOf(source: Source): string[] {
  if (source.kind === 'docker-volume' || ('container' in source && source.container !== undefined))
    return [source.dockerSocket ?? ''];
  return [];
}

/** Pure: what is found against what is planned. What is in no backup comes first. */
export function judgeCoverage(discovery: Discovery, request: Omit<CoverageRequest, 'folders'>): Covered[] {
  const { buckets, trees, ignore } = request;
  const kept = trees.map((path): Source => ({ kind: 'directory', name: `the tree of ${path}`, path }));
  const plan = { sources: [...request.plan.sources, ...kept] };
  const ignored = (...names: readonly string[]) => names.some((name) => ignore.some((each) => within(name, each)));
  const verdict = (
    kind: Covered['kind'],
    what: string,
    names: readonly string[],
    whole: readonly Source[],
    partly: readonly Source[] = [],
  ): Covered => {
    const sources = [...whole, ...partly].map(({ name }) => name);
    if (whole.length > 0)
      return { kind, what, state: 'covered', sources, sentence: `${what} is in ${sources.join(', ')}` };
    if (partly.length > 0)
      return {
        kind,
        what,
        state: 'weak',
        sources,
        sentence: `${what} is copied by ${sources.join(', ')} as files while it may be written; a source of its own makes a copy that surely restores`,
      };
    if (ignored(...names))
      return { kind, what, state: 'ignored', sources, sentence: `${what} needs no backup, as you said` };
    return { kind, what, state: 'in no backup', sources, sentence: `${what} is in no backup` };
  };
  const folders = (path: string) =>
    plan.sources.filter((source) => source.kind === 'directory' && within(path, source.path));
  const volumes = (name: string) =>
    plan.sources.filter((source) => source.kind === 'docker-volume' && source.volume === name);
  const judged = discovery.found.flatMap((each): Covered[] => {
    switch (each.kind) {
      case 'database': {
        const whole = plan.sources.filter(
          (source) =>
            (source.kind === 'postgres' || source.kind === 'mysql') &&
            source.kind === each.engine &&
            source.database === each.name &&
            serverOf(source) === each.server,
        );
        // Every server has it, and it is empty unless somebody uses it.
        if (each.engine === 'postgres' && each.name === 'postgres' && whole.length === 0) return [];
        return [verdict('database', `database ${each.name} (${each.server})`, [each.name], whole)];
      }
      case 'sqlite': {
        const whole = plan.sources.filter((source) => source.kind === 'sqlite' && source.path === each.path);
        return [verdict('sqlite', each.path, [each.path], whole, folders(each.path))];
      }
      case 'volume': {
        // Volumes that a container uses are judged with it.
        const used = discovery.found.some(
          (other) => other.kind === 'mount' && other.name === each.name && other.name !== '',
        );
        return used
          ? []
          : [
              verdict(
                'volume',
                `volume ${each.name} (no container uses it)`,
                [each.name, each.path],
                [...volumes(each.name), ...folders(each.path)],
              ),
            ];
      }
      case 'mount': {
        if (!each.writable || isPlumbing(each)) return [];
        const what = `${each.type === 'volume' ? `volume ${each.name}` : each.path} of ${each.container}`;
        const kind = each.type === 'volume' ? 'volume' : 'bind mount';
        const names = [each.path, each.name, each.container];
        const live = isDatabase(each.image);
        // The files of a database are covered by a dump out of its container, and not by a copy of them.
        const dumped = plan.sources.filter((source) => Object.values(source).includes(each.container));
        const copied = [...(each.type === 'volume' ? volumes(each.name) : []), ...folders(each.path)];
        return [verdict(kind, what, names, live ? dumped : copied, live ? copied : [])];
      }
      case 'application':
        return [
          verdict('application', `${each.name} data in ${each.path}`, [each.path, each.name], folders(each.path)),
        ];
    }
  });
  const given = buckets.map((bucket) =>
    verdict(
      'bucket',
      bucket,
      [bucket],
      plan.sources.filter((source) => 'path' in source && within(bucket, source.path)),
    ),
  );
  const unknown = discovery.unseen.map(({ what, why }): Covered => ({
    kind: 'unseen',
    what,
    state: 'unknown',
    sources: [],
    sentence: `${what} could not be looked at: ${why}`,
  }));
  const order: readonly Covered['state'][] = ['in no backup', 'unknown', 'weak', 'covered', 'ignored'];
  return [...judged, ...given, ...unknown].sort((one, other) => order.indexOf(one.state) - order.indexOf(other.state));
}

/** Sockets, clocks and devices that containers are given: nothing of it is data. */
function isPlumbing({ path }: Pick<Extract<Found, { kind: 'mount' }>, 'path'>): boolean {
  return ['/proc', '/sys', '/dev', '/run', '/var/run', '/etc/localtime', '/etc/timezone', '/etc/ssl'].some((each) =>
    within(path, each),
  );
}

/** Whether files of this image are a database that is being written. */
function isDatabase(image: string): boolean {
  return /(^|\/)(postgres|postgresql|postgis|pgvector|mysql|mariadb|percona|mongo|redis|valkey|influxdb|timescaledb)[^/]*$/i.test(
    image,
  );
}

/** The path itself or something below it. */
function within(path: string, folder: string): boolean {
  const base = folder.replace(/\/+$/, '');
  return path === base || path.startsWith(`${base}/`) || folder === '/';
}

function outermost(folders: readonly string[]): string[] {
  const unique = [...new Set(folders)];
  return unique.filter((one) => !unique.some((other) => other !== one && within(one, other)));
}
