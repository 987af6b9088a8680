import { Failure } from '../failure';

interface SourceName {
  /** What it is called in manifests, reports and at the destinations: `postgres/immich`. */
  readonly name: string;
}

/** A container on the host in which the programs of the service run, through the docker client. */
interface InContainer {
  readonly container?: string;
  /** Where dockerd listens, when it is not where the docker client looks by itself. */
  readonly dockerSocket?: string;
}

/** How a database server is reached from its host. Nothing given: its local socket. */
export interface DatabaseAccess extends InContainer {
  /** The system user the programs run as, on the host or in the container. Default: the job's user, or the image's. */
  readonly runAs?: string;
  /** A socket (PostgreSQL: its folder) or an address. */
  readonly address?: string;
  readonly port?: number;
  readonly user?: string;
  /** Resolved from its reference by whoever calls; it goes through memory only. */
  readonly password?: string;
}

/** `runAs: 'postgres'` suits the peer authentication of Debian. */
export type PostgresAccess = DatabaseAccess;
/** MariaDB or MySQL. As root without a password it suits the socket authentication of Debian. */
export type MysqlAccess = DatabaseAccess;

export interface PostgresSource extends SourceName, PostgresAccess {
  readonly kind: 'postgres';
  readonly database: string;
}

/** Roles and tablespaces, which belong to no database. */
export interface PostgresGlobalsSource extends SourceName, PostgresAccess {
  readonly kind: 'postgres-globals';
}

/** One database of a MariaDB or MySQL. Writes are held for the moment in which the dump and the counts take their snapshot. */
export interface MysqlSource extends SourceName, MysqlAccess {
  readonly kind: 'mysql';
  readonly database: string;
}

/** Users and grants of a MariaDB, which belong to no database. */
export interface MysqlAccountsSource extends SourceName, MysqlAccess {
  readonly kind: 'mysql-accounts';
}

export interface SqliteSource extends SourceName {
  readonly kind: 'sqlite';
  readonly path: string;
  /** Where the copy is made, which is plaintext: beside the file (default) or in memory. */
  readonly scratch?: 'beside' | 'memory';
}

/** Everything that a Redis holds, as its own RDB file. */
export interface RedisSource extends SourceName, InContainer {
  readonly kind: 'redis';
  /** A Unix socket; otherwise address and port, by default 127.0.0.1 and 6379. */
  readonly socket?: string;
  readonly address?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
}

/** What is packed with tar. */
interface FilesSource extends SourceName {
  /** Patterns as GNU tar takes them. */
  readonly excludes?: readonly string[];
  /** A file below the place without which it is taken for a mount that is missing. */
  readonly marker?: string;
  /** Files that change while they are read make a note in the manifest instead of a failure. */
  readonly tolerateChanges?: boolean;
}

export interface DirectorySource extends FilesSource {
  readonly kind: 'directory';
  readonly path: string;
}

/** A volume whose files lie on this host. */
export interface VolumeSource extends FilesSource {
  readonly kind: 'docker-volume';
  readonly volume: string;
  readonly dockerSocket?: string;
}

/** The output of a command; its exit status decides whether it is good, and no output at all never is. */
export interface CommandSource extends SourceName {
  readonly kind: 'command';
  readonly argv: readonly [string, ...string[]];
  readonly runAs?: string;
}

export type Source =
  | PostgresSource
  | PostgresGlobalsSource
  | MysqlSource
  | MysqlAccountsSource
  | SqliteSource
  | RedisSource
  | DirectorySource
  | VolumeSource
  | CommandSource;

export interface Destination {
  readonly name: string;
  /** As rclone writes it: `eva:backups`. The encrypted tree lies below. */
  readonly remote: string;
  /** Who could lose or lock it: copies with one provider count once towards the quorum. */
  readonly provider: string;
  /** The host it lies on, where it lies on one. On the source's own host it counts nothing. */
  readonly host?: string;
  /** As rclone's --bwlimit takes it: `10M`. */
  readonly bandwidth?: string;
  /** `remote-hash` (default) trusts hashes the remote makes itself; `read-back` downloads every part again. */
  readonly proof?: 'remote-hash' | 'read-back';
  /** True where the credentials of this configuration cannot delete what they have written. */
  readonly undeletable?: boolean;
  readonly attempts?: number;
  readonly pauseSeconds?: number;
  /** How long nothing may move before a transfer counts as broken. Default 60. */
  readonly idleSeconds?: number;
  /** How long this destination may take altogether. Default a day. */
  readonly deadlineSeconds?: number;
}

/** `text` is a whole rclone.conf; `file` is the host's own, used in place so that tokens rclone refreshes survive. */
export type RcloneConfiguration =
  | { readonly kind: 'text'; readonly text: string; readonly password?: string }
  | { readonly kind: 'file'; readonly path: string; readonly password?: string };

export interface Vault {
  readonly rclone: RcloneConfiguration;
  /** The crypt remote in it. Its own `remote` is not used: its passwords and name settings are laid over each place. */
  readonly crypt: string;
}

export interface SpoolSettings {
  /** Default /var/lib/selfhost/spool. */
  readonly folder?: string;
  /** Default: what the disk has, less the reserve. */
  readonly limitBytes?: number;
  /** Compressed bytes in a part. Default 64 MiB. */
  readonly partBytes?: number;
  /** What stays free on the disk. Default 1 GiB. */
  readonly reserveBytes?: number;
  /** How long a dump waits for room before it fails. Default 3600. */
  readonly roomWaitSeconds?: number;
  /** How long a run with destinations that failed is kept for their retry. Default 48. */
  readonly keepHours?: number;
}

