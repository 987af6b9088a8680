import type { Readable } from 'node:stream';

/** As whom a command runs: the login user, root (by the identity's sudo mode), or a named user (by sudo). */
export type RunAs = 'login' | 'root' | { readonly user: string };

interface CommandSettings {
  /** Default: root where the identity has a sudo mode, otherwise the login user. */
  readonly runAs?: RunAs;
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** The command's standard input. Secrets go here: it is in no process list, log or error. */
  readonly input?: string | Buffer | Readable;
}

/** A program with its arguments; no shell looks at them. */
export interface ArgvCommand extends CommandSettings {
  readonly argv: readonly [string, ...string[]];
}

/** A bash script, run with `-eu -o pipefail`. Data goes in as arguments and input, never into the text. */
export interface ScriptCommand extends CommandSettings {
  readonly script: string;
  readonly arguments?: readonly string[];
  /** False for a script that handles its failures itself. */
  readonly strict?: boolean;
}

export type Command = ArgvCommand | ScriptCommand;

export interface CommandResult {
  readonly stdout: string;
  readonly stderr: string;
  /** True sizes, also when what is kept above was cut. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  /** Not all of the output is here: it was longer, or a child that the command left behind still writes. */
  readonly truncated: boolean;
  readonly exitCode: number;
  readonly durationMs: number;
}

export interface RunOptions {
  readonly timeoutMs?: number;
  /** How much of each stream is kept: the beginning and the end; the middle is dropped. Default 1 MiB. */
  readonly maxOutputBytes?: number;
  /** Exit codes that are an answer, not a failure. Default [0]. */
  readonly acceptExitCodes?: readonly number[];
  /** Sees the output as it comes. */
  readonly onOutput?: (stream: 'stdout' | 'stderr', chunk: Buffer) => void;
}
