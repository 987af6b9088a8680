import type { ITriggerFunctions } from 'n8n-workflow';
import type { Host } from '../../lib/host/host';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost } from '../../lib/host/select';
import { parsePostgresCredential } from '../../lib/postgres/credential';
import { databaseAt } from '../../lib/postgres/replication/access';
import type { Cluster, Member } from '../../lib/postgres/replication/cluster';
import { clusterOf, parseDescription } from '../../lib/postgres/replication/description';
import type { Limits } from '../../lib/postgres/replication/watch/signs';
import type { Database } from '../../lib/postgres/connection';
import type { StateWanted } from '../shared/state';
import { limitsExecutions } from '../shared/capacity';
import { jsonOf, numberOf, optionsOf, placeOf } from '../shared/triggerFields';
import { MEGABYTE, USUAL } from './properties';

export interface TriggerSettings {
  readonly cluster: Cluster;
  readonly databaseOf: (member: Member) => Database;
  readonly witnesses: readonly Host[];
  readonly limits: Limits;
  readonly everyMs: number;
  readonly heartbeatMs: number;
  readonly events: readonly string[];
  readonly place: StateWanted;
  /** What is started may have to wait for other executions to end. */
  readonly mayWait: boolean;
}

export async function settingsOf(trigger: ITriggerFunctions): Promise<TriggerSettings> {
  const identity = parseIdentity(await trigger.getCredentials('selfhostHost'));
  const credential = parsePostgresCredential(await trigger.getCredentials('selfhostPostgres'));
  const cluster = clusterOf(parseDescription(jsonOf(trigger, 'cluster', 'Cluster')), credential.replication, (name) =>
    selectHost(identity, name),
  );
  const options = optionsOf(trigger);
  const number = (name: 'lagMegabytes' | 'slotMegabytes' | 'topologySeconds' | 'heartbeatSeconds', least: number) =>
    numberOf(options, name, USUAL[name], least);
  const witnesses = (typeof options['witnesses'] === 'string' ? options['witnesses'] : '')
    .split(/[\n,]/)
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const events: unknown = trigger.getNodeParameter('events', []);
  return {
    cluster,
    databaseOf: (member) => databaseAt(cluster, member, credential),
    witnesses: witnesses.map((name) => ({ ...selectHost(identity, name), watchful: true })),
    limits: {
      lagBytes: number('lagMegabytes', 0) * MEGABYTE,
      slotBytes: number('slotMegabytes', 0) * MEGABYTE,
      synchronous: (options['synchronous'] ?? USUAL.synchronous) === true,
    },
    everyMs: number('topologySeconds', 1) * 1000,
    heartbeatMs: identity.readOnly ? 0 : number('heartbeatSeconds', 0) * 1000,
    events: Array.isArray(events) ? events.filter((one) => typeof one === 'string') : [],
    place: placeOf(trigger),
    mayWait: options['capacityReserved'] !== true && limitsExecutions(process.env),
  };
}
