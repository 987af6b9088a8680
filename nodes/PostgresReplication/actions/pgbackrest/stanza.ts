import { memberOf, type Member } from '../../../../lib/postgres/replication/cluster';
import { hashOfLines, refuseOther } from '../../../../lib/postgres/replication/agreed';
import { rolesOf } from '../../../../lib/postgres/replication/roles';
import type { Stanza } from '../../../../lib/postgres/pgbackrest/stanza';
import type { Json } from '../../../../lib/json';
import type { Task } from '../../../../lib/task';
import { number, schema, text } from '../../../declaration';
import { changeOptions, clusterField, hostOptions } from '../../fields';
import type { PostgresContext } from '../../operation';

const configFile = text({
  label: 'Configuration File',
  placeholder: '/etc/pgbackrest.conf',
  description:
    'Empty: where pgBackRest looks by itself; Configure then writes /etc/pgbackrest/conf.d/selfhost-STANZA.conf',
});

/** What every operation of pgBackRest is asked with. */
export const stanzaFields = {
  cluster: clusterField,
  stanza: text({ required: true, placeholder: 'immich', description: 'As pgBackRest knows it' }),
  member: text({
    placeholder: 'bruno',
    description: 'Name of the member that pgBackRest runs beside. Empty: the primary.',
  }),
};

export const lookOptions = { ...hostOptions, configFile };
export const stanzaOptions = { ...changeOptions, configFile };

export const repositoryOption = number({
  label: 'Repository',
  default: 1,
  min: 1,
  max: 256,
  integer: true,
  description: 'Its number, where there are several. Not added: the first, or for a restore whichever has the backup.',
});

export const timeoutOption = number({
  label: 'Timeout (Hours)',
  default: 24,
  min: 0.01,
  max: 168,
  description: 'How long to wait. What runs on the host is a job and goes on.',
});

interface Asked {
  readonly stanza: string;
  readonly member: string;
  readonly options: { readonly configFile?: string };
}

export interface Place {
  readonly stanza: Stanza;
  readonly others: readonly Member[];
}

/** The stanza that is meant, once it is clear that nobody holds its host back from changes. */
export async function placeOf(
  { cluster, refuseHeld }: Pick<PostgresContext, 'cluster' | 'refuseHeld'>,
  { stanza: name, member: named, options: { configFile: config = '' } }: Asked,
  task: Task,
): Promise<Place> {
  const [only, ...more] = cluster.members;
  const member =
    named !== ''
      ? memberOf(cluster, named)
      : only !== undefined && more.length === 0
        ? only
        : (await rolesOf(cluster, '', task)).primary;
  await refuseHeld([member]);
  const others = cluster.members.filter((one) => one.name !== member.name);
  return { stanza: { name, cluster, member, ...(config !== '' && { config }) }, others };
}

/** Where an operation was carried out. */
export const placeSchema = {
  cluster: schema.string(),
  stanza: schema.string(),
  member: schema.string('Beside whom pgBackRest runs'),
};

export function told({ stanza: { cluster, name, member } }: Place) {
  return { cluster: cluster.name, stanza: name, member: member.name };
}

/** A name for exactly these lines, and the refusal of any others. */
export function agreementOf({ stanza }: Place, doing: string, wish: Json, agreed: string) {
  const { name } = stanza.cluster;
  const wanted = { stanza: stanza.name, member: stanza.member.name, wish };
  const hash = (lines: readonly string[]) => hashOfLines(name, doing, wanted, lines);
  return { hash, agree: (lines: readonly string[]) => refuseOther(name, agreed, hash(lines), lines) };
}
