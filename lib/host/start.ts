import type { Readable, Writable } from 'node:stream';
import type { ClientChannel } from '../../vendor/ssh2';
import { Failure } from '../failure';
import { cancelled, type Task } from '../task';
import type { Command } from './command';
import { describeHost, type Host } from './host';
import { EXEC_STRING, launchOf, type Launch } from './launcher';
import { openExec, type Lane } from './sessions';

/** A process group on the host; the start time tells it from a later one with the same number. */
export interface ProcessGroup {
  readonly id: string;
  readonly startTime: string;
}

export interface RunningCommand {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly group: ProcessGroup;
  /** When the command has exited; rejects when the connection breaks first. */
  readonly exit: Promise<{ readonly code: number | null; readonly signal: string | null }>;
  /** When its output has come to an end, too. */
  readonly closed: Promise<void>;
  /** Closes the channel and gives it back; a command that still runs is not ended by that. */
  readonly release: () => void;
}

/** How much a login script or a failing launcher may say before the command starts. */
const PREAMBLE_LIMIT = 64 * 1024;
/** How long a channel may take to close once its command has ended. */
const LAST_WORDS_MS = 10_000;
/** A stopped start waits this long for the mark, without which the command could not be ended. */
const LAST_WAIT_MS = 1_000;

/**
 * Starts a command and hands over its streams, paused. It may come back started although Stop was pressed meanwhile:
 * whoever starts a command ends it. Most callers want runCommand, which does that and judges the outcome.
 */
export async function startCommand(
  host: Host,
  command: Command,
  task: Task,
  lane: Lane = 'normal',
): Promise<RunningCommand> {
  const launch = launchOf(host, command);
  const { channel, lost, release } = await openExec(host, EXEC_STRING, task, lane);
  const closed = new Promise<void>((resolve) => {
    channel.once('close', () => {
      release();
      resolve();
    });
  });
  const exit = new Promise<{ code: number | null; signal: string | null }>((resolve, reject) => {
    channel.once('exit', (code: number | null, signal?: string) => {
      resolve({ code, signal: signal ?? null });
    });
    const onLost = () => {
      reject(lost.reason as Error);
    };
    if (lost.aborted) onLost();
    lost.addEventListener('abort', onLost, { once: true });
    void closed.then(() => {
      lost.removeEventListener('abort', onLost);
      reject(noExitStatus(host));
    });
  });
  // Those who wait for it hear of it; nobody waiting is no crash.
  exit.catch(() => undefined);
  // The far end may stop reading at any time; its exit status tells what that meant.
  channel.on('error', () => undefined);
  const close = () => {
    channel.destroy();
    channel.close();
    release();
  };
  try {
    channel.write(launch.header);
    const group = await awaitMark(host, channel, launch, { exit, closed }, task.signal);
    return { stdin: channel, stdout: channel, stderr: channel.stderr, group, exit, closed, release: close };
  } catch (error) {
    close();
    throw error;
  }
}

/** Reads standard output up to the launcher's own line, and leaves the streams paused right behind it. */
function awaitMark(
  host: Host,
  channel: ClientChannel,
  { mark }: Launch,
  { exit, closed }: Pick<RunningCommand, 'exit' | 'closed'>,
  signal: AbortSignal,
): Promise<ProcessGroup> {
  const stderr = channel.stderr;
  return new Promise((resolve, reject) => {
    let said = Buffer.alloc(0);
    let complained = Buffer.alloc(0);
    let settled = false;
    let lastWait: NodeJS.Timeout | undefined;
    const settle = () => {
      settled = true;
      clearTimeout(lastWait);
      signal.removeEventListener('abort', stop);
      for (const stream of [channel, stderr]) {
        stream.removeAllListeners('data');
        stream.pause();
      }
    };
    const stop = () => {
      lastWait = setTimeout(() => {
        settle();
        reject(cancelled(`the start of a command on ${describeHost(host)}`));
      }, LAST_WAIT_MS);
    };
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    stderr.on('data', (chunk: Buffer) => {
      complained = Buffer.concat([complained, chunk]);
    });
    channel.on('data', (chunk: Buffer) => {
      said = Buffer.concat([said, chunk]);
      const at = said.indexOf(mark);
      const end = at < 0 ? -1 : said.indexOf('\n', at);
      if (end < 0) {
        if (said.length > PREAMBLE_LIMIT) {
          settle();
          reject(notStarted(host, 'its login shell never stops writing', undefined));
        }
        return;
      }
      settle();
      const [, id = '', startTime = ''] = said.toString('latin1', at, end).split(' ');
      if (!/^\d+$/.test(id) || !/^\d+$/.test(startTime)) {
        reject(notStarted(host, 'it did not tell its process group', undefined));
        return;
      }
      const rest = said.subarray(end + 1);
      if (rest.length > 0) channel.unshift(rest);
      if (complained.length > 0) stderr.unshift(complained);
      resolve({ id, startTime });
    });
    exit.then(
      async ({ code }) => {
        // sshd may tell the exit before it has read what was said: a quick command's mark can still be on its way.
        await Promise.race([closed, elapsed(LAST_WORDS_MS)]);
        if (settled) return;
        settle();
        reject(notStarted(host, complained.toString().trim() || `exit code ${code ?? 'unknown'}`, code));
      },
      (error: unknown) => {
        if (settled) return;
        settle();
        reject(error instanceof Error ? error : new Error(String(error)));
      },
    );
  });
}

function elapsed(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
}

function notStarted(host: Host, said: string, code: number | null | undefined): Failure {
  const subject = describeHost(host);
  if (code === 127 && /bash/.test(said)) {
    return new Failure({
      code: 'bash_missing',
      subject,
      message: `${subject} has no bash`,
      nextStep: 'Install bash on it; it need not be the login shell.',
    });
  }
  if (/sudo|password/i.test(said)) {
    return new Failure({
      code: 'sudo_refused',
      subject,
      message: `sudo refused on ${subject}: ${said.slice(0, 300)}`,
      nextStep: `Check the sudo mode of the credential and what sudo allows ${host.identity.user} (sudo -l).`,
    });
  }
  return new Failure({
    code: 'command_not_started',
    subject,
    message: `The command could not be started on ${subject}: ${said.slice(0, 300)}`,
    nextStep: 'Check the directory, the login shell and the start-up files of that user.',
  });
}

function noExitStatus(host: Host): Failure {
  return new Failure({
    code: 'exit_status_missing',
    subject: describeHost(host),
    message: `${describeHost(host)} closed the channel without telling how the command ended`,
    nextStep: 'Look on the host whether it ran. It is not known to have succeeded.',
  });
}
