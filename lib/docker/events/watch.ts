import { isFailure, type Failure } from '../../failure';
import { path } from '../../http/path';
import { fileState } from '../../state/files';
import { pause, type Task } from '../../task';
import { describeDocker, type DockerAccess } from '../engine/access';
import { connectEngine, type Engine } from '../engine/engine';
import { readLogs } from '../engine/logs';
import { textAt } from '../engine/read';
import { events, type DockerEvent } from '../engine/system';
import {
  cursorAsJson,
  freshCursor,
  keyOf,
  openLedger,
  parseCursor,
  secondsOf,
  sinceOf,
  type Cursor,
  type Ledger,
} from './cursor';
import { forgottenEvents, lookAtContainers } from './gap';
import { isWanted, splitAction, type EventFilter } from './filter';
import { groupLoops, type ToldEvent } from './loops';

/** One event, as a workflow gets it. */
export interface EventItem {
  readonly type: string;
  /** `die`, `oom`, `health_status`, `restart_loop`, `gap`, … */
  readonly action: string;
  /** Behind a health_status: healthy or unhealthy. */
  readonly detail: string | null;
  readonly id: string;
  readonly name: string;
  readonly project: string | null;
  readonly service: string | null;
  readonly image: string | null;
  readonly time: string;
  /** Of a loop, the first death. */
  readonly firstTime: string;
  readonly count: number;
  readonly exitCodes: readonly number[];
  readonly attributes: Readonly<Record<string, string>>;
  /** The last lines of the container; null where there are none to be had. */
  readonly log: string | null;
}

export interface EventWatch {
  /** Who watches: what it was given it is not given again, also after a restart. */
  readonly consumer: string;
  readonly filter: EventFilter;
  /** How long a death waits for the next one. 0 tells each by itself. */
  readonly groupSeconds: number;
  readonly logLines: number;
  /** Resolves when it is taken care of; rejects to be given it again, with the same key. */
  readonly deliver: (item: EventItem, key: string) => Promise<void>;
  /** Told when the host begins to fail, and with undefined when it answers again. */
  readonly onTrouble: (failure: Failure | undefined) => void;
}

const LONGEST_PAUSE_MS = 60_000;
const TICK_MS = 500;
const SAVE_EVERY_MS = 15_000;
const LAST_SAVE_MS = 5_000;
/** About these a reader wants to know what the container said last. */
const WITH_LOG = ['die', 'oom', 'health_status', 'restart_loop', 'kill', 'stop'];

/**
 * Hands on every wanted event of one Docker once, until it is stopped. It remembers on the host how far it came. Docker
 * itself remembers its last 256 events: where that was too few, or it was restarted, this is told as a `gap`, and what
 * the containers themselves show of that time is told behind it.
 */
export async function watchEvents(access: DockerAccess, watch: EventWatch, task: Task): Promise<void> {
  const subject = `watching ${describeDocker(access)}`;
  const state = { troubles: 0 };
  const stopped = () => task.signal.aborted;
  let run: Run | undefined;
  while (!stopped()) {
    try {
      const engine = await connectEngine(access, task);
      run ??= await begin(engine, access, watch, task);
      run.connect(engine);
      if (state.troubles > 0) watch.onTrouble(undefined);
      state.troubles = 0;
      await run.follow(engine);
    } catch (error) {
      if (stopped() || isFailure(error, 'cancelled')) break;
      if (!isFailure(error)) throw error;
      state.troubles += 1;
      if (state.troubles === 1) watch.onTrouble(error);
    }
    const wait = Math.min(500 * 2 ** Math.min(state.troubles, 10), LONGEST_PAUSE_MS);
    await pause(wait, task.signal, subject).catch(() => undefined);
  }
  await run?.end();
}

interface Run {
  readonly connect: (engine: Engine) => void;
  readonly follow: (engine: Engine) => Promise<void>;
  readonly end: () => Promise<void>;
}

