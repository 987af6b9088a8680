import { createHash } from 'node:crypto';
import { canonicalJson } from '../../canonical-json';
import { Failure } from '../../failure';
import type { Json } from '../../json';

/** A name for exactly these changes to exactly this cluster. */
export function hashOfLines(cluster: string, doing: string, wish: Json, lines: readonly string[]): string {
  return createHash('sha256')
    .update(canonicalJson({ cluster, doing, wish, lines: [...lines] }))
    .digest('hex');
}

/** Refuses to do something else than what was agreed to. */
export function refuseOther(cluster: string, agreed: string, now: string, lines: readonly string[]): void {
  if (agreed === '' || agreed === now) return;
  throw new Failure({
    code: 'plan_drifted',
    subject: `cluster ${cluster}`,
    message: `What would be done to cluster ${cluster} is not what was agreed to: it, or what is wanted of it, has changed since`,
    nextStep: 'Look at a new dry run, and agree to that.',
    details: { lines: [...lines] },
  });
}
