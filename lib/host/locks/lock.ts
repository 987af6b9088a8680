import { setMaxListeners } from 'node:events';
import { Failure } from '../../failure';
import { isObject } from '../../json';
import { cancelled, pause, type Task } from '../../task';
import { fairGate, type FairGate } from '../fair-gate';
import { describeHost, type Host } from '../host';
import { startCommand, type RunningCommand } from '../start';
import { fileNameFor, runStateScript, STATE_FOLDER, unreadableRecord } from '../state-folder';
import { HOLD_LOCK, READ_LOCK } from './scripts';

export interface LockRequest {
  /** Who holds it, for those who wait: the execution, and what it is doing. */
  readonly owner: string;
  /** How long to wait for somebody else to free it. */
  readonly waitMs: number;
}

export interface HeldLock {
  readonly name: string;
  /** Grows with every holder. A step that carries an older one is refused (see stepUnderLock). */
  readonly epoch: number;
  /** Aborted as soon as the lock may no longer be ours. The host may know it a moment before us: hence the epoch. */
  readonly lost: AbortSignal;
  /** Frees it. May be called more than once. */
  readonly release: () => Promise<void>;
}

export interface LockHolder {
  readonly owner: string;
  readonly epoch: number;
  readonly since: Date;
}

export type LockState =
  | { readonly kind: 'free'; readonly epoch: number }
  | ({ readonly kind: 'held' } & LockHolder)
  /** Somebody has it and waits for a step of the holder before to end. */
  | { readonly kind: 'changing hands'; readonly epoch: number };

const BEAT_MS = 5_000;
/** The host frees the lock after 30 s of silence; we stop believing in it well before. */
const BELIEF_MS = 20_000;
const ANSWER_MS = 30_000;
const RELEASE_MS = 5_000;
const PAUSES_MS = { first: 50, longest: 1_000 };

// Every lock keeps a channel of the host's connection, and their holders need channels to work with.
const LOCKS_PER_HOST = 4;
const gates = new Map<string, FairGate>();

export async function acquireLock(host: Host, name: string, request: LockRequest, task: Task): Promise<HeldLock> {
  const deadline = performance.now() + request.waitMs;
  const leave = await enterGate(host, name, request, task);
  try {
    let told = '';
    for (let wait = PAUSES_MS.first; ; wait = Math.min(wait * 1.5, PAUSES_MS.longest)) {
      const outcome = await attempt(host, name, request, task);
      if ('held' in outcome) return keep(name, outcome.held, outcome.epoch, leave);
      const holder = `lock ${name} on ${describeHost(host)} is held by ${outcome.busy}`;
      if (holder !== told) task.progress({ message: `Waiting: ${holder}` });
      told = holder;
      // No channel is kept while waiting: the holder may need it.
      const left = deadline - performance.now();
      if (left <= 0) throw busy(host, name, outcome.busy, request.waitMs);
      await pause(Math.min(wait, left), task.signal, `the waiting for lock ${name}`);
    }
  } catch (error) {
    leave();
    throw error;
  }
}

/** Does the work while holding the lock; a lock that is lost meanwhile stops it. */
export async function withLock<T>(
  host: Host,
  name: string,
  request: LockRequest,
  task: Task,
  work: (lock: HeldLock, task: Task) => Promise<T>,
): Promise<T> {
  const lock = await acquireLock(host, name, request, task);
  const signal = AbortSignal.any([task.signal, lock.lost]);
  setMaxListeners(0, signal);
  try {
    return await work(lock, { ...task, signal });
  } catch (error) {
    throw lock.lost.aborted && !task.signal.aborted ? lost(host, name, error) : error;
  } finally {
    await lock.release();
  }
}

export async function readLock(host: Host, name: string, task: Task): Promise<LockState> {
  const { stdout } = await runStateScript(host, { script: READ_LOCK, arguments: [fileNameFor(name)] }, task);
  const [, word, epoch] = /^(free|changing) (\d+)$/m.exec(stdout) ?? [];
  if (word !== undefined) return { kind: word === 'free' ? 'free' : 'changing hands', epoch: Number(epoch) };
  const holder = parseHolder(stdout.replace(/^held /, '').trim());
  if (holder === undefined) throw unreadableRecord(host, `the holder of lock ${name}`);
  return { kind: 'held', ...holder };
}

async function enterGate(host: Host, name: string, { waitMs }: LockRequest, task: Task): Promise<() => void> {
  const { user } = host.identity;
  const { address, port } = host.target;
  const key = `${user}@${address}:${port}`;
  const gate = gates.get(key) ?? fairGate(LOCKS_PER_HOST, describeHost(host));
  gates.set(key, gate);
  const signal = AbortSignal.any([task.signal, AbortSignal.timeout(Math.max(waitMs, 1))]);
  try {
    return await gate.enter(task.owner, signal);
  } catch (error) {
    if (task.signal.aborted) throw error;
    throw busy(host, name, `${LOCKS_PER_HOST} other locks that this n8n holds on the host`, waitMs);
  }
}

type Attempt = { readonly held: Lines; readonly epoch: number } | { readonly busy: string };

