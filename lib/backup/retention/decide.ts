import type { KeepRule } from './rule';

/** A backup of one source at one destination, as far as keeping it is concerned. */
export interface Candidate {
  readonly name: string;
  readonly at: Date;
  /** Complete, and not known to be damaged. */
  readonly good: boolean;
}

export interface Decision {
  readonly name: string;
  readonly keep: boolean;
  /** `last 1`, `daily 3`, `minimum`, or why it goes. */
  readonly reason: string;
}

const PERIODS = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'] as const;

/**
 * What stays of one source at one destination. The newest of each of the so many newest hours, days, weeks, months and
 * years that have any, all in UTC. What is damaged never counts for what is good: it stays only where it would have
 * stayed if it were good, so that it can be mended, and beside the good ones, never instead of them.
 */
export function decide(candidates: readonly Candidate[], rule: KeepRule): Decision[] {
  const newestFirst = [...candidates].sort((one, other) => +other.at - +one.at);
  const good = newestFirst.filter((each) => each.good);
  const reasons = new Map<string, string>();
  const keep = ({ name }: Candidate, reason: string) => {
    const known = reasons.get(name);
    reasons.set(name, known === undefined ? reason : `${known}, ${reason}`);
  };
  const asks = [rule.last, ...PERIODS.map((period) => rule[period])].some((count = 0) => count > 0);
  // A rule that asks for nothing is a mistake, and the safe reading of it is everything.
  if (!asks)
    return newestFirst.map(({ name }) => ({
      name,
      keep: true,
      reason: 'the rule keeps nothing, so it is not followed',
    }));
  for (const [backup, reason] of selected(good, rule)) keep(backup, reason);
  good
    .slice(0, Math.max(1, rule.minimum ?? 1))
    .filter(({ name }) => !reasons.has(name))
    .forEach((backup) => keep(backup, 'minimum'));
  for (const [backup] of selected(newestFirst, rule)) {
    if (!backup.good) reasons.set(backup.name, 'damaged, to be mended');
  }
  return newestFirst.map(({ name, good: isGood }) => {
    const reason = reasons.get(name);
    if (reason !== undefined) return { name, keep: true, reason };
    return { name, keep: false, reason: isGood ? 'no rule keeps it' : 'damaged, and no rule keeps it' };
  });
}

/** Pairs of a backup and one reason to keep it. */
function selected(newestFirst: readonly Candidate[], rule: KeepRule): [Candidate, string][] {
  const found: [Candidate, string][] = newestFirst
    .slice(0, rule.last ?? 0)
    .map((backup, index) => [backup, `last ${index + 1}`]);
  for (const period of PERIODS) {
    const seen = new Set<string>();
    for (const backup of newestFirst) {
      const key = periodOf(backup.at, period);
      if (seen.has(key)) continue;
      if (seen.size >= (rule[period] ?? 0)) break;
      seen.add(key);
      found.push([backup, `${period} ${seen.size}`]);
    }
  }
  return found;
}

export function periodOf(at: Date, period: (typeof PERIODS)[number]): string {
  const text = at.toISOString();
  switch (period) {
    case 'hourly':
      return text.slice(0, 13);
    case 'daily':
      return text.slice(0, 10);
    case 'weekly':
      return mondayOf(at);
    case 'monthly':
      return text.slice(0, 7);
    case 'yearly':
      return text.slice(0, 4);
  }
}

/** Weeks begin on Mondays, as ISO 8601 has them. */
function mondayOf(at: Date): string {
  const day = new Date(Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate()));
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return day.toISOString().slice(0, 10);
}
