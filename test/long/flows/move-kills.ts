import { until } from '../../../lab/hosts/waiting';
import type { JsonObject } from '../../../lib/json';
import { runCommand } from '../../../lib/host/run';
import { lookAt, runs } from '../../../lib/standby/look';
import { hostAt, type Place, type Service } from '../../../lib/standby/service';
import { readTurn } from '../../../lib/standby/turn';
import { quietTask } from '../../shared/task';
import type { Boundary } from './boundary';

const task = quietTask();

/** What the two hosts of a service have written down. */
export function recordsOf(service: Service) {
  const seen = async (at: Place) => {
    const sight = await lookAt(service, at, task);
    return sight.kind === 'seen' ? sight : undefined;
  };
  return {
    taken: async (turn: number) => (await readTurn(service, task)).number === turn,
    told: async (at: Place, turn: number) => (await seen(at))?.told?.number === turn,
    holds: async (at: Place, name: 'placed' | 'begun' | 'finished', turn: number) => (await seen(at))?.[name] === turn,
    /** Whoever was at work is dead. A flow waits one and a half minutes to be sure of that; here nobody has to. */
    rest: async (at: Place) => {
      const script =
        'for one in /var/lib/selfhost/standby/*/heard; do [ ! -e "$one" ] || touch -d "2 minutes ago" "$one"; done';
      await runCommand(hostAt(service, at), { script }, {}, task);
    },
  };
}

interface Walk {
  readonly service: Service;
  /** Where the move goes, and with which turn. */
  readonly at: Place;
  readonly turn: number;
  /** kill -9 of the n8n that is at work. */
  readonly kill: () => Promise<unknown>;
  readonly restart: () => Promise<unknown>;
  /** Waits for it, and otherwise tells all that there is to know; what is missing alone unless given. */
  readonly becomes?: (what: string, look: () => boolean | Promise<boolean>) => Promise<unknown>;
  /** What else there is to see in the moment of the crash. */
  readonly beside?: () => Promise<JsonObject>;
}

/**
 * One move, and the n8n that is at it is killed at every boundary: what it finds after a crash is the work of all the
 * runs before it. At the last boundary the move may be finished already; at no other, and at none does the service run
 * on both hosts.
 */
export async function killAtEach(boundaries: readonly Boundary[], walk: Walk): Promise<void> {
  const { service, at, turn, becomes = isSoSoon } = walk;
  const begun = Date.now();
  for (const { called, reached } of boundaries) {
    await becomes(called, reached);
    await walk.kill();
    const [home, standby] = await Promise.all([lookAt(service, 'home', task), lookAt(service, 'standby', task)]);
    const there = at === 'home' ? home : standby;
    if (there.kind === 'unseen') throw new Error(`Killed when ${called}: ${there.why}`);
    const { told, placed, begun: started, finished } = there;
    const state = { told: told?.number ?? null, placed, begun: started, finished, ...(await walk.beside?.()) };
    const seconds = Math.round((Date.now() - begun) / 1000);
    console.log(`killed when ${called}: turn ${turn}, after ${seconds} s, ${JSON.stringify(state)}`);
    expect([runs(home), runs(standby)]).not.toEqual([true, true]);
    if (called !== boundaries.at(-1)?.called) expect(finished).not.toBe(turn);
    await recordsOf(service).rest(at);
    await walk.restart();
  }
  await becomes('it is finished', () => recordsOf(service).holds(at, 'finished', turn));
}

const isSoSoon: NonNullable<Walk['becomes']> = (what, look) =>
  until(what, 300_000, async () => ((await look()) ? true : undefined));
