import { Failure } from '../../failure';
import type { Task } from '../../task';
import { runPgbackrest } from './run';
import { describeStanza, type Stanza } from './stanza';

/** What the pgBackRest of a host can do; Debian 12 has 2.45. */
export interface Features {
  readonly version: string;
  /** Repositories by SFTP, since 2.46. */
  readonly sftp: boolean;
  /** Backups that keep the changed blocks of a file only, since 2.46. */
  readonly blockIncremental: boolean;
}

export function featuresOf(version: string): Features {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const since246 = major > 2 || (major === 2 && minor >= 46);
  return { version, sftp: since246, blockIncremental: since246 };
}

export async function readFeatures(stanza: Stanza, task: Task): Promise<Features> {
  const { stdout } = await runPgbackrest(stanza, ['version'], { timeoutMs: 20_000 }, task);
  const [, version] = /^pgBackRest (\d+\.\d+(?:\.\d+)?)/.exec(stdout) ?? [];
  if (version !== undefined) return featuresOf(version);
  throw new Failure({
    code: 'pgbackrest_unreadable',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: what pgBackRest says about its version is not understood: ${stdout.trim().slice(0, 100)}`,
    nextStep: 'Check that the program of that name is pgBackRest.',
  });
}

export function refuseWithoutSftp(stanza: Stanza, { version, sftp }: Features): void {
  if (sftp) return;
  throw new Failure({
    code: 'pgbackrest_too_old',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)}: pgBackRest ${version} knows no repository by SFTP, which came with 2.46`,
    nextStep: 'Install a newer pgBackRest (apt.postgresql.org has one), or use a folder, S3 or a repository host.',
    details: { version },
  });
}
