import { Failure } from '../../failure';
import { checkPlan, DEFAULTS, folderOf, type BackupPlan, type Destination, type Vault } from '../plan';
import { secretsOf, vaultFields, type Fields } from '../plan-fields';

export interface TreeDestination extends Destination {
  /** Where the repository of the tree lies, as rclone writes it. Default: beside the encrypted tree of the other backups. */
  readonly repository?: string;
}

/** An incremental, encrypted, versioned copy of a folder or mount, by restic over rclone. */
export interface TreePlan extends Pick<BackupPlan, 'set' | 'vault' | 'home' | 'quorum' | 'spool' | 'logFile'> {
  readonly tree: {
    /** As the name of a source: `tree/photos`. */
    readonly name: string;
    /** A folder of the host, or where something is mounted. */
    readonly path?: string;
    /** Instead of a path: a bucket, or a folder of any other remote, as rclone writes it: `media:kuanary`. */
    readonly remote?: string;
    /** A file below it without which it is taken for a mount that is missing, or another bucket. */
    readonly marker?: string;
    /** Patterns as restic takes them. */
    readonly excludes?: readonly string[];
    /** Stays on the file system of the path. */
    readonly oneFileSystem?: boolean;
    /** Files that cannot be read make no failure. */
    readonly tolerateChanges?: boolean;
  };
  /** Of the repositories. It belongs into the recovery kit, as the crypt passwords do. */
  readonly password: string;
  readonly destinations: readonly [TreeDestination, ...TreeDestination[]];
}

/** What restores and looks at a tree need to know of it. */
export type TreePlace = Pick<TreePlan, 'vault' | 'password' | 'spool'> & { readonly tree: { readonly name: string } };

export function checkTreePlan(plan: TreePlan): void {
  const { tree, password, ...rest } = plan;
  const { path, remote } = tree;
  checkPlan({ ...rest, sources: [{ kind: 'directory', name: tree.name, path: path ?? '/' }] });
  const bad = (why: string) =>
    new Failure({
      code: 'backup_plan_unusable',
      subject: `tree ${tree.name}`,
      message: `The tree cannot be copied as it is described: ${why}`,
      nextStep: 'Correct the description. Nothing was started.',
    });
  if (password.length < 8 || /[\r\n\0]/.test(password))
    throw bad('the password of its repositories has less than 8 characters, or a line end');
  if ((path === undefined) === (remote === undefined)) throw bad('it needs either a path or a remote');
  if (remote !== undefined && (!remote.slice(1).includes(':') || remote.startsWith('-') || /[\n\0]/.test(remote)))
    throw bad('its remote is not like media:bucket');
  if (remote !== undefined && tree.tolerateChanges === true)
    throw bad('what of a remote cannot be read is always a failure, so tolerateChanges is for a path only');
  if (tree.marker !== undefined && (tree.marker.startsWith('/') || tree.marker === ''))
    throw bad('its marker is not a path below it');
  for (const { name, repository } of plan.destinations) {
    if (repository !== undefined && (repository.trim() === '' || repository.startsWith('-')))
      throw bad(`${name} has no place for a repository`);
  }
}

/** Never inside the encrypted tree of the other backups, whose names it would disturb. */
export function repositoryOf({ remote, repository }: TreeDestination, tree: string): string {
  if (repository !== undefined) return repository;
  const folder = folderOf({ name: tree });
  return remote.endsWith(':') ? `${remote}selfhost-trees/${folder}` : `${remote.replace(/\/+$/, '')}-trees/${folder}`;
}

export function treePlanFields(plan: TreePlan, run: string): Fields {
  const { tree, destinations, home, logFile } = plan;
  return {
    ...treeFields(plan, destinations),
    run,
    set: plan.set,
    host: home.host,
    provider: home.provider,
    quorum: plan.quorum,
    log: (logFile === undefined ? DEFAULTS.logFile : logFile) ?? undefined,
    'source.0.id': `${tree.name}@${home.host}`,
    'source.0.folder': folderOf(tree),
    'source.0.path': tree.path,
    'source.0.remote': tree.remote,
    'source.0.marker': tree.marker,
    'source.0.oneFileSystem': tree.oneFileSystem === true ? 'yes' : undefined,
    'source.0.tolerateChanges': tree.tolerateChanges === true ? 'yes' : undefined,
    'source.0.excludes': tree.excludes?.length,
    ...Object.fromEntries((tree.excludes ?? []).map((each, index) => [`source.0.exclude.${index}`, each])),
  };
}

/** The legs of a tree, for every script that looks into repositories. */
export function treeFields(place: TreePlace, destinations: readonly TreeDestination[]): Fields {
  return {
    ...vaultFields(place.vault),
    password: place.password,
    spool: place.spool?.folder ?? DEFAULTS.folder,
    legs: destinations.length,
    ...Object.fromEntries(
      destinations.flatMap((each, index) =>
        Object.entries({
          name: each.name,
          remote: each.remote,
          repository: repositoryOf(each, place.tree.name),
          provider: each.provider,
          host: each.host ?? '-',
          bandwidth: each.bandwidth,
          proof: each.proof,
          undeletable: each.undeletable === true ? 'yes' : undefined,
          attempts: each.attempts,
          pause: each.pauseSeconds,
          idle: each.idleSeconds,
          deadline: each.deadlineSeconds,
        }).map(([key, value]) => [`leg.${index}.${key}`, value]),
      ),
    ),
  };
}

export function treeSecrets({ vault, password }: { readonly vault: Vault; readonly password: string }): string[] {
  return [...secretsOf(vault), password];
}