/** Whom a run tells how it goes, from its own host, so that a dead n8n does not keep it quiet. */
export interface Notices {
  /** Address of a Pushgateway; figures go to `/metrics/job/backup_scatter/set/<set>` below it. */
  readonly pushgateway?: string;
  /** Called at success; with `/start` behind it at the start, and with `/fail` at failure. */
  readonly deadMan?: string;
}

export interface BackupPlan {
  /** `nightly`. Runs of one set exclude each other. */
  readonly set: string;
  readonly vault: Vault;
  readonly sources: readonly Source[];
  readonly destinations: readonly [Destination, ...Destination[]];
  /** Where the sources are: its name, as in `host` of a destination, and its provider. */
  readonly home: { readonly host: string; readonly provider: string };
  /** In how many failure domains a proven copy must be. */
  readonly quorum: number;
  readonly spool?: SpoolSettings;
  /** zstd level, 1 to 19. Default 3. */
  readonly level?: number;
  /** Default /var/log/backup-scatter.log; null for none. */
  readonly logFile?: string | null;
  readonly notices?: Notices;
}

/** The folder of a source at every destination; encrypted like everything else where the crypt remote says so. */
export function folderOf({ name }: SourceName): string {
  return name.toLowerCase().replace(/[^a-z0-9._]+/g, '-');
}

export function checkPlan(plan: BackupPlan): void {
  const bad = (why: string) =>
    new Failure({
      code: 'backup_plan_unusable',
      subject: `backup ${plan.set}`,
      message: `The backup cannot be run as it is described: ${why}`,
      nextStep: 'Correct the description. Nothing was started.',
    });
  if (!/^[a-z0-9][a-z0-9-]{0,40}$/.test(plan.set)) throw bad(`"${plan.set}" is no name for a set; use a-z, 0-9 and -`);
  if (plan.destinations.length === 0) throw bad('it has no destinations');
  for (const { name } of [...plan.sources, ...plan.destinations]) {
    if (!/^[A-Za-z0-9][A-Za-z0-9._/@ -]{0,99}$/.test(name))
      throw bad(`"${name.slice(0, 100)}" is no name; use letters, digits and . _ / @ -`);
  }
  unique(plan.sources.map(folderOf), (twice) => bad(`two sources would share the folder ${twice}`));
  unique(
    plan.destinations.map(({ name }) => name),
    (twice) => bad(`two destinations are called ${twice}`),
  );
  for (const word of [
    plan.home.host,
    plan.home.provider,
    ...plan.destinations.flatMap(({ provider, host = '-' }) => [provider, host]),
  ]) {
    if (!/^\S{1,100}$/.test(word))
      throw bad(`"${word.slice(0, 100)}" is no name of a host or provider: it is empty or has spaces`);
  }
  const away = new Set(plan.destinations.filter(({ host }) => host !== plan.home.host).map(({ provider }) => provider))
    .size;
  if (!Number.isInteger(plan.quorum) || plan.quorum < 1) throw bad('its quorum is not 1 or more');
  if (plan.quorum > away)
    throw bad(`its quorum is ${plan.quorum}, but its destinations are only ${away} failure domains`);
  if (!/^[A-Za-z0-9_][A-Za-z0-9_. -]*$/.test(plan.vault.crypt)) throw bad('its crypt remote has no plain name');
  plan.destinations.forEach(checkDestination);
  for (const source of plan.sources) {
    if ('path' in source && (!source.path.startsWith('/') || /[\n']/.test(source.path)))
      throw bad(`the path of ${source.name} is not absolute, or has a quote or line end`);
    for (const name of dockerNames(source))
      if (!isDockerName(name)) throw bad(`${source.name} has no plain name of a container or volume`);
  }
  const { partBytes = DEFAULTS.partBytes, folder = DEFAULTS.folder } = plan.spool ?? {};
  if (!Number.isInteger(partBytes) || partBytes < 65_536) throw bad('its parts are smaller than 64 KiB');
  if (!folder.startsWith('/')) throw bad('the folder of its spool is not absolute');
  for (const address of [plan.notices?.pushgateway, plan.notices?.deadMan]) {
    if (address !== undefined && /[\s\p{Cc}]/u.test(address)) throw bad('the address of a notice has spaces in it');
  }
  const { level = DEFAULTS.level } = plan;
  if (!Number.isInteger(level) || level < 1 || level > 19) throw bad('its compression level is not 1 to 19');
}

export function checkDestination({ remote, bandwidth, name }: Destination): void {
  const bad = (why: string) =>
    new Failure({
      code: 'backup_plan_unusable',
      subject: `destination ${name}`,
      message: `The backup cannot be run as it is described: ${why}`,
      nextStep: 'Correct the description. Nothing was started.',
    });
  if (remote.trim() === '' || remote.startsWith('-')) throw bad(`${name} has no remote`);
  if (bandwidth !== undefined && !/^[0-9.]+[BKMGbkmg]?$/.test(bandwidth))
    throw bad(`the bandwidth of ${name} is not like 10M`);
}

function dockerNames(source: Source): string[] {
  const names = 'container' in source && source.container !== undefined ? [source.container] : [];
  return source.kind === 'docker-volume' ? [...names, source.volume] : names;
}

/** As dockerd takes the name of a container or a volume. */
export function isDockerName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(name);
}

export const DEFAULTS = {
  folder: '/var/lib/selfhost/spool',
  limitBytes: 0,
  partBytes: 64 * 1024 * 1024,
  reserveBytes: 1024 * 1024 * 1024,
  roomWaitSeconds: 3600,
  keepHours: 48,
  level: 3,
  logFile: '/var/log/backup-scatter.log',
} as const;

function unique(names: readonly string[], complain: (name: string) => Failure): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) throw complain(name);
    seen.add(name);
  }
}
