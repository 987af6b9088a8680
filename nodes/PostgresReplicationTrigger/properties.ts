import type { INodeProperties } from 'n8n-workflow';
import { CLUSTER_EXAMPLE } from '../PostgresReplication/fields';
import { placeProperties } from '../shared/triggerFields';

export const USUAL = {
  lagMegabytes: 64,
  slotMegabytes: 4096,
  topologySeconds: 10,
  heartbeatSeconds: 10,
  synchronous: true,
};
export const MEGABYTE = 1024 ** 2;

export const EVENTS = [
  { name: 'Archiver Failing', value: 'archiverFailing' },
  { name: 'Lag Above', value: 'lagAbove' },
  { name: 'Primary Hung', value: 'primaryHung' },
  { name: 'Primary Lost', value: 'primaryLost' },
  { name: 'Recovered', value: 'recovered' },
  { name: 'Replica Lost', value: 'replicaLost' },
  { name: 'Slot Growing', value: 'slotGrowing' },
  { name: 'Split Brain Suspected', value: 'splitBrainSuspected' },
  { name: 'Synchronous Degraded', value: 'syncDegraded' },
];

export const postgresReplicationTriggerProperties: INodeProperties[] = [
  {
    displayName: 'Cluster',
    name: 'cluster',
    type: 'json',
    default: CLUSTER_EXAMPLE,
    required: true,
    typeOptions: { rows: 8 },
    description: 'As for the Postgres Replication node. It is read when the workflow is activated.',
  },
  {
    displayName: 'Events',
    name: 'events',
    type: 'multiOptions',
    options: EVENTS,
    default: EVENTS.map(({ value }) => value),
    description: 'What starts the workflow. A failover belongs behind Primary Lost and Primary Hung alone.',
  },
  ...placeProperties({
    label: 'Keep State In',
    usual: 'postgres',
    database: 'A table in a database that is not in this cluster',
    description: 'It must be reachable when this cluster is not',
  }),
  {
    displayName: 'Options',
    name: 'options',
    type: 'collection',
    placeholder: 'Add Option',
    default: {},
    options: [
      {
        displayName: 'Capacity Is Reserved',
        name: 'capacityReserved',
        type: 'boolean',
        default: false,
        description:
          'Whether a failover finds room at once although N8N_CONCURRENCY_PRODUCTION_LIMIT is set, for example because this n8n runs nothing else. Otherwise events say that they may have to wait.',
      },
      {
        displayName: 'Heartbeat (Seconds)',
        name: 'heartbeatSeconds',
        type: 'number',
        typeOptions: { minValue: 0, maxValue: 3600 },
        default: USUAL.heartbeatSeconds,
        description: 'How often the row in selfhost.heartbeat is written. 0: never.',
      },
      {
        displayName: 'Lag Above (MB)',
        name: 'lagMegabytes',
        type: 'number',
        typeOptions: { minValue: 0 },
        default: USUAL.lagMegabytes,
      },
      {
        displayName: 'Look Every (Seconds)',
        name: 'topologySeconds',
        type: 'number',
        typeOptions: { minValue: 1, maxValue: 3600 },
        default: USUAL.topologySeconds,
        description: 'How often every member is looked at whole. New logins at the primary are tried twice a second.',
      },
      {
        displayName: 'Slot Above (MB)',
        name: 'slotMegabytes',
        type: 'number',
        typeOptions: { minValue: 0 },
        default: USUAL.slotMegabytes,
        description: 'How much WAL a slot may keep on the primary',
      },
      {
        displayName: 'Synchronous',
        name: 'synchronous',
        type: 'boolean',
        default: USUAL.synchronous,
        description: 'Whether commits are meant to wait for the standby, so that it is told when they do not',
      },
      {
        displayName: 'Witnesses',
        name: 'witnesses',
        type: 'string',
        default: '',
        placeholder: 'witness, backup',
        description: 'Further pinned hosts that are asked whether they see the primary, beside the host of the standby',
      },
    ],
  },
];
