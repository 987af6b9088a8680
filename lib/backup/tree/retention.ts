import { createHash } from 'node:crypto';
import { canonicalJson } from '../../canonical-json';
import { Failure } from '../../failure';
import type { Host } from '../../host/host';
import { refuseWhenHeld } from '../../host/hold';
import type { Json } from '../../json';
import type { Task } from '../../task';
import type { DescribedTree } from '../described/tree';
import { KEPT_APART } from '../retention/plan';
import { forgetSnapshots, previewTreeRetention, type TreeRetention } from './tree';

export interface TreeRetentionPlan {
  /** Of everything below. Forgetting needs it, so nothing goes that nobody has seen. */
  readonly hash: string;
  readonly places: readonly TreeRetention[];
  /** Destinations where nothing is forgotten, and why. */
  readonly untouched: readonly { readonly destination: string; readonly why: string }[];
}

/** What the rules of every destination would keep and forget. Nothing is changed. */
export async function planTreeRetention(
  host: Host,
  { plan, keep }: DescribedTree,
  task: Task,
): Promise<TreeRetentionPlan> {
  const places: TreeRetention[] = [];
  const untouched: { destination: string; why: string }[] = [];
  for (const at of plan.destinations) {
    const rule = keep.get(at.name);
    const why = at.undeletable === true ? KEPT_APART : 'no rule says what it keeps, so it keeps everything';
    if (rule === undefined) untouched.push({ destination: at.name, why });
    else places.push(await previewTreeRetention(host, { ...plan, at, keep: rule }, task));
  }
  const hash = createHash('sha256')
    .update('selfhost tree retention\n')
    .update(canonicalJson({ tree: plan.tree.name, places, untouched } as unknown as Json))
    .digest('hex');
  return { hash, places, untouched };
}

/** Looks again, and forgets exactly what the plan with this hash forgets, or nothing. */
export async function applyTreeRetention(
  host: Host,
  described: DescribedTree,
  hash: string,
  task: Task,
): Promise<TreeRetentionPlan> {
  await refuseWhenHeld(host, task);
  const found = await planTreeRetention(host, described, task);
  const { plan } = described;
  if (found.hash !== hash) {
    throw new Failure({
      code: 'retention_plan_changed',
      subject: `retention of ${plan.tree.name}`,
      message: `What would be forgotten of ${plan.tree.name} is not what was agreed to: snapshots or rules have changed since`,
      nextStep: 'Preview again, look at it, and apply with the new hash. Nothing was forgotten.',
    });
  }
  for (const place of found.places) {
    const at = plan.destinations.find(({ name }) => name === place.destination);
    if (at !== undefined) await forgetSnapshots(host, { ...plan, at }, place, task);
  }
  return found;
}
