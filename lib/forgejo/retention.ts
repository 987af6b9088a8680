import { createHash } from 'node:crypto';

import { canonicalJson } from '../canonical-json';
import { Failure } from '../failure';
import type { Task } from '../task';
import type { ForgejoApi } from './api';
import { bytesOf, deleteVersion, listPackages, type PackageFilter, type PackageVersion } from './packages';
import { matchesAny } from './webhook/glob';

export interface RetentionRules {
  /** Of each package, the newest so many. */
  readonly keepNewest: number;
  /** Globs of versions that stay. */
  readonly keep: readonly string[];
  /** Younger ones stay; 0: age does not matter. */
  readonly youngerThanDays: number;
}

export interface RetentionPlan {
  readonly remove: readonly (PackageVersion & { readonly bytes: number })[];
  readonly kept: number;
  readonly bytes: number;
  /** The same for the same versions to remove. */
  readonly hash: string;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/**
 * Which versions nobody keeps. `latest` always stays, and so does every container version that is named by its digest:
 * it may be one platform of a tagged image, which would be broken without it.
 */
export function versionsToRemove(
  all: readonly PackageVersion[],
  { keepNewest, keep, youngerThanDays }: RetentionRules,
  now: number,
): readonly PackageVersion[] {
  const packages = new Map<string, PackageVersion[]>();
  for (const version of all) {
    if (isDigest(version) || version.version === 'latest') continue;
    const key = JSON.stringify([version.owner.toLowerCase(), version.type, version.name.toLowerCase()]);
    packages.set(key, [...(packages.get(key) ?? []), version]);
  }
  return [...packages.values()].flatMap((versions) =>
    versions
      .sort((one, other) => Date.parse(other.createdAt) - Date.parse(one.createdAt) || other.id - one.id)
      .slice(keepNewest)
      .filter(({ version }) => keep.length === 0 || !matchesAny(keep, version))
      // A date that cannot be read is not old.
      .filter(({ createdAt }) => youngerThanDays === 0 || now - Date.parse(createdAt) > youngerThanDays * DAY_MS),
  );
}

function isDigest({ type, version }: PackageVersion): boolean {
  return type === 'container' && version.startsWith('sha256:');
}

export async function planRetention(
  api: ForgejoApi,
  filter: PackageFilter,
  rules: RetentionRules,
  now: number,
  task: Task,
): Promise<RetentionPlan> {
  const all = await listPackages(api, filter, task);
  const chosen = versionsToRemove(all, rules, now);
  const remove = [];
  for (const version of chosen) {
    task.progress({ message: `Weighing ${version.name} ${version.version}`, fraction: remove.length / chosen.length });
    remove.push({ ...version, bytes: (await bytesOf(api, version, task)) ?? 0 });
  }
  const ids = remove.map(({ id }) => id).sort((one, other) => one - other);
  return {
    remove,
    kept: all.length - remove.length,
    bytes: remove.reduce((sum, { bytes }) => sum + bytes, 0),
    hash: createHash('sha256').update(canonicalJson(ids)).digest('hex'),
  };
}

/** Removes exactly what the plan says. With a hash, only if that is still the plan. */
export async function applyRetention(
  api: ForgejoApi,
  plan: RetentionPlan,
  approvedHash: string,
  task: Task,
): Promise<readonly PackageVersion[]> {
  if (approvedHash !== '' && approvedHash !== plan.hash) {
    throw new Failure({
      code: 'plan_drifted',
      subject: 'package retention',
      message: 'The packages are not those of the plan any more, so nothing was removed',
      nextStep: 'Run the dry run again, look at it, and give its hash.',
      details: { hash: plan.hash, remove: plan.remove.length },
    });
  }
  const removed: PackageVersion[] = [];
  for (const version of plan.remove) {
    task.progress({
      message: `Removing ${version.name} ${version.version}`,
      fraction: removed.length / plan.remove.length,
    });
    await deleteVersion(api, version, task);
    removed.push(version);
  }
  return removed;
}
