import type { Task } from '../../task';
import type { Host } from '../host';
import { runSystemd } from './systemd';
import { parseProperties, parseTime, unitOf, UNIT_PROPERTIES, type Properties, type Unit } from './unit';

export type ServiceState = 'all' | 'running' | 'active' | 'inactive' | 'failed' | 'enabled';

/**
 * Every unit of one type that is loaded or has a file. Templates (`name@.service`) are not units. systemctl is asked
 * for a hundred at a time, so that no command line grows too long.
 */
const LIST = `
{
  systemctl list-units --type="$1" --all --plain --no-legend --no-pager --full
  systemctl list-unit-files --type="$1" --plain --no-legend --no-pager --full
} | while read -r name rest; do
  case $name in *@."$1") ;; *."$1") printf '%s\\n' "$name" ;; esac
done | sort -u | {
  some=()
  show() { if [ "\${#some[@]}" -gt 0 ]; then systemctl show --no-pager --property="$1" -- "\${some[@]}"; echo; fi; some=(); }
  while read -r name; do
    some+=("$name")
    if [ "\${#some[@]}" -ge 100 ]; then show "$2"; fi
  done
  show "$2"
}
printf '\\0'
cat /proc/uptime
`;

export async function listServices(
  host: Host,
  { state = 'all' }: { readonly state?: ServiceState },
  task: Task,
): Promise<Unit[]> {
  const [shown = ''] = await runSystemd(host, { script: LIST, arguments: ['service', UNIT_PROPERTIES] }, task);
  return oneEach(parseProperties(shown).map(unitOf)).filter((unit) => unit.load !== 'not-found' && isIn(state, unit));
}

function isIn(state: ServiceState, unit: Unit): boolean {
  switch (state) {
    case 'all':
      return true;
    case 'running':
      return unit.sub === 'running';
    case 'enabled':
      return unit.enabled === 'enabled';
    default:
      return unit.active === state;
  }
}

/** A unit with an alias is shown under each of its names, always with the first. */
function oneEach<T extends { readonly unit: string }>(units: readonly T[]): T[] {
  return [...new Map(units.map((unit) => [unit.unit, unit])).values()].sort((a, b) => a.unit.localeCompare(b.unit));
}

export interface Timer {
  /** The timer itself: `apt-daily.timer`. */
  readonly unit: string;
  /** What it starts. */
  readonly activates: string;
  readonly description: string;
  readonly active: string;
  readonly enabled: string | null;
  /** Null when it is not going to fire. */
  readonly next: string | null;
  /** Null when it never did, as far as the host knows. */
  readonly last: string | null;
}

const TIMER_PROPERTIES =
  'Id,Description,LoadState,ActiveState,UnitFileState,Unit,NextElapseUSecRealtime,NextElapseUSecMonotonic,LastTriggerUSec';

export async function listTimers(host: Host, task: Task): Promise<Timer[]> {
  const [shown = '', uptime = ''] = await runSystemd(
    host,
    { script: LIST, arguments: ['timer', TIMER_PROPERTIES] },
    task,
  );
  return parseTimers(shown, Date.now() - Number.parseFloat(uptime) * 1000);
}

/** `bootedAt` turns times that count from the boot into times of the calendar. */
export function parseTimers(shown: string, bootedAt: number): Timer[] {
  const timers = parseProperties(shown).filter((properties) => properties.get('LoadState') !== 'not-found');
  return oneEach(timers.map((properties) => timerOf(properties, bootedAt)));
}

function timerOf(properties: Properties, bootedAt: number): Timer {
  const text = (name: string) => properties.get(name) ?? '';
  const sinceBoot = parseSpan(text('NextElapseUSecMonotonic'));
  const candidates = [
    parseTime(text('NextElapseUSecRealtime')),
    sinceBoot === undefined ? null : new Date(Math.round((bootedAt + sinceBoot) / 1000) * 1000).toISOString(),
  ].filter((time) => time !== null);
  const active = text('ActiveState');
  return {
    unit: text('Id'),
    activates: text('Unit') || text('Id').replace(/\.timer$/, '.service'),
    description: text('Description'),
    active,
    enabled: text('UnitFileState') || null,
    next: active === 'active' ? (candidates.sort()[0] ?? null) : null,
    last: parseTime(text('LastTriggerUSec')),
  };
}

const UNIT_MS: Readonly<Record<string, number>> = {
  us: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
  month: 2_629_800_000,
  y: 31_557_600_000,
  year: 31_557_600_000,
};

/** `1d 2h 3min 4.5s`; `infinity`, 0 and nothing mean never. */
export function parseSpan(text: string): number | undefined {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+)/g)];
  const total = parts.reduce((sum, [, amount, unit = '']) => {
    const size = UNIT_MS[unit] ?? UNIT_MS[unit.replace(/s$/, '')];
    return size === undefined ? Number.NaN : sum + Number(amount) * size;
  }, 0);
  return total > 0 ? total : undefined;
}
