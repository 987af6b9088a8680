import { randomUUID } from 'node:crypto';
import { Failure, isFailure, messageOf } from '../failure';
import type { StateStore } from '../state/store';
import { pause, type Task } from '../task';
import { canonicalJson } from '../canonical-json';
import { addRound, gather, type Gathering } from './history';
import { newsOf, type News, type Told } from './news';
import { readRecord, readSeen, writeRecord, writeSeen, type Batch, type Kept, type Seen } from './record';
import type { Standing } from './standing';
import type { Target } from './target';
import { watchChecks, type Check } from './watch';

export interface Heartbeat {
  readonly watch: string;
  readonly at: string;
  readonly targets: number;
  /** Rounds since the last heartbeat. */
  readonly rounds: number;
  readonly wrong: number;
}

export interface WatcherSettings {
  /** The name under which the watch is remembered. */
  readonly name: string;
  readonly targets: readonly Target[];
  readonly checks: readonly Check[];
  readonly store: StateStore;
  readonly concurrency: number;
  /** Starts one execution and says at its end how it went. Fails when none could be started. */
  readonly deliver: (batch: Batch) => Promise<'ended well' | 'failed'>;
  readonly heartbeat?: { readonly everyMs: number; readonly beat: (heartbeat: Heartbeat) => void };
  /** How long until what failed is tried again, at first. Default 5 s. */
  readonly againMs?: number;
  /** What is in the way, and undefined when it is gone. */
  readonly onTrouble: (failure: Failure | Error | undefined) => void;
}

/** A change is told this long after it was seen at the latest, also when the state does not answer. */
const WRITE_FIRST_MS = 500;
const AGAIN_MS = 5_000;
const LONGEST_AGAIN_MS = 300_000;
/** A workflow that fails and fails is not started for ever with the same news. */
const MOST_ATTEMPTS = 8;
const SHOW_EVERY_MS = 60_000;
const SHOW_AFTER_CHANGE_MS = 1_000;

/**
 * Watches until the task is stopped, and remembers: what is believed is written down with the news of it before the
 * news is handed on, so that a restart neither forgets an outage nor tells it twice.
 */
export async function runWatch(settings: WatcherSettings, task: Task): Promise<void> {
  const { name, targets, checks, store, deliver, heartbeat, againMs = AGAIN_MS, onTrouble } = settings;
  const record = await untilIn(() => readRecord(store, name), onTrouble, task);
  if (record === undefined) return;
  const byName = new Map(targets.map((target) => [target.name, target]));
  const standings = new Map<string, Kept>();
  // Whatever execution had it last is dead, and may have died before it did anything.
  const waiting: Batch[] = record.waiting.map((batch) => ({ ...batch, attempt: batch.attempt + 1 }));
  const fresh: News[] = takenBack(record.standings, byName, standings, Date.now());
  const gatherings = await untilIn(() => gatheringsOf(store, name), onTrouble, task);
  if (gatherings === undefined) return;
  let rounds = 0;

  const keep = oneAtATime(
    () => writeRecord(store, name, { standings: Object.fromEntries(standings), waiting }),
    onTrouble,
  );
  const show = oneAtATime(
    () => writeSeen(store, name, { at: Date.now(), targets: seenOf(targets, standings, gatherings) }),
    onTrouble,
  );

  const handOn = async (first: Batch) => {
    let batch = first;
    for (let pauses = 0; !task.signal.aborted; pauses += 1) {
      try {
        const outcome = await deliver(batch);
        if (outcome === 'failed') onTrouble(executionFailed(batch));
        const over = outcome === 'ended well' || batch.attempt >= MOST_ATTEMPTS;
        const next = over ? undefined : { ...batch, attempt: batch.attempt + 1 };
        waiting.splice(waiting.indexOf(batch), 1, ...(next === undefined ? [] : [next]));
        void keep();
        if (next === undefined) return;
        batch = next;
      } catch (error) {
        onTrouble(error instanceof Error ? error : new Error(messageOf(error)));
      }
      const wait = Math.min(againMs * 2 ** pauses, LONGEST_AGAIN_MS);
      await pause(wait, task.signal, 'news').catch(() => undefined);
    }
  };
  const flush = async () => {
    if (fresh.length === 0) return;
    const batch = { id: randomUUID(), attempt: 1, news: fresh.splice(0) };
    waiting.push(batch);
    await Promise.race([keep(), patience(WRITE_FIRST_MS)]);
    void handOn(batch);
  };
  let flushing = false;
  // What changes in the same moment is told together.
  const tell = () => {
    if (flushing) return;
    flushing = true;
    setImmediate(() => {
      void flush().finally(() => {
        flushing = false;
        if (fresh.length > 0) tell();
      });
    });
    later.refresh();
  };
  const later = setTimeout(() => void show(), SHOW_AFTER_CHANGE_MS);
  const timers = [
    later,
    setInterval(() => void show(), SHOW_EVERY_MS),
    ...(heartbeat === undefined ? [] : [setInterval(() => beat(heartbeat.beat), heartbeat.everyMs)]),
  ];
  // Rounds that do not come are no life, whatever the process still does.
  const beat = (say: (heartbeat: Heartbeat) => void) => {
    if (rounds === 0) return;
    const wrong = [...standings.values()].filter(({ status }) => status !== undefined && status !== 'ok').length;
    say({ watch: name, at: new Date().toISOString(), targets: targets.length, rounds, wrong });
    rounds = 0;
  };

  if (waiting.length > 0) await Promise.race([keep(), patience(WRITE_FIRST_MS)]);
  for (const batch of [...waiting]) void handOn(batch);
  if (fresh.length > 0) tell();
  await watchChecks(
    checks,
    {
      concurrency: settings.concurrency,
      remembered: new Map([...standings].map(([id, kept]) => [id, standingOf(kept)])),
      onTransition: ({ id }, transition) => {
        const target = byName.get(id);
        if (target === undefined) return;
        const { begunAt = transition.at } = standings.get(id) ?? {};
        standings.set(id, { begunAt, status: transition.to, told: toldOf(target) });
        // That something new is well is no news.
        if (transition.from !== undefined || transition.to !== 'ok') fresh.push(newsOf(target, transition));
        tell();
      },
      onRound: ({ id, intervalMs }, standing, sights) => {
        rounds += 1;
        const gathering = gatherings.get(id) ?? gather(undefined);
        gatherings.set(id, gathering);
        addRound(gathering, standing, sights, intervalMs, Date.now());
        if (!standings.has(id)) standings.set(id, { begunAt: standing.begunAt });
      },
    },
    task,
  );
  for (const timer of timers) clearTimeout(timer);
  await Promise.race([Promise.all([keep(), show()]), patience(WRITE_FIRST_MS)]);
}

