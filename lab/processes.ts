import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { closeSync, createWriteStream, mkdirSync, openSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { Failure, messageOf } from '../lib/failure';
import { troubleOf } from './trouble';

export interface ServerOptions {
  /** As people know it: `n8n main`. */
  readonly name: string;
  readonly program: string;
  readonly arguments: readonly string[];
  readonly environment?: NodeJS.ProcessEnv;
  readonly folder?: string;
  readonly log: string;
  readonly user?: { readonly uid: number; readonly gid: number };
  /** What asks it to stop; PostgreSQL wants SIGINT for "now, but in order". */
  readonly stopSignal?: NodeJS.Signals;
  readonly stopWithin?: number;
}

/** A server that we started, with everything it started, in a process group of its own. */
export interface Server {
  readonly name: string;
  readonly pid: number;
  readonly log: string;
  /** Settles when it has ended, however that came. */
  readonly ended: Promise<void>;
  isRunning(): boolean;
  readLog(): string;
  stop(): Promise<void>;
  /** Pulls the plug: no chance to tidy up. */
  kill(): Promise<void>;
}

const running = new Set<Server>();

/** The last resort: whatever ends this process, no server of ours outlives it. */
process.on('exit', () => {
  for (const server of running) signalGroup(server.pid, 'SIGKILL');
});

export async function startServer(options: ServerOptions): Promise<Server> {
  mkdirSync(dirname(options.log), { recursive: true });
  const file = openSync(options.log, 'a');
  const spawnOptions: SpawnOptions = {
    cwd: options.folder,
    env: options.environment ?? process.env,
    // A group of its own: stopping it reaches its children, and Ctrl-C reaches it only through us.
    detached: true,
    stdio: ['ignore', file, file],
    ...(options.user === undefined ? {} : options.user),
  };
  const child = spawn(options.program, [...options.arguments], spawnOptions);
  closeSync(file);
  const pid = await startedPid(child, options);
  const server = watch(child, pid, options);
  running.add(server);
  void server.ended.then(() => running.delete(server));
  return server;
}

function startedPid(child: ChildProcess, { name, log }: ServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(troubleOf(`Starting ${name}`, messageOf(error), log)));
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
}

function watch(child: ChildProcess, pid: number, options: ServerOptions): Server {
  let alive = true;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      alive = false;
      // What it started must not outlive it either.
      signalGroup(pid, 'SIGKILL');
      resolve();
    });
  });
  const kill = async () => {
    signalGroup(pid, 'SIGKILL');
    await ended;
  };
  return {
    name: options.name,
    pid,
    log: options.log,
    ended,
    isRunning: () => alive,
    readLog: () => readFileSync(options.log, 'utf8'),
    kill,
    stop: async () => {
      if (!alive) return;
      signal(pid, options.stopSignal ?? 'SIGTERM');
      if (!(await within(ended, options.stopWithin ?? 15_000))) await kill();
    },
  };
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // Already gone, which is what was asked for.
  }
}

export function signalGroup(pid: number, name: NodeJS.Signals): void {
  if (pid > 1) signal(-pid, name);
}

async function within(promise: Promise<void>, milliseconds: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), milliseconds);
  });
  const result = await Promise.race([promise.then(() => true), late]);
  clearTimeout(timer);
  return result;
}

export interface Run {
  readonly exitCode: number | null;
  readonly output: string;
}

export interface RunOptions {
  readonly folder?: string;
  readonly environment?: NodeJS.ProcessEnv;
  readonly log?: string;
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly started?: (pid: number) => void;
  /** Hears its output as it comes. */
  readonly hear?: (text: string) => void;
}

/** How long what it left running may hold its output open after it has ended itself. */
const OUTPUT_AFTER_END_MS = 5_000;

/** Runs a program to its end. Its output goes to the log, and is kept for the sentence that explains a failure. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<Run> {
  const log = options.log ?? '/dev/null';
  if (options.log !== undefined) mkdirSync(dirname(log), { recursive: true });
  const copy = createWriteStream(log, { flags: 'a' });
  const child = spawn(program, [...args], {
    cwd: options.folder,
    env: options.environment ?? process.env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(options.user === undefined ? {} : options.user),
  });
  let output = '';
  const keep = (chunk: Buffer) => {
    copy.write(chunk);
    const text = chunk.toString('utf8');
    output = (output + text).slice(-200_000);
    options.hear?.(text);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const group: Server = {
    name: program,
    pid: child.pid ?? 0,
    log,
    ended: Promise.resolve(),
    isRunning: () => true,
    readLog: () => output,
    stop: () => {
      signalGroup(child.pid ?? 0, 'SIGTERM');
      return Promise.resolve();
    },
    kill: () => {
      signalGroup(child.pid ?? 0, 'SIGKILL');
      return Promise.resolve();
    },
  };
  running.add(group);
  if (child.pid !== undefined) options.started?.(child.pid);
  try {
    return await new Promise<Run>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (exitCode) => resolve({ exitCode, output }));
      child.once('exit', () => {
        const giveUp = setTimeout(() => {
          child.stdout.destroy();
          child.stderr.destroy();
        }, OUTPUT_AFTER_END_MS);
        child.once('close', () => clearTimeout(giveUp));
      });
    });
  } finally {
    running.delete(group);
    copy.end();
  }
}

/** The same, where anything but success ends the step. */
export async function mustRun(
  step: string,
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  let result: Run;
  try {
    result = await run(program, args, options);
  } catch (error) {
    throw troubleOf(step, messageOf(error), options.log);
  }
  if (result.exitCode !== 0) throw troubleOf(step, result.output, options.log);
  return result.output;
}

const stoppedLater: (() => Promise<void>)[] = [];

/** Something that is no process of ours but has to be stopped with them. */
export function alsoStop(stop: () => Promise<void>): void {
  stoppedLater.push(stop);
}

/** Stops everything that was started here, the last one first, when Ctrl-C or a SIGTERM comes. */
export async function stopAll(): Promise<void> {
  for (const server of [...running].reverse()) await server.stop();
  for (const stop of stoppedLater.splice(0).reverse()) await stop();
}

/** Waits until something is a fact, with a deadline, and gives up at once when the server has died. */
export async function waitFor<T>(
  what: string,
  look: () => Promise<T | undefined>,
  { within: milliseconds, every = 100, of }: { within: number; every?: number; of?: Server },
): Promise<T> {
  const deadline = Date.now() + milliseconds;
  for (;;) {
    const fact = await look();
    if (fact !== undefined) return fact;
    if (of !== undefined && !of.isRunning()) throw troubleOf(`${of.name} ended: ${what}`, of.readLog(), of.log);
    if (Date.now() > deadline) {
      throw new Failure({
        code: 'too_late',
        subject: what,
        message: `Waited ${Math.round(milliseconds / 1000)} s in vain: ${what}`,
        nextStep: of === undefined ? 'Look into the logs of the lab.' : `Read the log: ${of.log}`,
      });
    }
    await new Promise((resolve) => setTimeout(resolve, every));
  }
}
