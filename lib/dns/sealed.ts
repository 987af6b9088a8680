import type { Json, JsonObject } from '../json';
import type { Plan, PlanContent } from '../plan/plan';
import { changesOf, PLAN_VERSION, type ZonePlan } from './plan';
import type { Change } from './provider';

/*
 * A zone's plan on its way through an approval: as the content of lib/plan's plans, whose hash is an HMAC, and back.
 * Records that stay as they are travel once, in `observed`.
 */

export const DNS_ENGINE = 'dns';
export const DNS_ENGINE_VERSION = String(PLAN_VERSION);

type Kept = Omit<ZonePlan, 'create' | 'update' | 'delete' | 'observed' | 'unchanged' | 'foreign'> & {
  readonly unchanged: readonly string[];
  readonly foreign: readonly string[];
};

export function planContent(plan: ZonePlan, expiresAt: string): PlanContent {
  const { create: _create, update: _update, delete: _delete, observed, unchanged, foreign, ...rest } = plan;
  const kept: Kept = { ...rest, unchanged: unchanged.map(({ id }) => id), foreign: foreign.map(({ id }) => id) };
  return {
    engine: DNS_ENGINE,
    engineVersion: DNS_ENGINE_VERSION,
    target: `zone ${plan.zone} at ${plan.provider}`,
    desired: kept as unknown as JsonObject,
    observed: observed as unknown as Json,
    changes: changesOf(plan) as unknown as readonly Json[],
    expiresAt,
  };
}

/** Of a plan that verifyPlan has passed: its content is what planContent made. */
export function zonePlan({ desired, observed, changes }: Pick<Plan, 'desired' | 'observed' | 'changes'>): ZonePlan {
  const kept = desired as unknown as Kept;
  const seen = observed as unknown as ZonePlan['observed'];
  const byId = new Map(seen.map((record) => [record.id, record]));
  const records = (ids: readonly string[]) => ids.flatMap((id) => byId.get(id) ?? []);
  const all = changes as unknown as readonly Change[];
  return {
    ...kept,
    create: all.filter((change) => change.kind === 'create'),
    update: all.filter((change) => change.kind === 'update'),
    delete: all.filter((change) => change.kind === 'delete'),
    unchanged: records(kept.unchanged),
    foreign: records(kept.foreign),
    observed: seen,
  };
}
