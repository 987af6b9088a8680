import { Failure } from '../../../lib/failure';
import type { ZonePlan } from '../../../lib/dns/plan';
import { DNS_ENGINE, DNS_ENGINE_VERSION, planContent, zonePlan } from '../../../lib/dns/sealed';
import type { JsonObject } from '../../../lib/json';
import { makePlan, verifyPlan } from '../../../lib/plan/plan';
import type { Controls } from '../controls';

export function sealedPlan(plan: ZonePlan, { planKey }: Controls, minutes: number): JsonObject {
  const expiresAt = new Date(Date.now() + minutes * 60_000).toISOString();
  return { ...makePlan(planContent(plan, expiresAt), keyOf(planKey, plan.zone)) };
}

export function openedPlan(value: unknown, { planKey }: Controls): ZonePlan {
  const applier = { engine: DNS_ENGINE, engineVersion: DNS_ENGINE_VERSION, now: Date.now() };
  return zonePlan(verifyPlan(value, keyOf(planKey, 'a zone'), applier));
}

function keyOf(planKey: string | undefined, zone: string): string {
  if (planKey !== undefined) return planKey;
  throw new Failure({
    code: 'plan_key_missing',
    subject: `plan for ${zone}`,
    message: 'The node has no Plan Key credential, and without one no plan can be sealed or proven to be one of ours',
    nextStep: 'Choose the Plan Key credential in the node, the same for planning and applying, or apply by the hash.',
  });
}