async function begin(engine: Engine, access: DockerAccess, watch: EventWatch, task: Task): Promise<Run> {
  const store = fileState(access.host, {}, task);
  const key = `docker-events/${watch.consumer}/${access.host.target.name}`;
  const known = parseCursor((await store.read(key))?.value);
  const cursor = known ?? freshCursor(await nowOf(engine, task));
  const save = async (next: Cursor) => {
    await store.update(key, () => cursorAsJson(next));
  };
  if (known === undefined) await save(cursor);

  const ledger = openLedger(cursor);
  const loops = groupLoops(watch.groupSeconds * 1000);
  const current = { engine, recalled: false };
  const saving = saver(ledger, save);
  const hand = (told: ToldEvent) => {
    const closes = told.isLoop ? loopOf(told) : [told.event];
    void delivered(current, access, watch, told, task).then(
      () => {
        for (const event of closes) ledger.close(event);
        saving.soon();
      },
      () => undefined,
    );
  };
  // A loop stands for all of its events; they are closed with it.
  const inLoop = new Map<string, DockerEvent[]>();
  function loopOf({ event }: ToldEvent): readonly DockerEvent[] {
    const all = inLoop.get(event.id) ?? [];
    inLoop.delete(event.id);
    return [...all, event];
  }
  const settle = (told: readonly ToldEvent[]) => {
    const waiting = new Set(loops.waiting().map(keyOf));
    const alone = new Set(told.filter(({ isLoop }) => !isLoop).map(({ event }) => keyOf(event)));
    const looping = new Set(told.filter(({ isLoop }) => isLoop).map(({ event }) => event.id));
    for (const [id, all] of inLoop) {
      // What is neither told nor waits was swallowed by a loop that is told already.
      const left = all.filter((event) => !alone.has(keyOf(event)) && !waiting.has(keyOf(event)));
      if (!looping.has(id)) for (const event of left) ledger.close(event);
      const kept = looping.has(id) ? left : all.filter((event) => waiting.has(keyOf(event)));
      if (kept.length === 0) inLoop.delete(id);
      else inLoop.set(id, kept);
    }
    told.forEach(hand);
  };
  const timer = setInterval(() => {
    settle(loops.due(performance.now()));
    saving.sometimes();
  }, TICK_MS);
  timer.unref();

  return {
    connect: (next) => {
      current.engine = next;
    },
    end: async () => {
      clearInterval(timer);
      // Without it a watch that ends before its first save knows nothing of what it saw, and would miss a gap behind it.
      const last = fileState(access.host, {}, { ...task, signal: AbortSignal.timeout(LAST_SAVE_MS) });
      await last.update(key, () => cursorAsJson(ledger.cursor())).catch(() => undefined);
    },
    follow: async (connected) => {
      if (await hasForgotten(connected)) await recall(connected);
      for await (const event of events(connected, { since: sinceOf(ledger.cursor().upTo) }, task)) {
        if (ledger.knows(event)) continue;
        ledger.open(event);
        take(event);
      }
    },
  };

  function take(event: DockerEvent): void {
    if (!isWanted(watch.filter, event)) {
      ledger.close(event);
      return;
    }
    if (event.type === 'container') inLoop.set(event.id, [...(inLoop.get(event.id) ?? []), event]);
    settle(loops.take(event, performance.now()));
  }

  /** What was seen last has to be remembered; if it is not, what came behind it may be forgotten as well. */
  async function hasForgotten(connected: Engine): Promise<boolean> {
    const { seen } = ledger.cursor();
    if (seen === null) return known !== undefined || current.recalled;
    const [first] = await remembered(connected);
    return first === undefined || BigInt(first.timeNano) > seen;
  }

  async function remembered(connected: Engine): Promise<readonly DockerEvent[]> {
    const now = await nowOf(connected, task);
    const found: DockerEvent[] = [];
    const wish = { since: sinceOf(ledger.cursor().upTo), until: secondsOf(now) };
    for await (const event of events(connected, wish, task)) found.push(event);
    return found;
  }

  /** Tells that there is a gap, and what the containers show of it. */
  async function recall(connected: Engine): Promise<void> {
    const { seen, upTo, begun } = ledger.cursor();
    const now = await nowOf(connected, task);
    const containers = await lookAtContainers(connected, task);
    const still = await remembered(connected);
    const [first] = still;
    const to = first === undefined ? now : BigInt(first.timeNano) - 1n;
    const gap = seen === null ? undefined : gapOf(seen, to);
    const from = (seen !== null && seen < upTo ? seen : upTo) - MARGIN_NS;
    const found = forgottenEvents(containers, still, {
      lastOf: ledger.lastOf,
      since: from > begun ? from : begun,
    });
    ledger.forget(gap, to);
    current.recalled = true;
    if (gap !== undefined && ledger.recall(gap))
      hand({ event: gap, count: 1, isLoop: false, first: gap, exitCodes: [] });
    for (const event of found) if (ledger.recall(event)) take(event);
  }
}

/** Some events are stamped a moment after what they tell, and those of one moment may have changed places. */
const MARGIN_NS = 10_000_000_000n;

function gapOf(seen: bigint, to: bigint): DockerEvent {
  const [from, time] = [seen, to].map((nano) => new Date(Number(nano / 1_000_000n)).toISOString());
  return {
    ...{ type: 'daemon', action: 'gap', id: '', name: '', time: time ?? '' },
    // The same for as long as it is the same gap.
    timeNano: String(seen + 1n),
    attributes: { from: from ?? '', to: time ?? '' },
  };
}

