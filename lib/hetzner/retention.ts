import { Failure } from '../failure';
import type { Task } from '../task';
import type { HetznerApi } from './api';
import { deleteItem, type Manner } from './change';
import { checkLabelSelector, refuse } from './checks';
import { listItems } from './read';
import type { Item } from './resource';
import { images } from './resources/compute';

export type Image = Item<typeof images>;

export interface Retained {
  readonly image: Image;
  readonly fate: 'kept' | 'deleted' | 'would be deleted' | 'protected';
}

/** Deletes all but the newest snapshots that carry the labels. Unfinished ones neither count nor go. */
export async function keepNewestSnapshots(
  api: HetznerApi,
  { labelSelector, keep }: { readonly labelSelector: string; readonly keep: number },
  manner: Manner,
  task: Task,
): Promise<readonly Retained[]> {
  checkLabelSelector(labelSelector);
  if (keep < 1) throw refuse('snapshots', 'At least one snapshot must be kept', 'Set the number to keep to 1 or more.');
  const filter = { type: 'snapshot', status: 'available' };
  const found = await listItems(api, images, { filter, labelSelector, sort: 'created:desc' }, task);
  // What is deleted must not hang on the order in which somebody else sorted.
  const newestFirst = [...found].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt) || b.id - a.id);
  const results: Retained[] = [];
  for (const [position, image] of newestFirst.entries()) {
    if (position < keep) results.push({ image, fate: 'kept' });
    else if (image.deleteProtected) results.push({ image, fate: 'protected' });
    else if (manner.dryRun) results.push({ image, fate: 'would be deleted' });
    else {
      try {
        await deleteItem(api, images, { id: image.id }, manner, task);
      } catch (error) {
        throw withDeleted(error, results);
      }
      results.push({ image, fate: 'deleted' });
    }
  }
  return results;
}

/** A failure on the way does not hide what is gone already. */
function withDeleted(error: unknown, results: readonly Retained[]): unknown {
  if (!(error instanceof Failure)) return error;
  const deleted = results.filter(({ fate }) => fate === 'deleted').map(({ image }) => image.id);
  const { code, subject, message, nextStep, details } = error;
  const count = deleted.length === 1 ? 'one snapshot was' : `${deleted.length} snapshots were`;
  const before = deleted.length === 0 ? '' : `; ${count} deleted before`;
  return new Failure({
    code,
    subject,
    message: `${message}${before}`,
    nextStep,
    details: { ...details, deleted },
    cause: error,
  });
}
