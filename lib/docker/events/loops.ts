import type { DockerEvent } from '../engine/system';

/** One event as it is handed on; a restart loop is one with a count. */
export interface ToldEvent {
  readonly event: DockerEvent;
  /** How often the container died, of a loop. */
  readonly count: number;
  readonly isLoop: boolean;
  readonly first: DockerEvent;
  readonly exitCodes: readonly number[];
}

interface Held {
  readonly events: DockerEvent[];
  readonly begun: number;
  lastDeath: number;
}

interface Loop {
  readonly first: DockerEvent;
  readonly exitCodes: Set<number>;
  count: number;
  told: number;
  lastDeath: number;
}

/** Belong to a container that dies and comes back. */
const PARTS = ['die', 'start', 'restart', 'stop', 'kill'];

export interface LoopGrouper {
  /** Takes an event; what is to be told now comes back. */
  readonly take: (event: DockerEvent, now: number) => readonly ToldEvent[];
  /** What has waited long enough. */
  readonly due: (now: number) => readonly ToldEvent[];
  /** Of the events that still wait. */
  readonly waiting: () => readonly DockerEvent[];
}

/**
 * A death waits for `patienceMs` whether another one of the same container follows. If not, it is told as it is; if so,
 * all of them are one event with a count. While that loop goes on it is told again each time the count has doubled, and
 * no more often. Docker itself waits ever longer between restarts, up to a minute, so a loop ends after two quiet ones.
 */
export function groupLoops(patienceMs: number): LoopGrouper {
  const held = new Map<string, Held>();
  const loops = new Map<string, Loop>();
  const quietMs = Math.max(120_000, patienceMs * 3);
  const longestMs = patienceMs * 6;

  const single = (event: DockerEvent): ToldEvent => ({
    event,
    count: 1,
    isLoop: false,
    first: event,
    exitCodes: exitCodesOf([event]),
  });
  const close = (id: string, group: Held): readonly ToldEvent[] => {
    held.delete(id);
    const deaths = group.events.filter(({ action }) => action === 'die');
    const [first] = deaths;
    const last = deaths.at(-1);
    if (deaths.length < 2 || first === undefined || last === undefined) return group.events.map(single);
    const exitCodes = exitCodesOf(deaths);
    loops.set(id, {
      first,
      exitCodes: new Set(exitCodes),
      count: deaths.length,
      told: deaths.length,
      lastDeath: group.lastDeath,
    });
    return [{ event: last, count: deaths.length, isLoop: true, first, exitCodes }];
  };
  const due = (now: number) => {
    for (const [id, { lastDeath }] of loops) if (now - lastDeath > quietMs) loops.delete(id);
    return [...held].flatMap(([id, group]) =>
      now - group.lastDeath >= patienceMs || now - group.begun >= longestMs ? close(id, group) : [],
    );
  };

  return {
    due,
    waiting: () => [...held.values()].flatMap(({ events }) => events),
    take: (event, now) => {
      const before = due(now);
      if (patienceMs === 0 || event.type !== 'container' || !PARTS.includes(event.action)) {
        return [...before, single(event)];
      }
      const loop = loops.get(event.id);
      if (loop !== undefined) {
        if (event.action !== 'die') return before;
        loop.count += 1;
        loop.lastDeath = now;
        for (const code of exitCodesOf([event])) loop.exitCodes.add(code);
        if (loop.count < loop.told * 2) return before;
        loop.told = loop.count;
        const exitCodes = [...loop.exitCodes].sort((a, b) => a - b);
        return [...before, { event, count: loop.count, isLoop: true, first: loop.first, exitCodes }];
      }
      const group = held.get(event.id);
      if (group !== undefined) {
        group.events.push(event);
        if (event.action === 'die') group.lastDeath = now;
        return before;
      }
      if (event.action !== 'die') return [...before, single(event)];
      held.set(event.id, { events: [event], begun: now, lastDeath: now });
      return before;
    },
  };
}

function exitCodesOf(events: readonly DockerEvent[]): readonly number[] {
  const codes = events.flatMap(({ attributes }) =>
    attributes.exitCode === undefined ? [] : [Number(attributes.exitCode)],
  );
  return [...new Set(codes)].sort((a, b) => a - b);
}
