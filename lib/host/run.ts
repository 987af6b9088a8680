import { finished, Readable } from 'node:stream';
import { Failure, isFailure, messageOf } from '../failure';
import { cancelled, type Task } from '../task';
import type { Command, CommandResult, RunOptions } from './command';
import { describeHost, type Host } from './host';
import { keepOutput } from './kept-output';
import { startCommand, type RunningCommand } from './start';
import { endProcessGroup, type KillOutcome } from './process-group';

const DEFAULT_TIMEOUT_MS = 120_000;
const DEFAULT_OUTPUT_BYTES = 1024 * 1024;
const ERROR_OUTPUT = 4_096;
/** A child that a command left behind keeps its output open; this long after exit and last word nobody waits for more. */
const QUIET_AFTER_EXIT_MS = 2_000;

/** Runs a command to its end. Anything but an accepted exit code is a Failure. */
export async function runCommand(
  host: Host,
  command: Command,
  options: RunOptions,
  task: Task,
): Promise<CommandResult> {
  const started = performance.now();
  const limit = options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES;
  const deadline = deadlineOf(options.timeoutMs ?? DEFAULT_TIMEOUT_MS, task.signal);
  const broken = breakOf(host, command.input);
  try {
    const running = await startCommand(host, command, { ...task, signal: deadline.signal }).catch((error: unknown) => {
      throw deadline.expired() && isFailure(error, 'cancelled') ? timedOut(host, options, undefined) : error;
    });
    const kept = { stdout: keepOutput(limit), stderr: keepOutput(limit) };
    for (const name of ['stdout', 'stderr'] as const) {
      running[name].on('data', (chunk: Buffer) => {
        kept[name].add(chunk);
        options.onOutput?.(name, chunk);
      });
      running[name].resume();
    }
    feed(running, command.input);
    const exit = await Promise.race([ended(running), broken, stopped(deadline.signal)]).catch(
      async (error: unknown) => {
        if (isFailure(error, 'input_broken')) await endProcessGroup(host, running, command.runAs, task.owner);
        running.release();
        throw error;
      },
    );
    if (exit === 'stopped') {
      const outcome = await endProcessGroup(host, running, command.runAs, task.owner);
      running.release();
      throw deadline.expired() ? timedOut(host, options, outcome) : stoppedFailure(host, outcome);
    }
    const result: CommandResult = {
      stdout: kept.stdout.text(),
      stderr: kept.stderr.text(),
      stdoutBytes: kept.stdout.bytes,
      stderrBytes: kept.stderr.bytes,
      truncated: kept.stdout.truncated || kept.stderr.truncated || !exit.outputEnded,
      exitCode: exit.code ?? -1,
      durationMs: Math.round(performance.now() - started),
    };
    if (exit.code === null || !(options.acceptExitCodes ?? [0]).includes(exit.code)) {
      throw commandFailed(host, command, result, exit.signal);
    }
    return result;
  } finally {
    deadline.clear();
  }
}

interface Exit {
  readonly code: number | null;
  readonly signal: string | null;
}

/** Resolves when the command has exited and its output has ended, or has gone quiet because a child still holds it. */
async function ended(running: RunningCommand): Promise<Exit & { readonly outputEnded: boolean }> {
  const exit = await running.exit;
  const outputEnded = await new Promise<boolean>((resolve) => {
    let quiet: NodeJS.Timeout;
    const wait = () => {
      clearTimeout(quiet);
      quiet = setTimeout(resolve, QUIET_AFTER_EXIT_MS, false);
    };
    wait();
    running.stdout.on('data', wait);
    running.stderr.on('data', wait);
    void running.closed.then(() => {
      clearTimeout(quiet);
      resolve(true);
    });
  });
  running.release();
  return { ...exit, outputEnded };
}

/** Rejects when a source of input breaks, also before the command has started; never resolves. */
function breakOf(host: Host, input: Command['input']): Promise<never> {
  const broken = new Promise<never>((_, reject) => {
    if (!(input instanceof Readable)) return;
    finished(input, { writable: false }, (error) => {
      if (error) reject(inputBroken(host, error));
    });
  });
  broken.catch(() => undefined);
  return broken;
}

