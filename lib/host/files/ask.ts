import type { Command, RunAs } from '../command';
import type { Host } from '../host';
import { runCommand } from '../run';
import type { Task } from '../../task';
import { programFailed, recognised, retold, type Attempt } from './failures';
import { fieldsOf, type Fields } from './fields';
import { PRELUDE } from './prelude';

/** What every file operation understands. */
export interface FileSettings {
  /** Default: root where the identity has a sudo mode, otherwise the login user. */
  readonly runAs?: RunAs;
  readonly timeoutMs?: number;
}

export interface Question extends FileSettings {
  readonly host: Host;
  readonly path: string;
  /** Fits behind "could not be": `read`, `written`. */
  readonly done: string;
  /** A constant; it runs behind the prelude. The path is its first argument. */
  readonly script: string;
  readonly arguments?: readonly string[];
  readonly input?: Command['input'];
}

export interface Reply {
  readonly fields: Fields;
  readonly stderr: string;
}

export const SMALL_TIMEOUT_MS = 60_000;

export function attemptOf({ host, path, done, runAs }: Question): Attempt {
  return { host, path, done, runAs };
}

export function commandOf({ script, path, arguments: list = [], input, runAs }: Question): Command {
  return { script: PRELUDE + script, arguments: [path, ...list], strict: false, input, runAs };
}

/** Runs a file script to its end and turns everything but `ok` into a Failure. */
export async function ask(question: Question, task: Task): Promise<Reply> {
  const attempt = attemptOf(question);
  const timeoutMs = question.timeoutMs ?? SMALL_TIMEOUT_MS;
  // Output is kept here as bytes: names and content need not be text.
  const chunks: Buffer[] = [];
  const result = await runCommand(
    question.host,
    commandOf(question),
    {
      timeoutMs,
      maxOutputBytes: 64 * 1024,
      onOutput: (stream, chunk) => {
        if (stream === 'stdout') chunks.push(chunk);
      },
    },
    task,
  ).catch((error: unknown) => {
    throw retold(attempt, error, timeoutMs);
  });
  return { fields: judged(attempt, Buffer.concat(chunks), result.stderr), stderr: result.stderr };
}

/** The fields behind `ok`. */
export function judged(attempt: Attempt, stdout: Buffer, stderr: string): Fields {
  if (!stdout.includes(0)) throw programFailed(attempt, 'bash', stderr);
  const fields = fieldsOf(stdout);
  const verdict = fields.text();
  if (verdict === 'ok') return fields;
  const what = fields.text();
  throw verdict === 'failed' ? recognised(attempt, what) : programFailed(attempt, what, stderr);
}
