import { Failure } from '../failure';
import type { Task } from '../task';
import { applyPlan, type ApplyReport } from './apply';
import { changesOf, planZone, type PlanRequest, type ZonePlan } from './plan';
import type { DnsProvider } from './provider';

/** What is wanted of a zone, without what has to be looked at first. */
export type Wanted = Omit<PlanRequest, 'provider' | 'observed'>;

/** Looks at the zone, and says what would happen. */
export async function makePlan(provider: DnsProvider, wanted: Wanted, task: Task): Promise<ZonePlan> {
  return planZone({ ...wanted, provider, observed: await provider.listRecords(wanted.zone, task) });
}

export interface CarriedOut {
  readonly plan: ZonePlan;
  /** Absent when nothing was to be done, or it was a dry run. */
  readonly report: ApplyReport | undefined;
}

/**
 * Plans anew and applies. With the hash of a plan that somebody has seen, only exactly that plan is applied: the same
 * records wanted, and the zone as it was.
 */
export async function carryOut(
  provider: DnsProvider,
  plan: ZonePlan,
  { hash, dryRun }: { readonly hash: string; readonly dryRun: boolean },
  task: Task,
): Promise<CarriedOut> {
  if (hash !== '' && hash !== plan.hash) {
    throw new Failure({
      code: 'dns_plan_changed',
      subject: `zone ${plan.zone}`,
      message: `The plan for ${plan.zone} is not the one that was agreed to: the zone, or what is wanted of it, has changed since`,
      nextStep: 'Plan again, look at the changes, and apply with the new hash.',
      details: { agreed: hash, now: plan.hash, changes: changesOf(plan).length },
    });
  }
  if (dryRun || changesOf(plan).length === 0) return { plan, report: undefined };
  return { plan, report: await applyPlan(provider, plan, task) };
}