async function attempt(host: Host, name: string, { owner }: LockRequest, task: Task): Promise<Attempt> {
  const command = { script: STATE_FOLDER + HOLD_LOCK, arguments: [fileNameFor(name), '0'] };
  const lines = readLines(await startCommand(host, command, task));
  try {
    lines.running.stdin.write(`${JSON.stringify({ name, owner })}\n`);
    const answer = await lines.next(ANSWER_MS, task.signal);
    const [word, ...rest] = answer?.split(' ') ?? [];
    if (word === 'held' && /^\d+$/.test(rest.join(' '))) return { held: lines, epoch: Number(rest[0]) };
    lines.close();
    if (word === 'busy') {
      const holder = parseHolder(rest.join(' '));
      return { busy: holder === undefined ? rest.join(' ') || 'somebody else' : describeHolder(holder) };
    }
    if (task.signal.aborted) throw cancelled(`the waiting for lock ${name}`);
    throw new Failure({
      code: 'lock_failed',
      subject: `lock ${name} on ${describeHost(host)}`,
      message: `${describeHost(host)} could not take lock ${name}: ${lines.complaint() || 'it did not answer'}`,
      nextStep: 'Look at the state folder on that host (/var/lib/selfhost for root): its disk, its owner, its locks.',
    });
  } catch (error) {
    lines.close();
    throw error;
  }
}

function keep(name: string, lines: Lines, epoch: number, leave: () => void): HeldLock {
  const gone = new AbortController();
  setMaxListeners(0, gone.signal);
  let released: Promise<void> | undefined;
  // What counts is when a heartbeat was sent that the host is known to have seen.
  let believedFrom = performance.now();
  const sent: number[] = [];
  const lose = () => {
    clearInterval(timer);
    if (released !== undefined || gone.signal.aborted) return;
    gone.abort();
    lines.close();
    leave();
  };
  const timer = setInterval(() => {
    if (performance.now() - believedFrom > BELIEF_MS) {
      lose();
      return;
    }
    sent.push(performance.now());
    lines.running.stdin.write('beat\n');
  }, BEAT_MS);
  timer.unref();
  lines.onLine((line) => {
    if (line === 'beat') believedFrom = sent.shift() ?? believedFrom;
  });
  lines.running.exit.then(lose, lose);
  return {
    name,
    epoch,
    lost: gone.signal,
    release: () => {
      if (gone.signal.aborted) return Promise.resolve();
      released ??= (async () => {
        clearInterval(timer);
        lines.running.stdin.end('release\n');
        await Promise.race([
          lines.running.exit.catch(() => undefined),
          new Promise((resolve) => setTimeout(resolve, RELEASE_MS).unref()),
        ]);
        lines.close();
        leave();
      })();
      return released;
    },
  };
}

/** Reads what a long-lived script says, line by line. */
interface Lines {
  readonly running: RunningCommand;
  next(patienceMs: number, signal: AbortSignal): Promise<string | undefined>;
  onLine(listener: (line: string) => void): void;
  complaint(): string;
  close(): void;
}

function readLines(running: RunningCommand): Lines {
  const waiting: string[] = [];
  let listener: (line: string) => void = (line) => {
    waiting.push(line);
  };
  let rest = '';
  let complained = '';
  let ended = false;
  let wake: () => void = () => undefined;
  running.stdout.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) listener(line);
    wake();
  });
  running.stderr.on('data', (chunk: Buffer) => {
    complained = (complained + chunk.toString()).slice(-2_000);
  });
  void running.closed.then(() => {
    ended = true;
    wake();
  });
  running.stdout.resume();
  running.stderr.resume();
  return {
    running,
    async next(patienceMs, signal) {
      const end = performance.now() + patienceMs;
      while (waiting.length === 0 && !ended && !signal.aborted && performance.now() < end) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.max(1, end - performance.now()));
          wake = () => {
            clearTimeout(timer);
            signal.removeEventListener('abort', wake);
            resolve();
          };
          signal.addEventListener('abort', wake, { once: true });
        });
      }
      return waiting.shift();
    },
    onLine(next) {
      listener = next;
    },
    complaint: () => complained.replace(/^selfhost: /, '').trim(),
    close: () => {
      // Its end of input is what makes the script end and free the lock.
      running.stdin.end();
      running.release();
    },
  };
}

function parseHolder(text: string): LockHolder | undefined {
  const [, epoch, since, record] = /^(\d+) (\d+) (\{.*\})$/.exec(text) ?? [];
  if (record === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(record);
    if (!isObject(value) || typeof value.owner !== 'string') return undefined;
    return { owner: value.owner, epoch: Number(epoch), since: new Date(Number(since)) };
  } catch {
    return undefined;
  }
}

function describeHolder({ owner, since }: LockHolder): string {
  return `${owner} since ${since.toISOString()}`;
}

function busy(host: Host, name: string, holder: string, waitMs: number): Failure {
  return new Failure({
    code: 'lock_busy',
    subject: `lock ${name} on ${describeHost(host)}`,
    message: `Lock ${name} on ${describeHost(host)} was not free within ${waitMs / 1000} s: it is held by ${holder}`,
    nextStep: 'Wait until that has ended, or stop it. A lock whose holder has died frees itself within 30 s.',
  });
}

function lost(host: Host, name: string, cause: unknown): Failure {
  return new Failure({
    code: 'lock_lost',
    subject: `lock ${name} on ${describeHost(host)}`,
    message: `Lock ${name} on ${describeHost(host)} was lost while it was needed; the work was stopped`,
    nextStep: 'Check what had been done, and that the host is reachable; then run it again.',
    cause,
  });
}
