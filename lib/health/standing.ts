import type { Sight } from './finding';

/** `divergent`: it answers from some vantage points and not from others. */
export type Status = 'ok' | 'wrong' | 'divergent';

export interface JudgingRules {
  /** How many vantage points must find it wrong. Default: more than half. */
  readonly quorum?: number;
  /** It is believed wrong (or divergent) when `wrong` of the last `of` rounds said so. */
  readonly wrong: number;
  readonly of: number;
  /** It is believed well after this many good rounds in a row. */
  readonly ok: number;
  /** After its beginning, bad rounds do not count for this long. */
  readonly startPeriodMs: number;
}

export const USUAL_RULES: JudgingRules = { wrong: 3, of: 5, ok: 2, startPeriodMs: 0 };

/** What is believed of one target. Undefined until enough has been seen. */
export interface Standing {
  readonly status: Status | undefined;
  /** The newest rounds, the newest last. Rounds that showed nothing are not in it. */
  readonly rounds: readonly Status[];
  readonly begunAt: number;
}

export interface Transition {
  readonly from: Status | undefined;
  readonly to: Status;
  readonly sights: readonly Sight[];
  readonly at: number;
}

export function firstStanding(now: number): Standing {
  return { status: undefined, rounds: [], begunAt: now };
}

/** One round of looks from all vantage points: what is believed now, and the transition when that has changed. */
export function judge(
  before: Standing,
  sights: readonly Sight[],
  rules: JudgingRules,
  now: number,
): { readonly standing: Standing; readonly transition?: Transition } {
  const round = verdict(sights, rules);
  if (round === undefined) return { standing: before };
  if (round !== 'ok' && now - before.begunAt < rules.startPeriodMs) return { standing: before };
  const rounds = [...before.rounds, round].slice(-Math.max(rules.of, rules.ok));
  const to = believed(before.status, rounds, rules);
  if (to === before.status || to === undefined) return { standing: { ...before, rounds } };
  return { standing: { ...before, status: to, rounds }, transition: { from: before.status, to, sights, at: now } };
}

/** What one round says, or undefined when too few could look. */
export function verdict(sights: readonly Sight[], { quorum }: Pick<JudgingRules, 'quorum'>): Status | undefined {
  const count = (outcome: string) => sights.filter(({ finding }) => finding.outcome === outcome).length;
  const [ok, wrong] = [count('ok'), count('wrong')];
  const needed = quorum ?? Math.floor(sights.length / 2) + 1;
  if (wrong > 0 && wrong >= needed) return 'wrong';
  if (wrong > 0) return ok > 0 ? 'divergent' : undefined;
  // A single good answer says that it works; nothing says that it does not.
  return ok > 0 ? 'ok' : undefined;
}

function believed(status: Status | undefined, rounds: readonly Status[], rules: JudgingRules): Status | undefined {
  const lately = rounds.slice(-rules.of);
  const count = (one: Status) => lately.filter((round) => round === one).length;
  const last = rounds[rounds.length - 1];
  // What is not the case in the newest round is not news.
  if (last === 'ok') {
    const good = rounds.slice(-rules.ok);
    return good.length === rules.ok && good.every((round) => round === 'ok') ? 'ok' : status;
  }
  if (last !== undefined && count(last) >= rules.wrong) return last;
  // Bad in changing ways is bad too.
  if (last !== undefined && status !== 'wrong' && count('wrong') + count('divergent') >= rules.wrong) return last;
  return status;
}
