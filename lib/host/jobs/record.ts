import { Failure } from '../../failure';
import { isObject, parseJson } from '../../json';
import { describeHost, type Host } from '../host';
import { unreadableRecord } from '../state-folder';

/** How a command ended. */
export type Exit = { readonly exitCode: number } | { readonly signal: string };

export type JobState =
  | { readonly kind: 'running' }
  | { readonly kind: 'finished'; readonly exit: Exit; readonly endedAt: Date }
  | {
      readonly kind: 'cancelled';
      readonly by: string;
      readonly cancelledAt: Date;
      readonly exit: Exit;
      readonly endedAt: Date;
    }
  | { readonly kind: 'lost'; readonly why: 'runner killed'; readonly stillRunning: boolean }
  | { readonly kind: 'lost'; readonly why: 'host rebooted' }
  /** The start broke off before the command began: nothing was done. */
  | { readonly kind: 'lost'; readonly why: 'never started' };

export type JobCommandShown =
  | { readonly argv: readonly string[] }
  | { readonly script: string; readonly sha256: string; readonly arguments: readonly string[] };

/** What is written down of a run when it is started. Its format has a version; a newer one is refused. */
export interface Journal {
  readonly version: 1;
  readonly name: string;
  readonly intent: string;
  readonly owner: string;
  readonly command: JobCommandShown;
  readonly runAs: string;
}

export interface Job {
  readonly id: string;
  /** Tells this run from others of the same job; runs of one job sort by it. */
  readonly run: string;
  readonly name: string;
  readonly intent: string;
  readonly owner: string;
  readonly command: JobCommandShown;
  readonly runAs: string;
  readonly state: JobState;
  /** Absent while it is just being started, and when it never was. */
  readonly startedAt?: Date;
  /** True sizes of what it has written so far, also where not all of it was kept. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
}

const ID = /^[a-z0-9][a-z0-9-]{0,63}$/;
const RUN = /^\d{8}T\d{6}Z-[0-9a-f]{12}$/;

export function checkId(id: string): string {
  if (ID.test(id)) return id;
  throw new Failure({
    code: 'job_id_invalid',
    subject: `job ${JSON.stringify(id)}`,
    message: `${JSON.stringify(id)} is not the id of a job`,
    nextStep: 'Use the id that starting or listing jobs has returned.',
  });
}

export function checkRun(run: string): string {
  if (RUN.test(run)) return run;
  throw new Failure({
    code: 'job_run_invalid',
    subject: `run ${JSON.stringify(run)}`,
    message: `${JSON.stringify(run)} is not the run of a job`,
    nextStep: 'Use the run that starting or listing jobs has returned.',
  });
}

export function jobMissing(host: Host, id: string, run?: string): Failure {
  return new Failure({
    code: 'job_missing',
    subject: `job ${id} on ${describeHost(host)}`,
    message: `${describeHost(host)} knows no job ${id}${run === undefined ? '' : ` with a run ${run}`}`,
    nextStep: 'List its jobs. It may have been cleaned up, or started as another user or on another host.',
  });
}

/** Reads the records that the scripts tell, each from `run` to `end`. Other lines are not its business. */
export function parseJobs(host: Host, answer: string): Job[] {
  const jobs: Job[] = [];
  let facts: string[][] | undefined;
  for (const line of answer.split('\n')) {
    const [key = '', ...rest] = line.split(' ');
    if (key === 'run') facts = [];
    facts?.push([key, ...rest]);
    if (key === 'end' && facts !== undefined) {
      jobs.push(parseJob(host, facts));
      facts = undefined;
    }
  }
  if (facts !== undefined) throw unreadableRecord(host, 'a job record broke off');
  return jobs;
}

function parseJob(host: Host, facts: readonly string[][]): Job {
  const fact = (key: string) => facts.find(([name]) => name === key)?.slice(1);
  const [id = '', run = ''] = fact('run') ?? [];
  const where = `job ${id}, run ${run}`;
  const journal = parseJournal(host, where, (fact('journal') ?? []).join(' '));
  const started = fact('started');
  const limit = count(host, where, fact('limit')?.[0]);
  const [stdoutBytes = 0, stderrBytes = 0] = facts
    .filter(([key]) => key === 'pieces')
    .map(([, number, size]) => count(host, where, number) * (limit / 16) + count(host, where, size));
  const { version: _, ...described } = journal;
  return {
    id,
    run,
    ...described,
    state: parseState(host, where, fact),
    ...(started !== undefined && { startedAt: new Date(count(host, where, started[0])) }),
    stdoutBytes,
    stderrBytes,
  };
}

function parseState(host: Host, where: string, fact: (key: string) => string[] | undefined): JobState {
  const [verdict, why, alive] = fact('state') ?? [];
  if (verdict === 'running') return { kind: 'running' };
  if (verdict === 'lost') {
    return why === 'rebooted'
      ? { kind: 'lost', why: 'host rebooted' }
      : { kind: 'lost', why: 'runner killed', stillRunning: alive === 'yes' };
  }
  const [outcome, ended, how, value = ''] = fact('exit') ?? [];
  if (outcome === 'never') return { kind: 'lost', why: 'never started' };
  const endedAt = new Date(count(host, where, ended));
  const exit: Exit = how === 'signal' ? { signal: `SIG${value}` } : { exitCode: count(host, where, value) };
  if (outcome === 'finished') return { kind: 'finished', exit, endedAt };
  if (outcome !== 'cancelled') throw unreadableRecord(host, `the exit of ${where}`);
  const cancel = parseObject(host, where, (fact('cancel') ?? []).join(' '));
  return {
    kind: 'cancelled',
    by: typeof cancel.by === 'string' ? cancel.by : 'unknown',
    cancelledAt: new Date(typeof cancel.at === 'number' ? cancel.at : endedAt),
    exit,
    endedAt,
  };
}

function parseJournal(host: Host, where: string, text: string): Journal {
  const { version, name, intent, owner, runAs, command } = parseObject(host, where, text);
  if (version !== 1) throw unreadableRecord(host, `the journal of ${where} has version ${JSON.stringify(version)}`);
  if (
    typeof name !== 'string' ||
    typeof intent !== 'string' ||
    typeof owner !== 'string' ||
    typeof runAs !== 'string' ||
    !isObject(command)
  ) {
    throw unreadableRecord(host, `the journal of ${where}`);
  }
  return { version, name, intent, owner, runAs, command: parseCommand(host, where, command) };
}

function parseCommand(host: Host, where: string, command: Record<string, unknown>): JobCommandShown {
  const { argv, script, sha256, arguments: list } = command;
  if (isStrings(argv)) return { argv };
  if (typeof script === 'string' && typeof sha256 === 'string' && isStrings(list))
    return { script, sha256, arguments: list };
  throw unreadableRecord(host, `the command of ${where}`);
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function parseObject(host: Host, where: string, text: string): Record<string, unknown> {
  const value = parseJson(text);
  if (!isObject(value)) throw unreadableRecord(host, `the record of ${where}`);
  return value;
}

function count(host: Host, where: string, text: string | undefined): number {
  if (text === undefined || !/^\d{1,16}$/.test(text)) throw unreadableRecord(host, `a number of ${where}`);
  return Number(text);
}
