import { isFailure } from '../../failure';
import type { CommandResult } from '../../host/command';
import type { Task } from '../../task';
import { runOnMember } from '../replication/member-script';
import { translated } from './refusal';
import { checkStanza, PGBACKREST, type Stanza } from './stanza';

const RUN = `${PGBACKREST}
backrest "$@" < /dev/null
`;

export interface PgbackrestOptions {
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
}

/** Runs one command of pgBackRest to its end; what it complains about becomes a Failure with a next step. */
export async function runPgbackrest(
  stanza: Stanza,
  list: readonly string[],
  { timeoutMs = 120_000, maxOutputBytes }: PgbackrestOptions,
  task: Task,
): Promise<CommandResult> {
  checkStanza(stanza);
  const { cluster, member } = stanza;
  const ask = {
    script: RUN,
    arguments: list,
    timeoutMs,
    ...(maxOutputBytes !== undefined && { maxOutputBytes }),
  };
  try {
    return await runOnMember(cluster, member, ask, task);
  } catch (error) {
    if (!isFailure(error, 'command_failed')) throw error;
    const { stdout, stderr, exitCode } = error.details;
    const said = [stderr, stdout].filter((text) => typeof text === 'string').join('\n');
    throw translated(stanza, String(list[0]), said, typeof exitCode === 'number' ? exitCode : -1, error);
  }
}
