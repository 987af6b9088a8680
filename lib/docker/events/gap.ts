import { isFailure } from '../../failure';
import type { Task } from '../../task';
import { listContainers, rawContainer, readContainer } from '../engine/containers';
import type { Engine } from '../engine/engine';
import { listAt, numberAt, textAt } from '../engine/read';
import type { DockerEvent } from '../engine/system';

const UNHEALTHY = 'health_status: unhealthy';
const HEALTHY = 'health_status: healthy';

/** What the containers show by themselves, as they are now. */
export async function lookAtContainers(engine: Engine, task: Task): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (const { id } of await listContainers(engine, { all: true }, task)) {
    try {
      found.push(await rawContainer(engine, id, task));
    } catch (error) {
      // Removed meanwhile: Docker tells that itself.
      if (!isFailure(error, 'not_found')) throw error;
    }
  }
  return found;
}

/** What is known of before. */
export interface Known {
  /** When this action of this container was seen last. */
  readonly lastOf: (action: string, id: string) => bigint | undefined;
  /** Everything before this is known, or concerns nobody. */
  readonly since: bigint;
}

/**
 * The events that Docker has forgotten but that the containers still show: the last start and the last end of each, out
 * of memory, and that it is unhealthy. `remembered` is what Docker tells itself, asked after the containers were looked
 * at; what is in there, or was seen before, is not told a second time.
 */
export function forgottenEvents(
  containers: readonly unknown[],
  remembered: readonly DockerEvent[],
  known: Known,
): readonly DockerEvent[] {
  return containers
    .flatMap((raw) => eventsOf(raw, remembered, known))
    .sort((one, other) => (BigInt(one.timeNano) < BigInt(other.timeNano) ? -1 : 1));
}

function eventsOf(raw: unknown, remembered: readonly DockerEvent[], known: Known): readonly DockerEvent[] {
  const container = readContainer(raw);
  const { id, name, image, labels, restarts, state, exitCode, oomKilled } = container;
  const attributes = { ...labels, name, image, restartCount: String(restarts), derived: 'true' };
  const event = (action: string, at: bigint, more: Readonly<Record<string, string>> = {}): DockerEvent => ({
    type: 'container',
    action,
    id,
    name,
    time: new Date(Number(at / 1_000_000n)).toISOString(),
    timeNano: String(at),
    attributes: { ...attributes, ...more },
  });
  const isNew = (action: string, at: bigint | undefined): at is bigint =>
    at !== undefined &&
    at > (known.lastOf(action, id) ?? known.since) &&
    !remembered.some((one) => one.type === 'container' && one.action === action && one.id === id);

  const ended = nanoOf(container.finishedAt);
  const started = nanoOf(container.startedAt);
  const found: DockerEvent[] = [];
  if (isNew('die', ended)) {
    if (oomKilled) found.push(event('oom', ended));
    // A new start has wiped out how the last run ended.
    found.push(event('die', ended, state === 'running' ? {} : { exitCode: String(exitCode) }));
  }
  if (isNew('start', started)) found.push(event('start', started));
  if (container.health === 'unhealthy') {
    const since = failingSince(raw);
    const told = known.lastOf(UNHEALTHY, id);
    const over = [known.lastOf(HEALTHY, id), started].some((at) => at !== undefined && told !== undefined && at > told);
    if (since !== undefined && since > known.since && (told === undefined || over)) {
      if (!remembered.some((one) => one.action === UNHEALTHY && one.id === id)) found.push(event(UNHEALTHY, since));
    }
  }
  return found;
}

/** When the first of the failed checks ended that Docker still has; it keeps five. */
function failingSince(raw: unknown): bigint | undefined {
  const checks = listAt(raw, 'State', 'Health', 'Log');
  const lastGood = checks.findLastIndex((check) => numberAt(check, 'ExitCode') === 0);
  return nanoOf(textAt(checks[lastGood + 1], 'End'));
}

/** Nanoseconds since 1970. */
export function nanoOf(time: string | null): bigint | undefined {
  const [, seconds = '', fraction = '', zone = ''] = /^([^.]+?)(?:\.(\d+))?(Z|[+-]\d\d:\d\d)$/.exec(time ?? '') ?? [];
  const whole = Date.parse(seconds + zone);
  return Number.isNaN(whole) ? undefined : BigInt(whole) * 1_000_000n + BigInt(fraction.padEnd(9, '0').slice(0, 9));
}
