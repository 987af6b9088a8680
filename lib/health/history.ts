import type { Standing, Status } from './standing';
import type { Sight } from './finding';

/** What a status page shows of one target. */
export interface History {
  /** Days since 1970 in UTC of the last entry. */
  readonly day: number;
  /** How long it was wrong on each day, in ms; null where nobody looked. The oldest first. */
  readonly days: readonly (number | null)[];
  /** The time of an answer now and then, in ms; null for none. The oldest first. */
  readonly latencies: readonly (number | null)[];
}

const DAY = 86_400_000;
const MOST_DAYS = 60;
const MOST_LATENCIES = 80;
/** Between two samples; so 80 of them are the last 6 h 40 min. */
const SAMPLE_MS = 300_000;

/** Gathers the history of one target, round after round. */
export interface Gathering {
  history: History | undefined;
  last?: { readonly at: number; readonly status: Status | undefined };
  sampledAt: number;
}

export function gather(history: History | undefined): Gathering {
  return { history, sampledAt: 0 };
}

/** A time between two rounds counts as the first of them was, unless it is so long that nobody can have looked. */
export function addRound(
  gathering: Gathering,
  { status }: Standing,
  sights: readonly Sight[],
  intervalMs: number,
  now: number,
): void {
  const { last } = gathering;
  let history = gathering.history ?? { day: Math.floor(now / DAY), days: [null], latencies: [] };
  if (last !== undefined && now - last.at < 3 * intervalMs + 60_000) {
    history = addSpan(history, last.at, now, last.status !== undefined && last.status !== 'ok');
  }
  gathering.last = { at: now, status };
  if (now - gathering.sampledAt >= SAMPLE_MS) {
    gathering.sampledAt = now;
    const times = sights.flatMap(({ finding }) => (finding.outcome === 'ok' ? [finding.latencyMs] : []));
    const latency = times.length === 0 ? null : Math.round(Math.min(...times));
    history = { ...history, latencies: [...history.latencies, latency].slice(-MOST_LATENCIES) };
  }
  gathering.history = history;
}

function addSpan(history: History, from: number, to: number, wrong: boolean): History {
  let { day, days } = history;
  for (let start = from; start < to;) {
    const today = Math.floor(start / DAY);
    const end = Math.min(to, (today + 1) * DAY);
    if (today > day) {
      const gap = Array.from({ length: Math.min(today - day, MOST_DAYS) }, () => null);
      days = [...days, ...gap].slice(-MOST_DAYS);
      day = today;
    }
    const so = days[days.length - 1] ?? 0;
    const next = so + (wrong ? end - start : 0);
    if (next !== days[days.length - 1]) days = [...days.slice(0, -1), next];
    start = end;
  }
  return { ...history, day, days };
}
