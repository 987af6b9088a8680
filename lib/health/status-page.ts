import type { AlertMemory } from '../alert/memory';
import { viewOf } from '../alert/message';
import type { StatusPage, Watched } from '../alert/render/status-page';
import type { Seen, SeenPage } from './record';

const DAY = 86_400_000;
/** Without a word of the watch for so long, nothing is known any more. */
const STALE_MS = 300_000;

export interface PageWanted {
  readonly title: string;
  readonly zone: string;
}

/** What the watches have seen and what is open, as a page for people. */
export function pageOf(
  watches: readonly SeenPage[],
  memory: AlertMemory,
  { title, zone }: PageWanted,
  now: number,
): StatusPage {
  const groups = new Map<string, Watched[]>();
  for (const { at, targets } of watches) {
    for (const seen of targets) {
      const group = groups.get(seen.group) ?? [];
      groups.set(seen.group, group);
      group.push(watchedOf(seen, now - at > STALE_MS, now));
    }
  }
  return {
    ...{ title, zone, at: now },
    groups: [...groups]
      .sort(([a], [b]) => a.localeCompare(b, 'en'))
      .map(([name, things]) => ({ name: name === '' ? 'Services' : name, things })),
    incidents: memory.incidents.filter(({ told }) => told !== undefined).map((incident) => viewOf(memory, incident)),
  };
}

const DAYS_SHOWN = 60;

function watchedOf({ name, status, history }: Seen, stale: boolean, now: number): Watched {
  const today = Math.floor(now / DAY);
  const days = history?.days ?? [];
  const first = (history?.day ?? today) - days.length + 1;
  return {
    name,
    status: stale || status === 'unknown' ? 'unknown' : status === 'ok' ? 'ok' : 'wrong',
    history: Array.from({ length: DAYS_SHOWN }, (_, index) => {
      const day = today - DAYS_SHOWN + 1 + index;
      return { label: dayName(day), wrongMs: days[day - first] ?? null };
    }),
    latencies: history?.latencies ?? [],
  };
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sept', 'Oct', 'Nov', 'Dec'];

function dayName(day: number): string {
  const date = new Date(day * DAY);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ''}`;
}
