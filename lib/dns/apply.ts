import { Failure, isFailure, messageOf } from '../failure';
import type { Json } from '../json';
import { cancelled, type Task } from '../task';
import { describeChange, subjectOfChange } from './change';
import { isClaim } from './claims';
import { refuseDrift, zoneDifferences } from './drift';
import { groupByName, nameOfGroup, orderWrites } from './order';
import { changesOf, planHash, PLAN_VERSION, type ZonePlan } from './plan';
import type { Change, DnsProvider, SetChange } from './provider';
import { groupBySet, inOrder, setKey, type ObservedRecord, type RecordFields } from './record';
import { matchingRecords } from './selectors';
import { undoPoint, type UndoPoint } from './undo';
import { isVisible } from './verify';
import { writeZoneFile } from './zone-file-write';

/** What became of one change. `skipped` was not tried, because what it needs was refused. */
export type Outcome =
  | { readonly change: Change; readonly outcome: 'done' }
  | { readonly change: Change; readonly outcome: 'refused' | 'skipped' | 'not done'; readonly reason: string };

export interface ApplyReport {
  readonly zone: string;
  readonly changed: boolean;
  /** How many requests changed something. */
  readonly writes: number;
  readonly outcomes: readonly Outcome[];
  readonly undo: UndoPoint;
}

export interface ApplyOptions {
  /** Called before the first write, and waited for: keep the undo point where it outlives this process. */
  readonly keep?: (undo: UndoPoint) => Promise<void>;
  /** Called right before each write; throws when nothing may be written any more. */
  readonly beforeWrite?: () => void;
}

/** How long the zone may take to be read after a write went wrong, also when the execution was stopped. */
const LAST_LOOK_MS = 30_000;

/**
 * Carries out a plan: only that plan, only on the zone it was made for. When something is refused or goes wrong on the
 * way, the Failure says what became of every change, and holds the undo point.
 */
export async function applyPlan(
  provider: DnsProvider,
  plan: ZonePlan,
  task: Task,
  { keep, beforeWrite }: ApplyOptions = {},
): Promise<ApplyReport> {
  refuseOtherPlans(provider, plan);
  const { zone } = plan;
  const listed = await provider.listRecords(zone, task);
  const ignored = matchingRecords(plan.ignore, zone);
  const seen = listed.filter((record) => !ignored(record));
  refuseDrift(zone, zoneDifferences(plan.observed, seen));

  const undo = undoPoint(plan, writeZoneFile(zone, listed));
  const writes = orderWrites(changesOf(plan), provider.capabilities.batch);
  if (writes.length === 0) return { zone, changed: false, writes: 0, outcomes: [], undo };
  await keep?.(undo);

  const run: Run = {
    provider,
    zone,
    task,
    beforeWrite,
    state: groupBySet<RecordFields>(listed),
    outcomes: [],
    writes: 0,
  };
  const total = changesOf(plan).length;
  try {
    for (const write of writes) {
      await send(run, write);
      task.progress({
        message: `${run.outcomes.length} of ${total} changes of ${zone} sent`,
        fraction: run.outcomes.length / total,
      });
    }
  } catch (error) {
    throw await interrupted(run, writes.flat(), undo, error);
  }
  const after = await provider.listRecords(zone, task);
  const outcomes = run.outcomes.map((outcome): Outcome =>
    outcome.outcome === 'done' && !isVisible(outcome.change, after)
      ? { change: outcome.change, outcome: 'not done', reason: `${provider.name} accepted it, but does not show it` }
      : outcome,
  );
  if (outcomes.some(({ outcome }) => outcome !== 'done')) throw partly(run, outcomes, undo);
  return { zone, changed: true, writes: run.writes, outcomes, undo };
}

interface Run {
  readonly provider: DnsProvider;
  readonly zone: string;
  readonly task: Task;
  readonly beforeWrite: (() => void) | undefined;
  /** The zone as it is by now, by name and type. */
  readonly state: Map<string, RecordFields[]>;
  readonly outcomes: Outcome[];
  writes: number;
}

/** Sends one write; where it is refused as a whole, its independent parts one by one. */
async function send(run: Run, wanted: readonly Change[]): Promise<void> {
  const { provider, zone, task } = run;
  if (task.signal.aborted) throw cancelled(`apply to zone ${zone}`);
  const changes = withoutBlocked(run, wanted);
  if (changes.length === 0) return;
  const sets = setsOf(run.state, changes);
  run.beforeWrite?.();
  try {
    run.writes += await provider.write(zone, { changes, sets }, task);
  } catch (error) {
    run.writes++;
    if (!isFailure(error, 'dns_refused')) throw error;
    const parts = independentParts(changes);
    if (parts.length === 1) {
      run.outcomes.push(
        ...changes.map((change): Outcome => ({ change, outcome: 'refused', reason: messageOf(error) })),
      );
      return;
    }
    for (const part of parts) await send(run, part);
    return;
  }
  for (const set of sets) run.state.set(`${set.name} ${set.type}`, [...set.after]);
  run.outcomes.push(...changes.map((change): Outcome => ({ change, outcome: 'done' })));
}