/** Hands on until it is taken care of, ever more rarely. */
async function delivered(
  current: { readonly engine: Engine },
  access: DockerAccess,
  watch: EventWatch,
  told: ToldEvent,
  task: Task,
): Promise<void> {
  const item = itemOf(told, await lastWords(current.engine, watch, told, task));
  // A loop is told again while it goes on; its count tells the tellings apart.
  const key = [access.host.target.name, keyOf(told.first), told.isLoop ? `loop ${told.count}` : keyOf(told.event)].join(
    '/',
  );
  for (let attempt = 0; ; attempt += 1) {
    try {
      await watch.deliver(item, key);
      return;
    } catch {
      const wait = Math.min(1_000 * 2 ** Math.min(attempt, 10), LONGEST_PAUSE_MS);
      await pause(wait, task.signal, `handing on an event of ${describeDocker(access)}`);
    }
  }
}

function itemOf({ event, count, isLoop, first, exitCodes }: ToldEvent, log: string | null): EventItem {
  const { name: action, detail } = splitAction(event.action);
  const { attributes } = event;
  return {
    type: event.type,
    action: isLoop ? 'restart_loop' : action,
    detail,
    id: event.id,
    name: event.name,
    project: attributes['com.docker.compose.project'] ?? null,
    service: attributes['com.docker.compose.service'] ?? null,
    image: attributes.image ?? null,
    time: event.time,
    firstTime: first.time,
    count,
    exitCodes,
    attributes,
    log,
  };
}

async function lastWords(engine: Engine, { logLines }: EventWatch, { event }: ToldEvent, task: Task) {
  const { name, detail } = splitAction(event.action);
  if (logLines === 0 || event.type !== 'container' || !WITH_LOG.includes(name) || detail === 'healthy') return null;
  try {
    return (await readLogs(engine, event.id, { tail: logLines, maxBytes: 64 * 1024 }, task)).text;
  } catch (error) {
    // It was removed, or the host is away just now: the event itself counts more.
    if (!isFailure(error) || task.signal.aborted) throw error;
    return null;
  }
}

/** Writes the cursor down after each delivery, and now and then while nothing but noise comes; never twice at once. */
function saver(ledger: Ledger, save: (cursor: Cursor) => Promise<void>) {
  const state = { busy: false, again: false, saved: performance.now(), upTo: ledger.cursor().upTo };
  const soon = () => {
    if (state.busy) {
      state.again = true;
      return;
    }
    state.busy = true;
    const next = ledger.cursor();
    save(next)
      .then(
        () => {
          state.upTo = next.upTo;
        },
        // The host is away; what is not written down is offered again with the same key.
        () => undefined,
      )
      .finally(() => {
        state.saved = performance.now();
        state.busy = false;
        if (state.again) {
          state.again = false;
          soon();
        }
      })
      .catch(() => undefined);
  };
  return {
    soon,
    sometimes: () => {
      if (performance.now() - state.saved > SAVE_EVERY_MS && ledger.cursor().upTo > state.upTo) soon();
    },
  };
}

/** By Docker's own clock. */
async function nowOf(engine: Engine, task: Task): Promise<bigint> {
  const { body } = await engine.request({ method: 'GET', path: path('/info') }, task);
  const time = Date.parse(textAt(body, 'SystemTime'));
  return BigInt(Number.isNaN(time) ? Date.now() : time) * 1_000_000n;
}

/** For trying a workflow out: the newest event that Docker remembers, or the next one. Nothing is written down. */
export async function readEvent(
  accesses: readonly DockerAccess[],
  { filter, logLines }: Pick<EventWatch, 'filter' | 'logLines'>,
  task: Task,
): Promise<{ readonly access: DockerAccess; readonly item: EventItem }> {
  const stop = new AbortController();
  const work = { ...task, signal: AbortSignal.any([task.signal, stop.signal]) };
  const watch = { filter, logLines } as EventWatch;
  const look = async (access: DockerAccess) => {
    const engine = await connectEngine(access, work);
    const told = (event: DockerEvent): ToldEvent => ({ event, count: 1, isLoop: false, first: event, exitCodes: [] });
    const now = await nowOf(engine, work);
    let newest: DockerEvent | undefined;
    const until = String(Number(now / 1_000_000_000n) + 1);
    for await (const event of events(engine, { since: '1', until }, work)) {
      if (isWanted(filter, event)) newest = event;
    }
    if (newest === undefined) {
      for await (const event of events(engine, { since: sinceOf(now) }, work)) {
        if (!isWanted(filter, event)) continue;
        newest = event;
        break;
      }
    }
    if (newest === undefined) throw new Error('The events ended without an event');
    return { access, item: itemOf(told(newest), await lastWords(engine, watch, told(newest), work)) };
  };
  try {
    return await Promise.any(accesses.map(look));
  } catch (error) {
    throw error instanceof AggregateError ? error.errors[0] : error;
  } finally {
    stop.abort();
  }
}