/**
 * What was believed before the restart goes on. What is watched no more, or under other labels, is taken back where it
 * was told as wrong: nobody else would.
 */
function takenBack(
  before: Readonly<Record<string, Kept>>,
  targets: ReadonlyMap<string, Target>,
  standings: Map<string, Kept>,
  now: number,
): News[] {
  return Object.entries(before).flatMap(([name, kept]) => {
    const target = targets.get(name);
    const same =
      target !== undefined &&
      (kept.told === undefined || canonicalJson(toldOf(target).labels) === canonicalJson(kept.told.labels));
    if (same) standings.set(name, kept);
    if (same || kept.told === undefined || kept.status === undefined || kept.status === 'ok') return [];
    const finding = { outcome: 'ok', says: 'it is not watched any more', latencyMs: 0 } as const;
    return [newsOf(kept.told, { from: kept.status, to: 'ok', sights: [{ vantage: 'n8n', finding }], at: now })];
  });
}

function executionFailed({ attempt, news }: Batch): Failure {
  const names = news.slice(0, 3).map(({ target }) => target);
  const what = `${names.join(', ')}${news.length > names.length ? ' and others' : ''}`;
  const last = attempt >= MOST_ATTEMPTS;
  return new Failure({
    code: 'watch_execution_failed',
    subject: what,
    message: `The execution with the news of ${what} failed${last ? `, ${attempt} times` : ' and is started again'}`,
    nextStep: 'Look at the failed execution and mend the workflow.',
  });
}

function toldOf({ name, kind, labels, severity, problem }: Target): Told {
  return { name, kind, labels, severity, ...(problem !== undefined && { problem }) };
}

function standingOf({ status, begunAt }: Kept): Standing {
  return { status, begunAt, rounds: [] };
}

async function gatheringsOf(store: StateStore, name: string): Promise<Map<string, Gathering>> {
  const seen = await readSeen(store, name);
  return new Map((seen?.targets ?? []).map(({ name: target, history }) => [target, gather(history)]));
}

function seenOf(
  targets: readonly Target[],
  standings: ReadonlyMap<string, Kept>,
  gatherings: ReadonlyMap<string, Gathering>,
): readonly Seen[] {
  return targets.map(({ name, labels, severity }) => {
    const history = gatherings.get(name)?.history;
    return {
      ...{ name, labels, severity, status: standings.get(name)?.status ?? 'unknown' },
      group: labels['group'] ?? labels['host'] ?? '',
      ...(history !== undefined && { history }),
    };
  });
}

/** Without what it remembers a watch would tell everything anew, so it waits until it can be read. */
async function untilIn<Value>(
  read: () => Promise<Value>,
  onTrouble: WatcherSettings['onTrouble'],
  task: Task,
): Promise<Value | undefined> {
  for (let failed = false; ; failed = true) {
    try {
      const value = await read();
      if (failed) onTrouble(undefined);
      return value;
    } catch (error) {
      if (task.signal.aborted) return undefined;
      // What cannot be read will not be read the next time either.
      if (isFailure(error, 'watch_state_unreadable')) throw error;
      onTrouble(error instanceof Error ? error : new Error(messageOf(error)));
      await pause(AGAIN_MS, task.signal, 'state').catch(() => undefined);
    }
  }
}

/** Runs the work now, or once more after the run that is under way. Settles when a run that began after the call is over. */
function oneAtATime(work: () => Promise<void>, onTrouble: WatcherSettings['onTrouble']): () => Promise<void> {
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;
  let failed = false;
  const start = async () => {
    try {
      await work();
      if (failed) onTrouble(undefined);
      failed = false;
    } catch (error) {
      if (!failed) onTrouble(error instanceof Error ? error : new Error(messageOf(error)));
      failed = true;
    }
  };
  const run = (): Promise<void> => {
    running = start().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return run();
    next ??= running.then(() => {
      next = undefined;
      return run();
    });
    return next;
  };
}

function patience(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
