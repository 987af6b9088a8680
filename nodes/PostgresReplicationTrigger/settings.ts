import type { ITriggerFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import type { Host } from '../../lib/host/host';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost } from '../../lib/host/select';
import { isObject } from '../../lib/json';
import { parsePostgresCredential } from '../../lib/postgres/credential';
import { databaseAt } from '../../lib/postgres/replication/access';
import type { Cluster, Member } from '../../lib/postgres/replication/cluster';
import { clusterOf, parseDescription } from '../../lib/postgres/replication/description';
import type { Limits } from '../../lib/postgres/replication/watch/signs';
import type { Database } from '../../lib/postgres/connection';
import { MEGABYTE, USUAL } from './properties';

export interface TriggerSettings {
  readonly cluster: Cluster;
  readonly databaseOf: (member: Member) => Database;
  readonly witnesses: readonly Host[];
  readonly limits: Limits;
  readonly everyMs: number;
  readonly heartbeatMs: number;
  readonly events: readonly string[];
  readonly place: { readonly keepIn: string; readonly stateHost: string };
}

export async function settingsOf(trigger: ITriggerFunctions): Promise<TriggerSettings> {
  const identity = parseIdentity(await trigger.getCredentials('selfhostHost'));
  const credential = parsePostgresCredential(await trigger.getCredentials('selfhostPostgres'));
  const cluster = clusterOf(parseDescription(descriptionOf(trigger)), credential.replication, (name) =>
    selectHost(identity, name),
  );
  const given: unknown = trigger.getNodeParameter('options', {});
  const options = isObject(given) ? given : {};
  const number = (name: 'lagMegabytes' | 'slotMegabytes' | 'topologySeconds' | 'heartbeatSeconds', least: number) => {
    const value = options[name] ?? USUAL[name];
    if (typeof value === 'number' && value >= least) return value;
    throw invalid(name, `must be a number of at least ${least}`);
  };
  const witnesses = (typeof options['witnesses'] === 'string' ? options['witnesses'] : '')
    .split(/[\n,]/)
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const events: unknown = trigger.getNodeParameter('events', []);
  const text = (name: string) => {
    const value: unknown = trigger.getNodeParameter(name, '');
    return typeof value === 'string' ? value : '';
  };
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
    place: { keepIn: text('keepIn'), stateHost: text('stateHost') },
  };
}

function descriptionOf(trigger: ITriggerFunctions): unknown {
  const value: unknown = trigger.getNodeParameter('cluster');
  if (typeof value !== 'string') return value;
  try {
    return JSON.parse(value);
  } catch {
    throw invalid('Cluster', 'must be valid JSON');
  }
}

function invalid(field: string, mustBe: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: field,
    message: `${field} ${mustBe}`,
    nextStep: `Correct the field ${field}, or the expression that fills it.`,
  });
}
