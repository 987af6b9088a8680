import type { Host } from '../../host/host';
import { isObject } from '../../json';
import { Failure } from '../../failure';
import { checkCluster, type Cluster, type Member, type Runtime } from './cluster';

/** A cluster as people write it down, for example in an inventory: hosts by their names, no secrets. */
export interface ClusterDescription {
  readonly name: string;
  readonly members: readonly MemberDescription[];
}

export interface MemberDescription extends Omit<Member, 'host'> {
  /** Its name in the Host credential. */
  readonly host: string;
  /** Empty: the one by which that credential pins its host. */
  readonly address: string;
}

const OF_CONTAINERS = ['container', 'dataInside', 'portInside', 'dockerSocket'];

const FIELDS = new Set([
  ...['name', 'host', 'address', 'port', 'runtime', 'version', 'cluster', 'unit', 'log', 'programs', 'dataFolder'],
  ...['configFile', 'socketFolder', 'systemUser', 'superuser'],
  ...OF_CONTAINERS,
]);

/** Where Debian's packages keep a cluster is known; what is kept otherwise has to say it. */
export function parseDescription(value: unknown): ClusterDescription {
  if (!isObject(value)) throw unusable('it must be an object with "name" and "members"');
  for (const name of Object.keys(value)) {
    if (name !== 'name' && name !== 'members') throw unusable(`"${name}" is not known`);
  }
  if (typeof value.name !== 'string' || value.name.trim() === '') throw unusable('it has no "name"');
  if (!Array.isArray(value.members) || value.members.length === 0) throw unusable('it has no list of "members"');
  return { name: value.name.trim(), members: value.members.map(parseMember) };
}

function parseMember(value: unknown, index: number): MemberDescription {
  if (!isObject(value)) throw unusable(`member ${index + 1} is no object`);
  const name = typeof value.name === 'string' ? value.name.trim() : '';
  const who = name === '' ? `member ${index + 1}` : name;
  if (name === '') throw unusable(`${who} has no "name"`);
  for (const field of Object.keys(value)) if (!FIELDS.has(field)) throw unusable(`"${field}" of ${who} is not known`);
  const text = (field: string, usual?: string): string => {
    const found = value[field];
    if (found === undefined && usual !== undefined) return usual;
    if (typeof found === 'number' && field === 'version') return String(found);
    if (typeof found === 'string' && found.trim() !== '') return found.trim();
    throw unusable(`${who} needs "${field}"`);
  };
  const port = (field: string): number => {
    const found = value[field] ?? 5432;
    if (typeof found === 'number' && Number.isInteger(found) && found >= 1 && found <= 65_535) return found;
    throw unusable(`"${field}" of ${who} is no port`);
  };
  const place = runtimeOf(text, port);
  const [stray] = OF_CONTAINERS.filter((field) => value[field] !== undefined && place.runtime.kind !== 'docker');
  if (stray !== undefined) throw unusable(`"${stray}" of ${who} is for the runtime docker only`);
  return {
    name,
    host: text('host', name),
    address: text('address', ''),
    port: port('port'),
    ...place,
    socketFolder: text('socketFolder', '/var/run/postgresql'),
    systemUser: text('systemUser', 'postgres'),
    superuser: text('superuser', 'postgres'),
    ...(value.configFile !== undefined && { configFile: text('configFile') }),
  };
}

type Place = Pick<Member, 'runtime' | 'programs' | 'dataFolder' | 'configFile'>;

function runtimeOf(text: (field: string, usual?: string) => string, port: (field: string) => number): Place {
  const kind = text('runtime', 'debian');
  switch (kind) {
    case 'debian': {
      const [version, cluster] = [text('version'), text('cluster', 'main')];
      if (!/^\d{1,2}(\.\d)?$/.test(version) || !/^[A-Za-z0-9_.-]+$/.test(cluster)) {
        throw unusable('"version" and "cluster" are those of pg_lsclusters, like 15 and main');
      }
      return {
        runtime: { kind, version, cluster },
        programs: text('programs', `/usr/lib/postgresql/${version}/bin`),
        dataFolder: text('dataFolder', `/var/lib/postgresql/${version}/${cluster}`),
        configFile: `/etc/postgresql/${version}/${cluster}/postgresql.conf`,
      };
    }
    case 'systemd':
      return { runtime: { kind, unit: text('unit') }, programs: text('programs'), dataFolder: text('dataFolder') };
    case 'plain':
      return { runtime: { kind, log: text('log') }, programs: text('programs'), dataFolder: text('dataFolder') };
    case 'docker': {
      const dockerSocket = text('dockerSocket', '-');
      // As the images of PostgreSQL that are made from Debian have them, Immich's among them.
      const usual = `/usr/lib/postgresql/${text('version', '-')}/bin`;
      return {
        runtime: {
          kind,
          container: text('container'),
          dataInside: text('dataInside', '/var/lib/postgresql/data'),
          portInside: port('portInside'),
          ...(dockerSocket !== '-' && { dockerSocket }),
        },
        programs: usual.includes('/-/') ? text('programs') : text('programs', usual),
        dataFolder: text('dataFolder'),
      };
    }
    default:
      throw unusable(`the runtime "${kind}" is none of ${KINDS.join(', ')}`);
  }
}

const KINDS: readonly Runtime['kind'][] = ['debian', 'systemd', 'plain', 'docker'];

/** The cluster, with the hosts that its names stand for. What is lost has to be noticed soon on every one of them. */
export function clusterOf(
  { name, members }: ClusterDescription,
  replication: Cluster['replication'],
  hostOf: (name: string) => Host,
): Cluster {
  const cluster = {
    name,
    replication,
    members: members.map((member) => {
      const host = { ...hostOf(member.host), watchful: true };
      return { ...member, host, address: member.address === '' ? host.target.address : member.address };
    }),
  };
  checkCluster(cluster);
  return cluster;
}

function unusable(why: string): Failure {
  return new Failure({
    code: 'cluster_unusable',
    subject: 'the description of the cluster',
    message: `The description of the cluster cannot be used: ${why}`,
    nextStep: 'Correct it; the page of the node shows whole examples.',
  });
}
