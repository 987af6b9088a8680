import { Failure } from '../../failure';
import type { Member, NamedCluster } from '../replication/cluster';

/** What pgBackRest keeps of one database system: its backups and its WAL, in one or more repositories. */
export interface Stanza {
  /** As pgBackRest knows it: `immich`. */
  readonly name: string;
  readonly cluster: NamedCluster;
  /** Where pgBackRest runs: beside the server it backs up. */
  readonly member: Member;
  /** Its configuration, where that is not where pgBackRest looks by itself. */
  readonly config?: string;
}

/** As people know it. */
export function describeStanza({ name, member, cluster }: Stanza): string {
  return `stanza ${name} of ${member.name} (PostgreSQL cluster ${cluster.name})`;
}

/** Throws where a name could not be used as it is in an option or in a file. */
export function checkStanza(stanza: Stanza): void {
  const { name, config = '/' } = stanza;
  const problem = !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name)
    ? `"${name}" is no plain name (letters, digits, . _ and -)`
    : !/^\/[A-Za-z0-9._/-]*$/.test(config)
      ? `"${config}" is no absolute path of letters, digits, . _ and -`
      : undefined;
  if (problem === undefined) return;
  throw new Failure({
    code: 'stanza_unusable',
    subject: describeStanza(stanza),
    message: `${describeStanza(stanza)} cannot be used: ${problem}`,
    nextStep: 'Correct the name of the stanza, or the path of its configuration.',
  });
}

/** The options that every command of this stanza begins with. None of them is a secret. */
export function stanzaOptions({ name, config }: Stanza): readonly string[] {
  return [`--stanza=${name}`, ...(config === undefined ? [] : [`--config=${config}`])];
}

/** Opens every script that runs pgBackRest, which works as PostgreSQL's own user. */
export const PGBACKREST = `
# Who runs it: where the server is, or a container of its own.
backrest_by=(as_owner)
backrest() {
  "\${backrest_by[@]}" pgbackrest "$@" && return 0 || local code=$?
  ((code != 126 && code != 127)) || stop_with pgbackrest_missing "pgBackRest is not installed beside it"
  return "$code"
}
`;
