import { Failure, messageOf } from '../failure';
import type { Task } from '../task';
import { applyPlan, type ApplyReport } from './apply';
import { keepUndo } from './kept-undo';
import { changesOf, planZone, type PlanRequest, type ZonePlan } from './plan';
import { readComment } from './ownership';
import type { DnsProvider } from './provider';
import { describeRecord } from './record';
import type { UndoPoint } from './undo';
import { type LockPlace, withZoneLock } from './zone-lock';

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
  /** What was not as it should be on the way, beside the warnings of the plan. */
  readonly warnings: readonly string[];
}

export interface Order {
  readonly zone: string;
  /** Made under the lock: of two that want the same zone, the second plans what the first has left. */
  readonly plan: (task: Task) => Promise<ZonePlan>;
  /** Of a plan that somebody has seen: only exactly that plan is applied, the same records wanted, the zone as it was. */
  readonly hash: string;
  /** The plan itself was handed over, so it has been seen. */
  readonly seen?: boolean;
  readonly dryRun: boolean;
  readonly lock?: LockPlace;
}

/** Plans and applies, with nobody else at work on the zone. */
export async function carryOut(provider: DnsProvider, order: Order, task: Task): Promise<CarriedOut> {
  const { zone, hash, seen = hash !== '', dryRun, lock } = order;
  const agreed = async (planned: Task) => {
    const plan = await order.plan(planned);
    if (hash !== '' && hash !== plan.hash) throw changed(plan, hash);
    return plan;
  };
  if (dryRun) return { plan: await agreed(task), report: undefined, warnings: [] };
  return withZoneLock(
    { provider: provider.name, zone, ...(lock && { place: lock }) },
    task,
    async ({ task: locked, mustHold, warning }) => {
      const plan = await agreed(locked);
      if (!seen) refuseUnseenAdoption(plan);
      const nothing = changesOf(plan).length === 0;
      const warnings = warning === undefined ? [] : [warning];
      const keep = async (undo: UndoPoint) => {
        if (lock === undefined || warning !== undefined) return;
        await keepUndo(lock.store, undo, { by: task.owner, now: Date.now() }).catch((error: unknown) => {
          // It is returned as well, so without the copy only an apply that is killed cannot be taken back.
          warnings.push(`What Undo needs is not kept in the state: ${messageOf(error)}`);
        });
      };
      const report = nothing ? undefined : await applyPlan(provider, plan, locked, { beforeWrite: mustHold, keep });
      return { plan, report, warnings };
    },
  );
}

/** To take a record over is for those who have seen from whom: with the hash of the plan, or with the plan. */
function refuseUnseenAdoption({ zone, owner, update }: ZonePlan): void {
  const adopted = update.filter(
    ({ before, after }) => readComment(before.comment).owner !== owner && readComment(after.comment).owner === owner,
  );
  const [first] = adopted;
  if (first === undefined) return;
  const more = adopted.length === 1 ? '' : `, and ${adopted.length - 1} more`;
  throw new Failure({
    code: 'dns_adoption_unseen',
    subject: `zone ${zone}`,
    message: `The ${describeRecord(first.before)}${more} would be taken over from its present owner, and nobody has seen the plan for that`,
    nextStep: 'Plan first, look at the changes, and apply with the hash of that plan.',
    details: { records: adopted.map(({ before }) => describeRecord(before)) },
  });
}

function changed(plan: ZonePlan, agreed: string): Failure {
  return new Failure({
    code: 'dns_plan_changed',
    subject: `zone ${plan.zone}`,
    message: `The plan for ${plan.zone} is not the one that was agreed to: the zone, or what is wanted of it, has changed since`,
    nextStep: 'Plan again, look at the changes, and apply with the new hash.',
    details: { agreed, now: plan.hash, changes: changesOf(plan).length },
  });
}
