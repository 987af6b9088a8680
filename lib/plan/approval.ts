import { createHash, randomBytes } from 'node:crypto';
import { Failure, isFailure } from '../failure';
import { isInstant } from '../instant';
import { isObject } from '../json';
import type { StateStore } from '../state/store';
import type { Plan } from './plan';

/** How long a used or expired approval can still say what became of it. */
const REMEMBERED_MS = 30 * 86_400_000;

export interface Approval {
  readonly planHash: string;
  readonly target: string;
  readonly approver: string;
  readonly issuedAt: string;
  readonly expiresAt: string;
  readonly used?: Use;
}

export interface Use {
  /** Who applied: a user, or the execution. */
  readonly by: string;
  readonly at: string;
}

/**
 * Records that somebody approved exactly this plan, and returns the token that allows to apply it once. Only a hash of
 * the token is stored, so reading the state does not allow anything.
 */
export async function issueApproval(
  store: StateStore,
  plan: Plan,
  { approver, expiresAt, now }: { readonly approver: string; readonly expiresAt: string; readonly now: number },
): Promise<string> {
  if (approver.trim() === '') throw invalid(plan, 'it does not say who approved', 'Name the approver.');
  if (!isInstant(expiresAt))
    throw invalid(plan, 'its expiry is not a time in UTC', 'Give a time like 2026-01-31T02:00:00.000Z.');
  const left = Date.parse(expiresAt) - now;
  if (left <= 0) throw invalid(plan, `it would have expired at ${expiresAt}`, 'Give a time that is still to come.');
  const token = randomBytes(32).toString('base64url');
  const { hash: planHash, target } = plan;
  const issuedAt = new Date(now).toISOString();
  const approval = { planHash, target, approver, issuedAt, expiresAt } satisfies Approval;
  await store.create(keyOf(token), approval, { ttlMs: Math.ceil(left) + REMEMBERED_MS });
  return token;
}

/**
 * Uses the token up, before anything is applied: of any number of callers exactly one gets past this line. When it fails
 * for any reason, nothing may be applied.
 */
export async function burnApproval(
  store: StateStore,
  token: string,
  plan: Plan,
  { by, now }: { readonly by: string; readonly now: number },
): Promise<Approval> {
  const key = keyOf(token);
  const entry = await store.read(key);
  if (entry === undefined) {
    throw new Failure({
      code: 'approval_unknown',
      subject: subjectOf(plan),
      message: `There is no approval with this token for the ${subjectOf(plan)}`,
      nextStep: 'Ask for a new approval. Check that the state is the one where it was issued.',
    });
  }
  const approval = parseApproval(entry.value, plan);
  if (approval.planHash !== plan.hash) {
    throw new Failure({
      code: 'approval_for_other_plan',
      subject: subjectOf(plan),
      message: `The approval by ${approval.approver} is for another plan (for ${approval.target}), not for this one`,
      nextStep: 'Have this very plan approved; a plan that was made anew needs a new approval.',
      details: { approvedPlan: approval.planHash, plan: plan.hash },
    });
  }
  if (approval.used !== undefined) throw used(plan, approval, approval.used);
  if (Date.parse(approval.expiresAt) <= now) {
    throw new Failure({
      code: 'approval_expired',
      subject: subjectOf(plan),
      message: `The approval by ${approval.approver} for the ${subjectOf(plan)} expired at ${approval.expiresAt}`,
      nextStep: 'Ask for a new approval.',
      details: { expiresAt: approval.expiresAt },
    });
  }
  const burnt = { ...approval, used: { by, at: new Date(now).toISOString() } };
  try {
    await store.replace(key, burnt, entry.version);
    return burnt;
  } catch (error) {
    if (!isFailure(error, 'state_conflict')) throw error;
    const now = await store.read(key);
    const other = now === undefined ? undefined : parseApproval(now.value, plan);
    throw other?.used === undefined ? error : used(plan, other, other.used);
  }
}

function parseApproval(value: unknown, plan: Plan): Approval {
  const bad = () => invalid(plan, 'what is stored of it cannot be read', 'Ask for a new approval.');
  if (!isObject(value)) throw bad();
  const { planHash, target, approver, issuedAt, expiresAt, used } = value;
  if (typeof planHash !== 'string' || typeof target !== 'string' || typeof approver !== 'string') throw bad();
  if (!isInstant(issuedAt) || !isInstant(expiresAt)) throw bad();
  const approval = { planHash, target, approver, issuedAt, expiresAt };
  if (used === undefined) return approval;
  if (!isObject(used) || typeof used.by !== 'string' || !isInstant(used.at)) throw bad();
  return { ...approval, used: { by: used.by, at: used.at } };
}

function keyOf(token: string): string {
  return `approval/${createHash('sha256').update(token).digest('hex')}`;
}

function subjectOf({ target }: Plan): string {
  return `plan for ${target}`;
}

function used(plan: Plan, { approver }: Approval, { by, at }: Use): Failure {
  return new Failure({
    code: 'approval_used',
    subject: subjectOf(plan),
    message: `The approval by ${approver} for the ${subjectOf(plan)} was already used by ${by} at ${at}`,
    nextStep: 'An approval is good for one apply. Look at what that one did, then make a new plan.',
    details: { approver, by, at },
  });
}

function invalid(plan: Plan, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'approval_invalid',
    subject: subjectOf(plan),
    message: `The approval for the ${subjectOf(plan)} is not valid: ${why}`,
    nextStep,
  });
}
