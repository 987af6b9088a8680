import { carryOut, makePlan, type Order } from '../../../lib/dns/carry-out';
import { changesOf, type ZonePlan } from '../../../lib/dns/plan';
import type { DnsProvider } from '../../../lib/dns/provider';
import { lastUndo } from '../../../lib/dns/kept-undo';
import { planUndo } from '../../../lib/dns/undo';
import type { LockPlace } from '../../../lib/dns/zone-lock';
import { Failure } from '../../../lib/failure';
import { json, optional, schema } from '../../declaration';
import type { Operation } from '../../declaration';
import type { Task } from '../../../lib/task';
import type { Controls } from '../controls';
import { openedPlan, sealedPlan } from './sealed';
import {
  hashField,
  limits,
  limitsOf,
  modeField,
  ownerField,
  planOptionsField,
  recordsField,
  returningOptionsField,
  undoField,
  wantedOf,
} from './fields';
import type { DnsContext, DnsPlace } from './place';
import { appliedOutput, planFacts, shownPlan } from './shownPlan';

const plannedOutput = schema.lazy(() =>
  schema.object({
    ...planFacts(),
    plan: schema.anything('With Return Plan: the whole plan, sealed, for Apply Plan; otherwise null'),
  }),
);

/** Plan, apply, sync and undo, which are the same for all providers. */
export function zoneOperations<Context extends DnsContext>(place: DnsPlace<Context>): Operation<Context>[] {
  const { operation, zoneField, open } = place;
  const synced = { zone: zoneField, records: recordsField(place.optional), owner: ownerField };
  const wanted = { zone: zoneField, records: synced.records, mode: modeField, owner: ownerField };

  const plan = operation({
    resource: 'zone',
    name: 'plan',
    action: 'Plan the records of a zone',
    description: 'Says what would be created, changed and deleted, and what is not ours. Changes nothing.',
    effect: 'reads',
    input: { ...wanted, options: returningOptionsField },
    output: plannedOutput,
    run: async (call) => {
      const { input, task, controls } = call;
      const { zone, dns } = await open(call, input.zone);
      const made = await makePlan(dns, wantedOf(zone, input), task);
      const { returnPlan = false, planMinutes = 60 } = input.options;
      const sealed = returnPlan ? sealedPlan(made, controls, planMinutes) : null;
      return { ...shownPlan(made), plan: sealed };
    },
  });

  const apply = operation({
    resource: 'zone',
    name: 'apply',
    action: 'Apply records to a zone',
    description: 'Plans again and applies: exactly the plan with the given hash, or nothing. Returns what Undo needs.',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: { ...wanted, options: planOptionsField, planHash: hashField },
    output: appliedOutput,
    run: async (call) => {
      const { input, task, controls, approvedHash } = call;
      const { zone, dns } = await open(call, input.zone);
      const made = (during: Task) => makePlan(dns, wantedOf(zone, input), during);
      const hash = input.planHash === '' ? approvedHash : input.planHash;
      return applied(dns, { zone, plan: made, hash, dryRun: input.dryRun, lock: controls.lock }, task);
    },
  });

  const applyPlan = operation({
    resource: 'zone',
    name: 'applyPlan',
    action: 'Apply a plan to its zone',
    description:
      'Applies exactly the sealed plan that Plan has returned. A zone that has drifted since is refused, with the differences.',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: {
      zone: zoneField,
      plan: json({
        label: 'Plan',
        required: true,
        parse: (value) => value,
        description: 'The field "plan" of Plan, with its option Return Plan',
      }),
    },
    output: appliedOutput,
    run: async (call) => {
      const { input, task, controls } = call;
      const { zone, dns } = await open(call, input.zone);
      const made = openedPlan(input.plan, controls);
      return applied(
        dns,
        { zone, plan: () => Promise.resolve(made), hash: '', seen: true, dryRun: input.dryRun, lock: controls.lock },
        task,
      );
    },
  });

  const sync = operation({
    resource: 'zone',
    name: 'sync',
    action: 'Sync records to a zone',
    description: 'Plans a full sync and applies it at once, within the limits. Our records that are not listed go.',
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { ...synced, options: planOptionsField },
    output: appliedOutput,
    run: async (call) => {
      const { input, task, controls, approvedHash } = call;
      const { zone, dns } = await open(call, input.zone);
      const made = (during: Task) => makePlan(dns, wantedOf(zone, { ...input, mode: 'full-sync' }), during);
      return applied(dns, { zone, plan: made, hash: approvedHash, dryRun: input.dryRun, lock: controls.lock }, task);
    },
  });

  const undo = operation({
    resource: 'zone',
    name: 'undo',
    action: 'Undo an apply',
    description: 'Brings back what an apply has changed. What others have made since then stays.',
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: { zone: zoneField, undo: undoField, planHash: hashField, options: optional(limits) },
    output: appliedOutput,
    run: async (call) => {
      const { input, task, controls, approvedHash } = call;
      const { zone, dns } = await open(call, input.zone);
      const made = async (during: Task) => {
        const point = input.undo ?? (await kept(controls, dns.name, zone));
        const observed = await dns.listRecords(zone, during);
        return planUndo({ undo: { ...point, zone }, provider: dns, observed, ...limitsOf(input.options) });
      };
      const hash = input.planHash === '' ? approvedHash : input.planHash;
      return applied(dns, { zone, plan: made, hash, dryRun: input.dryRun, lock: controls.lock }, task);
    },
  });

  return [plan, apply, applyPlan, sync, undo];
}

function kept({ store }: Controls, provider: string, zone: string) {
  if (store !== undefined) return lastUndo(store, { provider, zone });
  throw new Failure({
    code: 'dns_no_undo',
    subject: `zone ${zone}`,
    message: `There is nothing to undo in ${zone}: Undo is empty, and the node has no State credential that would know`,
    nextStep: 'Give the field "undo" that the apply has returned.',
  });
}

interface Wish extends Omit<Order, 'lock' | 'plan'> {
  readonly plan: (task: Task) => Promise<ZonePlan>;
  readonly lock: LockPlace | undefined;
}

/** Carries it out, and shows it as an item. */
export async function applied(dns: DnsProvider, { lock, ...wish }: Wish, task: Task) {
  const { plan, report, warnings } = await carryOut(dns, { ...wish, ...(lock && { lock }) }, task);
  const { writes = 0, undo = null } = report ?? {};
  const changed = wish.dryRun ? changesOf(plan).length > 0 : (report?.changed ?? false);
  const shown = shownPlan(plan);
  return { ...shown, warnings: [...shown.warnings, ...warnings], changed, dryRun: wish.dryRun, writes, undo };
}
