export interface RetryPolicy {
  /** The first one included. */
  readonly attempts: number;
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
}

export const defaultRetry: RetryPolicy = { attempts: 4, firstDelayMs: 250, longestDelayMs: 10_000 };

/** How one attempt ended, seen from what the server can have done. */
export type Outcome =
  | { readonly kind: 'answer'; readonly status: number; readonly retryAfterMs?: number }
  /** Nothing of the request reached the server. */
  | { readonly kind: 'not sent'; readonly passing: boolean }
  /** It was sent, and no whole answer came back. */
  | { readonly kind: 'lost' };

export type RetryDecision =
  | { readonly kind: 'repeat'; readonly delayMs: number }
  /** Worth another attempt, but there is none left, or no time for it. */
  | { readonly kind: 'give up' }
  /** Another attempt would change nothing. */
  | { readonly kind: 'final' }
  /** It may have happened, and sending it again may do it twice. */
  | { readonly kind: 'outcome unknown' };

export interface RetryQuestion {
  readonly outcome: Outcome;
  readonly repeatable: boolean;
  /** False when the body can be read only once. */
  readonly resendable: boolean;
  /** How many were made, this one included. */
  readonly attempt: number;
  readonly policy: RetryPolicy;
  readonly timeLeftMs: number;
  readonly random: number;
}

/** Gateways that gave up on a server behind them: what it did, nobody can say. */
const unknownStatuses = new Set([408, 502, 504, 520, 522, 524]);
const passingStatuses = new Set([...unknownStatuses, 500, 503, 521, 523]);

export function decideRetry(question: RetryQuestion): RetryDecision {
  const { outcome, repeatable, resendable, attempt, policy, timeLeftMs } = question;
  if (!repeatable && mayHaveActed(outcome)) return { kind: 'outcome unknown' };
  if (!isPassing(outcome) || (!repeatable && !certainlyDidNotAct(outcome))) return { kind: 'final' };
  const delayMs = delayBefore(question);
  if (!resendable || attempt >= policy.attempts || delayMs >= timeLeftMs) return { kind: 'give up' };
  return { kind: 'repeat', delayMs };
}

function mayHaveActed(outcome: Outcome): boolean {
  return outcome.kind === 'lost' || (outcome.kind === 'answer' && unknownStatuses.has(outcome.status));
}

function certainlyDidNotAct(outcome: Outcome): boolean {
  if (outcome.kind !== 'answer') return outcome.kind === 'not sent';
  return outcome.status === 429 || (outcome.status === 503 && outcome.retryAfterMs !== undefined);
}

function isPassing(outcome: Outcome): boolean {
  if (outcome.kind === 'not sent') return outcome.passing;
  if (outcome.kind === 'lost') return true;
  return outcome.status === 429 || passingStatuses.has(outcome.status);
}

/** Full jitter: anywhere between nothing and the doubled delay. What the server asks for is never cut short. */
function delayBefore({ outcome, attempt, policy, random }: RetryQuestion): number {
  const asked = outcome.kind === 'answer' ? outcome.retryAfterMs : undefined;
  if (asked !== undefined) return Math.ceil(asked + random * policy.firstDelayMs);
  return Math.ceil(random * Math.min(policy.longestDelayMs, policy.firstDelayMs * 2 ** (attempt - 1)));
}
