import { createHmac, timingSafeEqual } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import { Failure } from '../failure';
import { isInstant } from '../instant';
import { isObject, type Json } from '../json';
import { difference, type Difference } from './difference';

export const PLAN_SCHEMA = 1;
const SHORTEST_KEY = 16;

export interface PlanContent {
  /** The engine that made it and alone may apply it: `dns`. */
  readonly engine: string;
  readonly engineVersion: string;
  /** What it changes, as people know it: `zone kua.cl at Cloudflare`. */
  readonly target: string;
  readonly desired: Json;
  /** What was there when the plan was made. Applying it is refused when that has changed. */
  readonly observed: Json;
  readonly changes: readonly Json[];
  /** UTC, `2026-01-31T02:00:00.000Z`. */
  readonly expiresAt: string;
}

export interface Plan extends PlanContent {
  readonly schema: typeof PLAN_SCHEMA;
  /** HMAC-SHA256 over the canonical JSON of everything else, hexadecimal. */
  readonly hash: string;
}

/** Makes the plan that can be shown, approved and then applied exactly. The key stays with whoever applies. */
export function makePlan(content: PlanContent, key: string): Plan {
  const { engine, engineVersion, target, desired, observed, changes, expiresAt } = content;
  const unsigned = {
    schema: PLAN_SCHEMA,
    engine,
    engineVersion,
    target,
    desired,
    observed,
    changes,
    expiresAt,
  } as const;
  // Through the canonical text, so that later changes to the given objects do not reach into the plan.
  const copy = JSON.parse(canonicalJson(unsigned)) as Omit<Plan, 'hash'>;
  const plan = { ...copy, hash: hashOf(copy, key) };
  parsePlan(plan);
  return plan;
}

export interface Applier {
  readonly engine: string;
  readonly engineVersion: string;
  /** In ms. */
  readonly now: number;
}

/** Reads a plan that came back from outside, and returns it when this engine may apply it now. */
export function verifyPlan(value: unknown, key: string, { engine, engineVersion, now }: Applier): Plan {
  const plan = parsePlan(value);
  const subject = `plan for ${plan.target}`;
  const { hash, ...content } = plan;
  if (!timingSafeEqual(Buffer.from(hash, 'hex'), Buffer.from(hashOf(content, key), 'hex'))) {
    throw new Failure({
      code: 'plan_tampered',
      subject,
      message: `The ${subject} is not as it was made: its hash does not fit its content, or it was made with another key`,
      nextStep: 'Make a new plan, and do not change it on its way.',
    });
  }
  if (plan.engine !== engine || plan.engineVersion !== engineVersion) {
    throw new Failure({
      code: 'plan_engine_mismatch',
      subject,
      message: `The ${subject} was made by ${plan.engine} ${plan.engineVersion}, and this is ${engine} ${engineVersion}`,
      nextStep: 'Make a new plan with this version.',
      details: { plan: { engine: plan.engine, engineVersion: plan.engineVersion }, here: { engine, engineVersion } },
    });
  }
  if (Date.parse(plan.expiresAt) <= now) {
    throw new Failure({
      code: 'plan_expired',
      subject,
      message: `The ${subject} expired at ${plan.expiresAt}`,
      nextStep: 'Make a new plan.',
      details: { expiresAt: plan.expiresAt },
    });
  }
  return plan;
}

/** Passes when the world is as it was when the plan was made. Called under the lock, right before the first change. */
export function refuseDrift(plan: Plan, observedNow: Json): void {
  const differences = difference(plan.observed, observedNow);
  if (differences.length === 0) return;
  const shown = differences.slice(0, 3).map(describeDifference).join('; ');
  const rest = differences.length > 3 ? `; and ${differences.length - 3} more` : '';
  throw new Failure({
    code: 'plan_drifted',
    subject: `plan for ${plan.target}`,
    message: `${plan.target} has changed since the plan was made: ${shown}${rest}`,
    nextStep: 'Nothing was changed. Make a new plan and look at it again.',
    details: { differences: differences.map((one) => ({ ...one })) },
  });
}

function describeDifference({ path, before, after }: Difference): string {
  const show = (value: Json | undefined) => (value === undefined ? 'nothing' : canonicalJson(value).slice(0, 80));
  return `${path === '' ? 'the whole' : path} was ${show(before)} and is ${show(after)}`;
}

function hashOf(content: Omit<Plan, 'hash'>, key: string): string {
  if (key.length < SHORTEST_KEY) {
    throw new Failure({
      code: 'plan_key_weak',
      subject: 'the key for plans',
      message: `The key for plans has fewer than ${SHORTEST_KEY} characters`,
      nextStep: 'Use a random one of 32 characters or more.',
    });
  }
  return createHmac('sha256', key)
    .update('selfhost plan\n')
    .update(canonicalJson({ ...content }))
    .digest('hex');
}

function parsePlan(value: unknown): Plan {
  if (!isObject(value)) throw unreadable('it is not an object');
  const { schema, hash, engine, engineVersion, target, desired, observed, changes, expiresAt, ...others } = value;
  if (typeof schema === 'number' && schema > PLAN_SCHEMA) {
    throw new Failure({
      code: 'plan_newer_schema',
      subject: 'the plan',
      message: `The plan was made by a newer version of this pack (schema ${schema}, this one knows ${PLAN_SCHEMA})`,
      nextStep: 'Update this pack, or make the plan with this version.',
    });
  }
  if (schema !== PLAN_SCHEMA) throw unreadable('it has no schema number');
  if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/.test(hash)) throw unreadable('it has no hash');
  if (typeof engine !== 'string' || engine === '') throw unreadable('it does not name its engine');
  if (typeof engineVersion !== 'string' || engineVersion === '')
    throw unreadable('it does not name its engine version');
  if (typeof target !== 'string' || target === '') throw unreadable('it does not name its target');
  if (desired === undefined || observed === undefined) throw unreadable('desired or observed is missing');
  if (!Array.isArray(changes)) throw unreadable('it has no list of changes');
  if (!isInstant(expiresAt)) throw unreadable('its expiry is not a time in UTC');
  const [other] = Object.keys(others);
  if (other !== undefined) throw unreadable(`it has a field "${other.slice(0, 80)}" that plans do not have`);
  return {
    schema,
    engine,
    engineVersion,
    target,
    desired: desired as Json,
    observed: observed as Json,
    changes: changes as Json[],
    expiresAt,
    hash,
  };
}

function unreadable(why: string): Failure {
  return new Failure({
    code: 'plan_unreadable',
    subject: 'the plan',
    message: `The plan cannot be read: ${why}`,
    nextStep: 'Give the plan exactly as the Plan operation returned it.',
  });
}
