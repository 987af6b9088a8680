import type { Task } from '../../task';
import type { Host } from '../host';
import { runSystemd } from './systemd';
import { parseProperties, parseTime, unitOf, UNIT_PROPERTIES, type Properties, type Unit } from './unit';

export type ServiceState = 'all' | 'running' | 'active' | 'inactive' | 'failed' | 'enabled';

/** What is loaded, told in full; then what has a file, which for most of the rest is all there is to tell. */
const LIST = `
systemctl show --no-pager --property="$2" -- "*.$1"
printf '\\0'
systemctl list-unit-files --type="$1" --plain --no-legend --no-pager --full
printf '\\0%s' "$(< /proc/uptime)"
`;

const SHOW = `
properties=$1
shift
systemctl show --no-pager --property="$properties" -- "$@"
`;

export async function listServices(
  host: Host,
  { state = 'all' }: { readonly state?: ServiceState },
  task: Task,
): Promise<Unit[]> {
  const [shown = '', files = ''] = await runSystemd(
    host,
    { script: LIST, arguments: ['service', UNIT_PROPERTIES] },
    task,
  );
  return servicesOf(shown, files).filter((unit) => isIn(state, unit));
}

export function servicesOf(shown: string, files: string): Unit[] {
  const loaded = parseProperties(shown).map(unitOf);
  const known = new Set(loaded.map(({ unit }) => unit));
  const asleep = parseUnitFiles(files)
    .filter(({ unit, enabled }) => !known.has(unit) && enabled !== 'alias')
    .map(({ unit, enabled }) => sleeping(unit, enabled));
  return inOrder([...loaded.filter(({ load }) => load !== 'not-found'), ...asleep]);
}

/** A unit that systemd has not loaded does not run, and has not since the boot. */
function sleeping(unit: string, enabled: string): Unit {
  return {
    ...unitOf(new Map([['Id', unit]])),
    load: enabled.startsWith('masked') ? 'masked' : 'loaded',
    active: 'inactive',
    sub: 'dead',
    enabled,
  };
}

/** `name state preset`; templates (`name@.service`) are no units themselves. */
function parseUnitFiles(text: string): { unit: string; enabled: string }[] {
  return [...text.matchAll(/^(\S+)\s+(\S+)/gm)]
    .map(([, unit = '', enabled = '']) => ({ unit, enabled }))
    .filter(({ unit }) => !/@\.[a-z]+$/.test(unit));
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

function inOrder<T extends { readonly unit: string }>(units: readonly T[]): T[] {
  return [...units].sort((a, b) => a.unit.localeCompare(b.unit));
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
  const [shown = '', files = '', uptime = ''] = await runSystemd(
    host,
    { script: LIST, arguments: ['timer', TIMER_PROPERTIES] },
    task,
  );
  const bootedAt = Date.now() - Number.parseFloat(uptime) * 1000;
  const loaded = parseTimers(shown, bootedAt);
  const asleep = parseUnitFiles(files)
    .filter(({ unit }) => !loaded.some((timer) => timer.unit === unit))
    .map(({ unit }) => unit);
  if (asleep.length === 0) return inOrder(loaded);
  // What an idle timer starts stands in its file only, so these are asked by name.
  const [rest = ''] = await runSystemd(host, { script: SHOW, arguments: [TIMER_PROPERTIES, ...asleep] }, task);
  return inOrder([...loaded, ...parseTimers(rest, bootedAt)]);
}

/** `bootedAt` turns times that count from the boot into times of the calendar. */
export function parseTimers(shown: string, bootedAt: number): Timer[] {
  return parseProperties(shown)
    .filter((properties) => properties.get('LoadState') !== 'not-found')
    .map((properties) => timerOf(properties, bootedAt));
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
