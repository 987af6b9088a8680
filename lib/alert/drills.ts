import { Failure } from '../failure';
import { isObject, jsonOf, type Json } from '../json';
import type { StateStore } from '../state/store';

/** One time that something was practised. */
export interface DrillRun {
  readonly at: number;
  readonly ok: boolean;
  readonly seconds: number;
  /** What came of it, for people. */
  readonly sentence: string;
}

export interface WantedDrill {
  readonly name: string;
  readonly everyDays: number;
}

/** A drill as it stands now. */
export interface DrillView extends WantedDrill {
  readonly last: DrillRun | null;
  readonly lastGoodAt: number | null;
  readonly dueAt: number;
  readonly due: boolean;
  /** It has not succeeded for so long that somebody should know. */
  readonly overdue: boolean;
  /** Oldest first. */
  readonly runs: readonly DrillRun[];
}

interface Kept {
  /** Null: no calendar wants it. */
  readonly everyDays: number | null;
  /** Since when it is wanted: a drill that was never done is overdue some time after that. */
  readonly since: number;
  readonly runs: readonly DrillRun[];
  /** Somebody is at it since then. */
  readonly begunAt?: number;
}

type Book = Readonly<Record<string, Kept>>;

const SCHEMA = 1;
const DAY = 86_400_000;
const KEPT_RUNS = 24;
const SENTENCE = 500;
/** Whoever has begun one and has not ended it by then was killed. */
const LONGEST = DAY / 4;
/** Whoever looks once a day, at about the same time, must not find it a minute too early each time. */
const EARLY = DAY / 2;

/** Takes a drill that is due for whoever asks first; everybody else is told that it is not theirs. */
export async function beginDrill(
  store: StateStore,
  estate: string,
  name: string,
  clock: () => number = Date.now,
): Promise<{ readonly begun: boolean; readonly view: DrillView }> {
  const now = clock();
  let begun = false;
  const book = await change(store, estate, (before) => {
    const kept = before[name] ?? { everyDays: null, since: now, runs: [] };
    begun = viewOf(name, kept, now).due;
    return begun ? { ...before, [name]: { ...kept, begunAt: now } } : before;
  });
  return { begun, view: viewOf(name, book[name] ?? { everyDays: null, since: now, runs: [] }, now) };
}

/** Writes down that a drill was done, and what came of it. */
export async function recordDrill(
  store: StateStore,
  estate: string,
  name: string,
  run: Omit<DrillRun, 'at'>,
  clock: () => number = Date.now,
): Promise<DrillView> {
  const now = clock();
  const book = await change(store, estate, (before) => {
    const { everyDays, since, runs } = before[name] ?? { everyDays: null, since: now, runs: [] };
    const done = { ...run, at: now, sentence: run.sentence.slice(0, SENTENCE) };
    return { ...before, [name]: { everyDays, since, runs: [...runs, done].slice(-KEPT_RUNS) } };
  });
  return viewOf(name, book[name] ?? { everyDays: null, since: now, runs: [] }, now);
}

/** From now on these are wanted, and tells how each of them stands. What is wanted no more keeps its times. */
export async function planDrills(
  store: StateStore,
  estate: string,
  wanted: readonly WantedDrill[],
  clock: () => number = Date.now,
): Promise<readonly DrillView[]> {
  const now = clock();
  const book = await change(store, estate, (before) => {
    const forgotten = Object.entries(before).map(([name, kept]) => [name, { ...kept, everyDays: null }] as const);
    const kept = wanted.map(({ name, everyDays }) => {
      const known = before[name];
      const since = known === undefined || known.everyDays === null ? now : known.since;
      return [name, { ...known, everyDays, since, runs: known?.runs ?? [] }] as const;
    });
    return Object.fromEntries<Kept>([...forgotten, ...kept]);
  });
  return wanted.flatMap(({ name }) => {
    const kept = book[name];
    return kept === undefined ? [] : [viewOf(name, kept, now)];
  });
}

/** Every drill that is wanted or was done; nothing is changed. */
export async function readDrills(
  store: StateStore,
  estate: string,
  clock: () => number = Date.now,
): Promise<readonly DrillView[]> {
  const entry = await store.read(keyOf(estate));
  const now = clock();
  return Object.entries(unpack(entry?.value, estate))
    .map(([name, kept]) => viewOf(name, kept, now))
    .sort((one, other) => one.name.localeCompare(other.name, 'en'));
}

function viewOf(name: string, { everyDays, since, runs, begunAt }: Kept, now: number): DrillView {
  const last = runs.at(-1) ?? null;
  const lastGoodAt = runs.findLast(({ ok }) => ok)?.at ?? null;
  const every = (everyDays ?? 0) * DAY;
  // One that failed is tried again on the next day.
  const dueAt = last === null ? since : last.at + (last.ok ? every : Math.min(every, DAY));
  const patience = every + Math.max(2 * DAY, every / 4);
  const wanted = everyDays !== null;
  const underWay = begunAt !== undefined && now < begunAt + LONGEST;
  return {
    ...{ name, everyDays: everyDays ?? 0, last, lastGoodAt, dueAt, runs },
    due: wanted && !underWay && now >= dueAt - Math.min(EARLY, every / 2),
    overdue: wanted && now > Math.max(lastGoodAt ?? 0, since) + patience,
  };
}

async function change(store: StateStore, estate: string, work: (book: Book) => Book): Promise<Book> {
  const value = await store.update(keyOf(estate), (before) => {
    const drills = work(unpack(before, estate));
    return jsonOf({ schema: SCHEMA, drills });
  });
  return unpack(value, estate);
}

function keyOf(estate: string): string {
  return `drills/${estate}`;
}

function unpack(value: Json | undefined, estate: string): Book {
  if (value === undefined) return {};
  const drills = isObject(value) && value['schema'] === SCHEMA ? value['drills'] : undefined;
  const kept = isObject(drills) ? Object.entries(drills).map(([name, one]) => [name, parseKept(one)] as const) : [];
  const book = kept.flatMap(([name, one]) => (one === undefined ? [] : [[name, one] as const]));
  if (isObject(drills) && book.length === kept.length) return Object.fromEntries<Kept>(book);
  throw new Failure({
    code: 'drills_unreadable',
    subject: `drills of ${estate}`,
    message: `The drills that are kept of ${estate} cannot be read: they are of a newer version, or damaged`,
    nextStep: `Bring this n8n-nodes-selfhost up to date; when it is, remove the entry ${keyOf(estate)} of the state.`,
  });
}

function parseKept(value: unknown): Kept | undefined {
  const { everyDays, since, runs, begunAt } = isObject(value) ? value : {};
  if (typeof since !== 'number' || !Array.isArray(runs)) return undefined;
  if (typeof everyDays !== 'number' && everyDays !== null) return undefined;
  const all = runs.map(parseRun);
  if (!all.every((one) => one !== undefined)) return undefined;
  return { everyDays, since, runs: all, ...(typeof begunAt === 'number' && { begunAt }) };
}

function parseRun(value: unknown): DrillRun | undefined {
  const { at, ok, seconds, sentence } = isObject(value) ? value : {};
  if (typeof at !== 'number' || typeof ok !== 'boolean') return undefined;
  if (typeof seconds !== 'number' || typeof sentence !== 'string') return undefined;
  return { at, ok, seconds, sentence };
}