/** A source that broke is never ended here, because half an input must not look like a whole one. */
function feed(running: RunningCommand, input: Command['input']): void {
  if (input instanceof Readable) input.pipe(running.stdin);
  else running.stdin.end(input ?? '');
}

function stopped(signal: AbortSignal): Promise<'stopped'> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve('stopped');
    signal.addEventListener(
      'abort',
      () => {
        resolve('stopped');
      },
      { once: true },
    );
  });
}

/** One signal for both Stop and the time limit, which can tell afterwards which of them it was. */
function deadlineOf(timeoutMs: number, stop: AbortSignal) {
  const controller = new AbortController();
  let expired = false;
  const onStop = () => {
    controller.abort();
  };
  const timer = setTimeout(() => {
    expired = true;
    controller.abort();
  }, timeoutMs);
  if (stop.aborted) onStop();
  stop.addEventListener('abort', onStop, { once: true });
  return {
    signal: controller.signal,
    expired: () => expired,
    clear: () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', onStop);
    },
  };
}

function stoppedFailure(host: Host, outcome: KillOutcome): Failure {
  const stop = cancelled(`the command on ${describeHost(host)}`);
  if (outcome === 'gone') return stop;
  return new Failure({
    code: stop.code,
    subject: stop.subject,
    message: `${stop.message}; it could not be verified that its processes are gone`,
    nextStep: 'Look on the host whether it still runs.',
  });
}

function inputBroken(host: Host, error: Error): Failure {
  return new Failure({
    code: 'input_broken',
    subject: describeHost(host),
    message: `The input of the command on ${describeHost(host)} broke off: ${messageOf(error)}; the command was ended`,
    nextStep: 'Find out why the source stopped, then run it again.',
  });
}

function timedOut(host: Host, options: RunOptions, outcome: KillOutcome | undefined): Failure {
  const seconds = (options.timeoutMs ?? DEFAULT_TIMEOUT_MS) / 1000;
  const fate =
    outcome === undefined
      ? 'before it was started'
      : outcome === 'gone'
        ? 'and was ended with all its processes'
        : 'and it could not be verified that its processes are gone';
  return new Failure({
    code: 'command_timeout',
    subject: describeHost(host),
    message: `The command on ${describeHost(host)} took longer than ${seconds} s ${fate}`,
    nextStep: 'Allow it more time, or run it as a job, which outlives the execution.',
  });
}

function commandFailed(host: Host, command: Command, result: CommandResult, signal: string | null): Failure {
  const what = 'argv' in command ? command.argv[0] : 'script';
  const how = signal === null ? `exit code ${result.exitCode}` : `signal ${signal}`;
  const said = lastLine(result.stderr) ?? lastLine(result.stdout);
  return new Failure({
    code: signal === null ? 'command_failed' : 'command_signalled',
    subject: describeHost(host),
    message: `${what} failed on ${describeHost(host)} with ${how}${said === undefined ? '' : `: ${said}`}`,
    nextStep: hintFor(result.exitCode),
    // An error is stored with the execution: the end of what was said is enough to understand it.
    details: { exitCode: result.exitCode, signal, stdout: endOf(result.stdout), stderr: endOf(result.stderr) },
  });
}

function endOf(text: string): string {
  return text.length <= ERROR_OUTPUT ? text : `[...] ${text.slice(-ERROR_OUTPUT)}`;
}

function lastLine(text: string): string | undefined {
  const line = text.trimEnd().split('\n').at(-1)?.trim();
  return line === undefined || line === '' ? undefined : line.slice(0, 300);
}

function hintFor(exitCode: number): string {
  switch (exitCode) {
    case 126:
      return 'The program is there but may not be executed. Check its permissions and the user it runs as.';
    case 127:
      return 'The program was not found. Is it installed, and in the PATH of that user? A full path always works.';
    default:
      return 'Read its error output. If that exit code is an answer and not a failure, list it as accepted.';
  }
}
