import { labCredential } from '../../lab/estate';
import type { PostgresPair } from '../../lab/postgres-pair';
import type { JsonObject } from '../../lib/json';
import type { Runtime } from '../../lib/postgres/replication/cluster';

/** A pair of the lab as a user describes it to the node. */
export function describePair(pair: PostgresPair): JsonObject {
  return {
    name: pair.cluster.name,
    members: pair.cluster.members.map(({ name, address, port, runtime, programs, dataFolder, socketFolder }) => ({
      ...{ name, address, port, programs, dataFolder, socketFolder },
      ...described(runtime),
    })),
  };
}

function described({ kind, ...rest }: Runtime): JsonObject {
  return { runtime: kind, ...rest };
}

/** The credentials that the node needs for it, by their types. */
export function credentialsOfPair(pair: PostgresPair): Readonly<Record<string, JsonObject>> {
  const { replication } = pair.cluster;
  return {
    selfhostHost: labCredential(Object.values(pair.network.hosts)),
    selfhostPostgres: {
      ...pair.app,
      reach: 'tunnel',
      replicationUser: replication.user,
      replicationPassword: replication.password,
    },
  };
}
