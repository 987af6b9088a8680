import { Failure, isFailure } from '../../failure';
import type { Task } from '../../task';
import type { CommandResult, RunOptions } from '../command';
import { describeHost, type Host } from '../host';
import { runCommand } from '../run';
import { fileNameFor, STATE_FOLDER } from '../state-folder';
import type { HeldLock } from './lock';
import { EPOCH_GUARD } from './scripts';

export interface Step {
  /** Constant, for bash -eu -o pipefail. It runs as the one who keeps the host's records, usually root. */
  readonly script: string;
  readonly arguments?: readonly string[];
  readonly input?: string | Buffer;
}

const STALE = 121;

/**
 * Runs one step of a procedure: the host checks that the epoch still stands and then acts, in one script, and nobody
 * can begin a new epoch before the step has ended. A run that was frozen and woke up too late finds itself refused.
 */
export async function stepUnderLock(
  host: Host,
  { name, epoch }: Pick<HeldLock, 'name' | 'epoch'>,
  step: Step,
  options: RunOptions,
  task: Task,
): Promise<CommandResult> {
  try {
    return await runCommand(
      host,
      {
        script: STATE_FOLDER + EPOCH_GUARD + step.script,
        arguments: [fileNameFor(name), String(epoch), ...(step.arguments ?? [])],
        input: step.input,
      },
      options,
      task,
    );
  } catch (error) {
    if (!isFailure(error, 'command_failed') || error.details.exitCode !== STALE) throw error;
    const { stderr } = error.details;
    const now = typeof stderr === 'string' ? /^selfhost-epoch (\d*)$/m.exec(stderr)?.[1] : undefined;
    throw new Failure({
      code: 'epoch_stale',
      subject: `lock ${name} on ${describeHost(host)}`,
      message: `A step was refused on ${describeHost(host)}: it belongs to epoch ${epoch} of lock ${name}, which has ended (the newest is ${now || 'unknown'})`,
      nextStep: 'Somebody else may be at work. Look at the lock, then begin again from the start.',
      cause: error,
    });
  }
}