/** Where claims are records too, nothing of a name is made without its claim, and no claim is given up too early. */
function withoutBlocked({ provider, outcomes }: Run, changes: readonly Change[]): readonly Change[] {
  if (provider.capabilities.comments) return changes;
  return changes.filter((change) => {
    const blocked = outcomes.find(
      (earlier) => earlier.outcome !== 'done' && nameOfGroup(earlier.change) === nameOfGroup(change),
    );
    if (blocked === undefined) return true;
    outcomes.push({ change, outcome: 'skipped', reason: `after the ${describeChange(blocked.change)} was refused` });
    return false;
  });
}

/** Name by name; within a name one by one, unless something goes so that something else can come. */
function independentParts(changes: readonly Change[]): readonly (readonly Change[])[] {
  const groups = groupByName(changes);
  const [only] = groups;
  if (groups.length !== 1 || only === undefined) return groups;
  const real = only.filter((change) => !isClaimChange(change));
  const replaces = real.some(({ kind }) => kind === 'delete') && real.some(({ kind }) => kind !== 'delete');
  return replaces ? [only] : only.map((change) => [change]);
}

function isClaimChange(change: Change): boolean {
  return isClaim(subjectOfChange(change));
}

/** Each name and type that the changes touch, whole, before and after. */
function setsOf(state: ReadonlyMap<string, readonly RecordFields[]>, changes: readonly Change[]): SetChange[] {
  const keys = [...new Set(changes.map((change) => setKey(subjectOfChange(change))))];
  return keys.map((key) => {
    const before = state.get(key) ?? [];
    let after: readonly RecordFields[] = before;
    for (const change of changes) {
      const subject = subjectOfChange(change);
      if (setKey(subject) !== key) continue;
      if (change.kind === 'create') after = [...after, change.record];
      else if (change.kind === 'delete')
        after = after.filter((record) => record !== before.find(sameId(change.record)));
      else after = after.map((record) => (record === before.find(sameId(change.before)) ? change.after : record));
    }
    const [name = ''] = key.split(' ');
    return { name, type: key.slice(name.length + 1), before, after: inOrder(after) };
  });
}

function sameId({ id }: ObservedRecord): (record: RecordFields) => boolean {
  return (record) => 'id' in record && record.id === id;
}

function refuseOtherPlans(provider: DnsProvider, plan: ZonePlan): void {
  const refuse = (message: string) =>
    new Failure({
      code: 'dns_plan_refused',
      subject: `plan for zone ${plan.zone}`,
      message,
      nextStep: 'Make the plan again; nothing was sent.',
    });
  if ((plan.version as number) !== PLAN_VERSION) {
    throw refuse(`The plan for ${plan.zone} was made by another version of this pack`);
  }
  if (plan.provider !== provider.name) {
    throw refuse(`The plan for ${plan.zone} was made for ${plan.provider}, not for ${provider.name}`);
  }
  if (planHash(plan) !== plan.hash) throw refuse(`The plan for ${plan.zone} was changed after it was made`);
}

function partly({ zone }: Run, outcomes: readonly Outcome[], undo: UndoPoint, cause?: unknown): Failure {
  const done = outcomes.filter(({ outcome }) => outcome === 'done').length;
  const failed = outcomes.find((outcome) => outcome.outcome !== 'done');
  const reason =
    failed === undefined ? '' : `; the ${describeChange(failed.change)} was ${failed.outcome}: ${failed.reason}`;
  return new Failure({
    code: 'dns_partly_applied',
    subject: `zone ${zone}`,
    message: `${done} of ${outcomes.length} changes were made in ${zone}${reason}`,
    nextStep: 'Look at what became of each change, then make a new plan, or undo with the undo point in the details.',
    details: {
      outcomes: outcomes.map((outcome): Json => ({
        change: describeChange(outcome.change),
        outcome: outcome.outcome,
        ...(outcome.outcome === 'done' ? {} : { reason: outcome.reason }),
      })),
      undo: { ...undo },
    },
    cause,
  });
}

/** After an error that leaves open what was done, the zone itself says it. */
async function interrupted(run: Run, planned: readonly Change[], undo: UndoPoint, error: unknown): Promise<Failure> {
  const known = new Map(run.outcomes.map((outcome) => [outcome.change, outcome]));
  const lastLook: Task = { ...run.task, signal: AbortSignal.timeout(LAST_LOOK_MS) };
  let zone: readonly ObservedRecord[] | undefined;
  try {
    zone = await run.provider.listRecords(run.zone, lastLook);
  } catch {
    zone = undefined;
  }
  const outcomes = planned.map((change): Outcome => {
    const outcome = known.get(change);
    if (outcome !== undefined && outcome.outcome !== 'done') return outcome;
    if (zone === undefined) {
      if (outcome !== undefined) return outcome;
      return { change, outcome: 'not done', reason: `unknown: ${messageOf(error)}, and the zone could not be read` };
    }
    return isVisible(change, zone)
      ? { change, outcome: 'done' }
      : { change, outcome: 'not done', reason: messageOf(error) };
  });
  const nothingDone = outcomes.every(({ outcome }) => outcome === 'not done');
  const stopped = isFailure(error, 'cancelled') || isFailure(error, 'lease_lost');
  return nothingDone && stopped ? error : partly(run, outcomes, undo, error);
}
