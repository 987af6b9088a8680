import type { Headers } from './settings';

/** What an answer says about how many requests are left. */
export interface BudgetReport {
  readonly limit?: number;
  readonly remaining: number;
  /** Our clock. */
  readonly resetAt: number;
}

// Both the reset and the date come in whole seconds, so a reset can be almost this much later than it says.
const granularityMs = 1_000;

/** Reads the headers in all their dialects: RateLimit (both drafts), RateLimit-*, X-RateLimit-*. */
export function readBudget(headers: Headers, now: number): BudgetReport | undefined {
  return (
    readStructured(headers, now) ??
    readSeparate('ratelimit-', headers, now) ??
    readSeparate('x-ratelimit-', headers, now)
  );
}

function readSeparate(prefix: string, headers: Headers, now: number): BudgetReport | undefined {
  const remaining = leadingNumber(headers[`${prefix}remaining`]);
  if (remaining === undefined) return undefined;
  const limit = leadingNumber(headers[`${prefix}limit`]);
  const reset = leadingNumber(headers[`${prefix}reset`]);
  return { ...(limit !== undefined && { limit }), remaining, resetAt: resetTime(reset ?? 0, headers, now) };
}

/** `"default";r=50;t=30` or `limit=100, remaining=50, reset=30`. Of several windows the tightest counts. */
function readStructured(headers: Headers, now: number): BudgetReport | undefined {
  const text = headers['ratelimit'];
  if (text === undefined) return undefined;
  const named = parameters(text.replaceAll(',', ';'));
  if (named['remaining'] !== undefined) {
    const { limit, remaining, reset } = named;
    return { ...(limit !== undefined && { limit }), remaining, resetAt: resetTime(reset ?? 0, headers, now) };
  }
  const policies = (headers['ratelimit-policy'] ?? '')
    .split(',')
    .map((item) => ({ name: itemName(item), ...limits(item) }));
  const windows = text.split(',').flatMap((item) => {
    const { r: remaining, t: reset } = parameters(item);
    if (remaining === undefined) return [];
    const policy = policies.find(({ name }) => name === itemName(item));
    const limit = policy?.quota;
    return [
      {
        ...(limit !== undefined && { limit }),
        remaining,
        resetAt: resetTime(reset ?? policy?.window ?? 0, headers, now),
      },
    ];
  });
  return windows.sort((left, right) => left.remaining - right.remaining || right.resetAt - left.resetAt)[0];
}

function itemName(item: string): string {
  return (item.split(';')[0] ?? '').trim();
}

function limits(item: string): { quota: number | undefined; window: number | undefined } {
  const { q: quota, w: window } = parameters(item);
  return { quota, window };
}

function parameters(item: string): Partial<Record<string, number>> {
  const found: Partial<Record<string, number>> = {};
  for (const [, name = '', value] of item.matchAll(/([a-z]+)\s*=\s*(\d+)/gi)) found[name.toLowerCase()] = Number(value);
  return found;
}

function leadingNumber(text: string | undefined): number | undefined {
  const digits = /^\s*(\d+)/.exec(text ?? '')?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** Services write the seconds left, the Unix time, or that in milliseconds; the size tells which. */
function resetTime(reset: number, headers: Headers, now: number): number {
  if (reset < 1e8) return now + reset * 1000 + granularityMs;
  const unix = reset < 1e11 ? reset * 1000 : reset;
  return unix + ourClockAhead(headers, now) + granularityMs;
}

/** How far our clock is ahead of the server's, as far as its Date header tells. */
function ourClockAhead(headers: Headers, now: number): number {
  const date = Date.parse(headers['date'] ?? '');
  return Number.isNaN(date) ? 0 : now - date;
}

/** Retry-After in seconds or as a date, as milliseconds from now. */
export function readRetryAfter(headers: Headers, now: number): number | undefined {
  const text = headers['retry-after']?.trim();
  if (text === undefined || text === '') return undefined;
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date + ourClockAhead(headers, now) - now);
}

/** What we believe is left. */
export type Budget =
  /** No answer yet: one request goes ahead and finds out. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unlimited' }
  | {
      readonly kind: 'known';
      readonly limit: number;
      /** As the server said at `at`; some of what is under way may be counted in it, some not. */
      readonly remaining: number;
      readonly at: number;
      readonly resetAt: number;
      /** How many grow back in a millisecond; 0 where all come back at the reset. */
      readonly growth: number;
      /** How many requests had been sent when this was learnt. */
      readonly sentBefore: number;
    };

export type Refill = 'at reset' | 'gradual';

/** A report, and the number of the request that it answers. */
export interface NumberedReport extends BudgetReport {
  readonly request: number;
}

/**
 * Answers overtake each other. Of the requests sent before the present state was learnt, only a lower count is news: a
 * higher one was counted earlier. One sent after it tells the present, also when a new window has begun.
 */
export function takeReport(budget: Budget, report: NumberedReport, sent: number, now: number, refill: Refill): Budget {
  const { remaining, resetAt, request } = report;
  if (budget.kind === 'known' && request <= budget.sentBefore && remaining > budget.remaining) return budget;
  const limit = report.limit ?? Math.max(remaining, budget.kind === 'known' ? budget.limit : 1);
  const growth = refill === 'gradual' && resetAt > now ? Math.max(0, limit - remaining) / (resetAt - now) : 0;
  return { kind: 'known', limit, remaining, at: now, resetAt, growth, sentBefore: sent };
}

/** A request that was sent and got no answer may have been counted. */
export function takeLoss(budget: Budget): Budget {
  return budget.kind === 'known' ? { ...budget, remaining: budget.remaining - 1 } : budget;
}

// One that finds out whether there is a budget may be a slow one; the others wait for it this long.
const patienceMs = 2_000;

/** From when the next request may go; not after `now` means at once. */
export function mayGoAt(budget: Budget, underWay: number, lastWentAt: number, now: number): number {
  if (budget.kind === 'unlimited') return now;
  if (budget.kind === 'unknown' || now >= budget.resetAt) return underWay === 0 ? now : lastWentAt + patienceMs;
  const needed = reserve(budget.limit) + 1 + underWay;
  const left = budget.remaining + (now - budget.at) * budget.growth;
  if (left >= needed) return now;
  if (budget.growth === 0) return budget.resetAt;
  return Math.min(budget.resetAt, Math.ceil(budget.at + (needed - budget.remaining) / budget.growth));
}

/** Others use the same token too; large budgets leave them a hundredth. */
function reserve(limit: number): number {
  return Math.floor(limit / 100);
}
