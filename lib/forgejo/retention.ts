import { createHash } from 'node:crypto';

import { canonicalJson } from '../canonical-json';
import { Failure } from '../failure';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { deleteVersion, filesOf, listPackages, type PackageFilter, type PackageVersion } from './packages';
import { manifestsNeededBy } from './registry/needed';
import type { ForgejoRegistry } from './registry/registry';
import { matchesAny } from './webhook/glob';

export interface RetentionRules {
  /** Of each package, the newest so many. */
  readonly keepNewest: number;
  /** Globs of versions that stay. */
  readonly keep: readonly string[];
  /** Younger ones stay; 0: age does not matter. */
  readonly youngerThanDays: number;
  /** Container versions that are named by a digest: all stay, or those go that no version which stays needs. */
  readonly untagged: 'keep' | 'removeUnneeded';
}

export interface WeighedVersion extends PackageVersion {
  readonly bytes: number;
}

export interface RetentionPlan {
  readonly remove: readonly WeighedVersion[];
  readonly kept: number;
  /** What is freed when all of it is removed: content that a version which stays has as well is not counted. */
  readonly bytes: number;
  /** The same for the same versions to remove. */
  readonly hash: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** A push brings the platforms of an image first, and only then the tag that needs them. */
const LEAST_AGE_UNTAGGED_DAYS = 1;

/**
 * Which versions with a name of their own nobody keeps. `latest` always stays. Container versions that are named by
 * their digest are looked at apart: they may be one platform of a tagged image, which would be broken without it.
 */
export function versionsToRemove(
  all: readonly PackageVersion[],
  { keepNewest, keep, youngerThanDays }: Omit<RetentionRules, 'untagged'>,
  now: number,
): readonly PackageVersion[] {
  const packages = new Map<string, PackageVersion[]>();
  for (const version of all) {
    if (isDigest(version) || version.version === 'latest') continue;
    const key = packageOf(version);
    packages.set(key, [...(packages.get(key) ?? []), version]);
  }
  return [...packages.values()].flatMap((versions) =>
    versions
      .sort((one, other) => Date.parse(other.createdAt) - Date.parse(one.createdAt) || other.id - one.id)
      .slice(keepNewest)
      .filter(({ version }) => keep.length === 0 || !matchesAny(keep, version))
      .filter((version) => youngerThanDays === 0 || isOlder(version, youngerThanDays, now)),
  );
}

/** A date that cannot be read is not old. */
function isOlder({ createdAt }: PackageVersion, days: number, now: number): boolean {
  return now - Date.parse(createdAt) > days * DAY_MS;
}

function packageOf({ owner, type, name }: PackageVersion): string {
  return JSON.stringify([owner.toLowerCase(), type, name.toLowerCase()]);
}

function imageOf({ owner, name }: PackageVersion): string {
  return `${owner}/${name}`.toLowerCase();
}

/** The versions named by a digest that nothing which stays leads to, whatever else is going to be removed. */
async function unneeded(
  registry: ForgejoRegistry,
  all: readonly PackageVersion[],
  removed: ReadonlySet<number>,
  { keep, youngerThanDays }: RetentionRules,
  now: number,
  task: Task,
): Promise<readonly PackageVersion[]> {
  const days = Math.max(youngerThanDays, LEAST_AGE_UNTAGGED_DAYS);
  const isCandidate = (version: PackageVersion) =>
    isDigest(version) && isOlder(version, days, now) && (keep.length === 0 || !matchesAny(keep, version.version));
  const images = new Map(all.filter(isCandidate).map((version) => [packageOf(version), version]));
  const found: PackageVersion[] = [];
  for (const [key, version] of images) {
    const versions = all.filter((one) => packageOf(one) === key);
    const staying = versions.filter((one) => !removed.has(one.id) && !isCandidate(one));
    const image = imageOf(version);
    task.progress({ message: `Asking what the versions of ${image} need` });
    const needed = await manifestsNeededBy(
      registry,
      image,
      staying.map((one) => one.version),
      task,
    );
    found.push(...versions.filter((one) => isCandidate(one) && !needed.has(one.version)));
  }
  return found;
}

function isDigest({ type, version }: PackageVersion): boolean {
  return type === 'container' && version.startsWith('sha256:');
}

export interface PackagePlaces {
  readonly api: ForgejoApi;
  /** Asked only about versions that are named by a digest. */
  readonly registry: ForgejoRegistry;
}

export async function planRetention(
  { api, registry }: PackagePlaces,
  filter: PackageFilter,
  rules: RetentionRules,
  now: number,
  task: Task,
): Promise<RetentionPlan> {
  const all = await listPackages(api, filter, task);
  const tagged = versionsToRemove(all, rules, now);
  const removed = new Set(tagged.map(({ id }) => id));
  const untagged = rules.untagged === 'keep' ? [] : await unneeded(registry, all, removed, rules, now, task);
  const chosen = [...tagged, ...untagged];
  const ids = chosen.map(({ id }) => id).sort((one, other) => one - other);
  return {
    ...(await weigh(api, all, chosen, task)),
    kept: all.length - chosen.length,
    hash: createHash('sha256').update(canonicalJson(ids)).digest('hex'),
  };
}

/** Versions of an image share layers, and the server keeps each once. */
async function weigh(
  api: ForgejoApi,
  all: readonly PackageVersion[],
  chosen: readonly PackageVersion[],
  task: Task,
): Promise<Pick<RetentionPlan, 'remove' | 'bytes'>> {
  const isChosen = new Set(chosen.map(({ id }) => id));
  const shrinking = new Set(chosen.filter(({ type }) => type === 'container').map(packageOf));
  const sharing = all.filter((version) => shrinking.has(packageOf(version)) && !isChosen.has(version.id));
  const staying = new Set<string>();
  const freed = new Map<string, number>();
  const remove: WeighedVersion[] = [];
  let done = 0;
  const look = async (version: PackageVersion) => {
    const fraction = done / (chosen.length + sharing.length);
    task.progress({ message: `Weighing ${version.name} ${version.version}`, fraction });
    done += 1;
    return filesOf(api, version, task);
  };
  for (const version of sharing) for (const { sha256 } of await look(version)) if (sha256 !== null) staying.add(sha256);
  for (const version of chosen) {
    const files = await look(version);
    remove.push({ ...version, bytes: files.reduce((sum, { size }) => sum + size, 0) });
    for (const { name, size, sha256 } of files) {
      if (sha256 === null || !staying.has(sha256)) freed.set(sha256 ?? `${version.id} ${name}`, size);
    }
  }
  return { remove, bytes: [...freed.values()].reduce((sum, size) => sum + size, 0) };
}

/**
 * Removes what the plan says; with a hash, only if that is still the plan. An untagged version that a tag has come to
 * need since then stays. Returns what was removed.
 */
export async function applyRetention(
  { api, registry }: PackagePlaces,
  plan: RetentionPlan,
  approvedHash: string,
  task: Task,
): Promise<readonly WeighedVersion[]> {
  if (approvedHash !== '' && approvedHash !== plan.hash) {
    throw new Failure({
      code: 'plan_drifted',
      subject: 'package retention',
      message: 'The packages are not those of the plan any more, so nothing was removed',
      nextStep: 'Run the dry run again, look at it, and give its hash.',
      details: { hash: plan.hash, remove: plan.remove.length },
    });
  }
  const neededNow = new Map<string, ReadonlySet<string>>();
  const isNeeded = async (version: PackageVersion) => {
    const image = imageOf(version);
    const known = neededNow.get(image) ?? (await neededByTags(registry, image, task));
    neededNow.set(image, known);
    return known.has(version.version);
  };
  const removed: WeighedVersion[] = [];
  for (const [at, version] of plan.remove.entries()) {
    task.progress({ message: `Removing ${version.name} ${version.version}`, fraction: at / plan.remove.length });
    if (isDigest(version) && (await isNeeded(version))) continue;
    await deleteVersion(api, version, task);
    removed.push(version);
  }
  return removed;
}

async function neededByTags(registry: ForgejoRegistry, image: string, task: Task): Promise<ReadonlySet<string>> {
  const tags = (await orNull(registry.tags(image, task))) ?? [];
  return manifestsNeededBy(registry, image, tags, task);
}
