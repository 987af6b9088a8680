import { Failure } from '../../failure';
import type { Host } from '../../host/host';

/** How a PostgreSQL server is kept on its host. */
export type Runtime =
  /** A data folder that pg_ctl starts and stops; what it prints goes to `log`. */
  | { readonly kind: 'plain'; readonly log: string }
  /** A cluster of Debian's postgresql-common, by its version and name: `15`, `main`. */
  | { readonly kind: 'debian'; readonly version: string; readonly cluster: string }
  | { readonly kind: 'systemd'; readonly unit: string }
  /**
   * A container whose first process is PostgreSQL, with its data folder in a volume or a bind mount: `dataFolder` is where
   * that lies on the host; `programs`, `socketFolder`, `configFile` and the system user are those inside.
   */
  | {
      readonly kind: 'docker';
      readonly container: string;
      /** PGDATA as the container sees it. */
      readonly dataInside: string;
      /** The port PostgreSQL hears on inside; the member's `port` is the published one. Default 5432. */
      readonly portInside?: number;
      /** Where dockerd listens, when it is not where the docker client looks by itself. */
      readonly dockerSocket?: string;
    };

/** One server of a cluster: where it runs, how it is kept, and how the other servers reach it. */
export interface Member {
  /** Also its application_name, by which the primary knows it. */
  readonly name: string;
  readonly host: Host;
  readonly runtime: Runtime;
  /** The folder with PostgreSQL's programs: `/usr/lib/postgresql/15/bin`. */
  readonly programs: string;
  readonly dataFolder: string;
  /** The file the server is started with, where it is not in the data folder (Debian). */
  readonly configFile?: string;
  readonly socketFolder: string;
  readonly port: number;
  /** Where the other members reach it. */
  readonly address: string;
  /** The user of the operating system that owns the data folder, and the superuser it becomes by the local socket. */
  readonly systemUser: string;
  readonly superuser: string;
}

/** Servers that replicate one database system. */
export interface Cluster {
  readonly name: string;
  readonly members: readonly Member[];
  /** The login by which members read from each other. */
  readonly replication: { readonly user: string; readonly password: string };
}

/** What a script on one member has to know of the cluster. */
export type NamedCluster = Pick<Cluster, 'name'>;

const MEMBER_NAME = /^[a-z][a-z0-9_]{0,30}$/;

/** Throws where names or numbers could not be used as they are in settings of PostgreSQL. */
export function checkCluster(cluster: Cluster): void {
  const problem = problemOf(cluster);
  if (problem === undefined) return;
  throw new Failure({
    code: 'cluster_unusable',
    subject: `cluster ${cluster.name}`,
    message: `Cluster ${cluster.name} cannot be used: ${problem}`,
    nextStep: 'Correct the description of the cluster.',
  });
}

function problemOf({ name, members, replication }: Cluster): string | undefined {
  if (name.trim() === '') return 'it has no name';
  if (!/^[a-z_][a-z0-9_]{0,62}$/.test(replication.user)) {
    return `"${replication.user}" is no plain name for the replication login`;
  }
  // Others are changed by SASLprep before they are compared.
  if (!/^[\x21-\x7e]{8,200}$/.test(replication.password)) {
    return 'the password of the replication login is not 8 to 200 letters, digits and signs of ASCII';
  }
  for (const member of members) {
    if (!MEMBER_NAME.test(member.name)) {
      return `"${member.name}" is no name for a member: small letters, digits and _, at most 31`;
    }
    if (!/^[0-9A-Za-z.:-]+$/.test(member.address)) return `${member.name} has no plain address`;
    if (member.runtime.kind === 'docker' && !/^[A-Za-z0-9][A-Za-z0-9_.-]*$/.test(member.runtime.container)) {
      return `"${member.runtime.container}" of ${member.name} is no name of a container`;
    }
    for (const path of pathsOf(member)) {
      if (!path.startsWith('/') || /[\r\n\0]/.test(path)) return `"${path}" of ${member.name} is no absolute path`;
    }
  }
  if (new Set(members.map((member) => member.name)).size !== members.length) return 'two members have the same name';
  return undefined;
}

function pathsOf(member: Member): readonly string[] {
  const { programs, dataFolder, socketFolder, configFile = '/' } = member;
  return [programs, dataFolder, dataFolderInside(member), socketFolder, configFile];
}

export function memberOf(cluster: Cluster, name: string): Member {
  const member = cluster.members.find((one) => one.name === name);
  if (member !== undefined) return member;
  throw new Failure({
    code: 'member_unknown',
    subject: `cluster ${cluster.name}`,
    message: `Cluster ${cluster.name} has no member ${name}`,
    nextStep: `Choose one of ${cluster.members.map((one) => one.name).join(', ')}.`,
  });
}

/** The data folder as PostgreSQL's own programs see it. */
export function dataFolderInside({ runtime, dataFolder }: Member): string {
  return runtime.kind === 'docker' ? runtime.dataInside : dataFolder;
}

/** The port on the local socket; others may reach it by another. */
export function portInside({ runtime, port }: Member): number {
  return runtime.kind === 'docker' ? (runtime.portInside ?? 5432) : port;
}

/** The slot on the primary that keeps what this member has not read yet. */
export function slotOf({ name }: Pick<Member, 'name'>): string {
  return `selfhost_${name}`;
}

export function describeMember(cluster: NamedCluster, member: Member): string {
  return `${member.name} of PostgreSQL cluster ${cluster.name}`;
}
