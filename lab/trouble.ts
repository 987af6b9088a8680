import { statfsSync } from 'node:fs';
import { Failure, messageOf } from '../lib/failure';

const offline =
  /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|ECONNRESET|Temporary failure resolving|Could not resolve/;
const fullDisk = /ENOSPC|No space left on device|SQLITE_FULL|disk is full/;

/** Why a step failed, in one sentence with its remedy, from what the program said. */
export function troubleOf(step: string, output: string, log?: string): Failure {
  const where = log === undefined ? '' : ` The whole log: ${log}`;
  if (fullDisk.test(output)) return diskFull(step);
  if (offline.test(output)) {
    return new Failure({
      code: 'no_network',
      subject: step,
      message: `${step} failed: the network or a package server cannot be reached.`,
      nextStep: `Check the network (and the proxy settings of npm or apt), then run the command again.${where}`,
    });
  }
  const lastLine = output.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return new Failure({
    code: 'step_failed',
    subject: step,
    message: `${step} failed${lastLine === '' ? '' : `: ${lastLine}`}`,
    nextStep: log === undefined ? 'Run the command again.' : `Read the log: ${log}`,
  });
}

export function diskFull(step: string): Failure {
  return new Failure({
    code: 'disk_full',
    subject: step,
    message: `${step} failed: the disk is full.`,
    nextStep: 'Free some space (n8n needs about 4 GB the first time), then run the command again.',
  });
}

/** Not enough room left to go on: an n8n needs a few MB to start. */
export function isFull(folder: string, needed = 256 * 1024): boolean {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize < needed;
}

export function sentenceOf(error: unknown): string {
  return error instanceof Failure ? `${error.message} ${error.nextStep}` : messageOf(error);
}
