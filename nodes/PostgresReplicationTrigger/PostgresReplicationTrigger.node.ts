import { createHash } from 'node:crypto';
import { NodeConnectionTypes } from 'n8n-workflow';
import type {
  IDataObject,
  INodeExecutionData,
  INodeType,
  INodeTypeDescription,
  IRun,
  ITriggerFunctions,
  ITriggerResponse,
} from 'n8n-workflow';
import { isFailure, messageOf } from '../../lib/failure';
import { drawTopology } from '../../lib/postgres/replication/drawing';
import { refuseOwnCluster } from '../../lib/postgres/replication/own-database';
import { readTopology } from '../../lib/postgres/replication/topology';
import { signsOf } from '../../lib/postgres/replication/watch/signs';
import { watchCluster } from '../../lib/postgres/replication/watch/watch';
import type { Task } from '../../lib/task';
import { toNodeError } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { postgresCredentialTest } from '../PostgresReplication/methods/postgresCredentialTest';
import { openStateOf, stateCredentials } from '../shared/state';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { postgresReplicationTriggerProperties } from './properties';
import { settingsOf, type TriggerSettings } from './settings';

export class PostgresReplicationTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Postgres Replication Trigger',
    name: 'postgresReplicationTrigger',
    icon: { light: 'file:postgresReplicationTrigger.svg', dark: 'file:postgresReplicationTrigger.dark.svg' },
    group: ['trigger'],
    version: 1,
    subtitle: '={{ $parameter["events"].length > 3 ? "all that happens" : $parameter["events"].join(", ") }}',
    description:
      'Watches a PostgreSQL pair from here and from other hosts, and starts the workflow once for each incident',
    defaults: { name: 'Postgres Replication Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [
      { name: 'selfhostHost', required: true, testedBy: 'hostCredentialTest' },
      { name: 'selfhostPostgres', required: true, testedBy: 'postgresCredentialTest' },
      ...structuredClone([...stateCredentials]),
    ],
    properties: postgresReplicationTriggerProperties,
  };

  methods = { credentialTest: { hostCredentialTest, postgresCredentialTest, stateCredentialTest } };

  async trigger(this: ITriggerFunctions): Promise<ITriggerResponse> {
    const ended = new AbortController();
    const owner = `trigger ${this.getWorkflow().id ?? 'unsaved'}/${this.getNode().id}`;
    const task: Task = { signal: ended.signal, progress: () => undefined, owner };
    try {
      const settings = await settingsOf(this);
      const { cluster, events, place, mayWait } = settings;
      if (this.getMode() === 'manual') {
        return {
          manualTriggerFunction: async () => {
            this.emit([[await sightOf(settings, task)]]);
          },
          closeFunction: () => {
            ended.abort();
            return Promise.resolve();
          },
        };
      }
      const workflowId = this.getWorkflow().id ?? '';
      // Here, so that whoever publishes it is told; the watch itself begins behind their back.
      await refuseOwnCluster(cluster, workflowId, task);
      // Its last words are written after the watch was told to stop.
      const untilClosed: Task = { ...task, signal: new AbortController().signal };
      const { store } = await openStateOf(this, 0, place, untilClosed);
      if (mayWait) {
        this.logger.warn(
          `Postgres Replication Trigger ${cluster.name}: this n8n runs only so many executions at once, so a failover may have to wait; events say so in "mayWait"`,
        );
      }
      let trouble: string | undefined;
      const say = (error: Error | undefined) => {
        const text = error && sentence(error);
        if (text === trouble) return;
        trouble = text;
        if (text === undefined) this.logger.info(`Postgres Replication Trigger ${cluster.name}: it works again`);
        else this.logger.warn(`Postgres Replication Trigger ${cluster.name}: ${text}`);
      };
      const watching = watchCluster(
        {
          ...settings,
          store,
          workflowId,
          deliver: async (event) => {
            if (!events.includes(event.event)) return 'ended well';
            // Resolves when the execution has ended, or without a run when n8n finds that it was started before.
            const execution = this.helpers.createDeferredPromise<IRun>();
            const key = uniqueKey(owner, event.id, String(event.attempt));
            this.emit([[itemOf({ ...event, mayWait })]], undefined, execution, key);
            const run = (await execution.promise) as IRun | undefined;
            // One that waits, for example for a person, is n8n's from here on: it goes on after a restart as well.
            return run === undefined || ['success', 'waiting'].includes(run.status) ? 'ended well' : 'failed';
          },
          onTrouble: say,
        },
        task,
      ).catch((error: unknown) => {
        if (!ended.signal.aborted) this.emitError(toNodeError(this.getNode(), error));
      });
      return {
        closeFunction: async () => {
          ended.abort();
          await watching;
          await store.close();
        },
      };
    } catch (error) {
      throw toNodeError(this.getNode(), error);
    }
  }
}

/** Execute workflow in the editor: how the cluster is now, and what would be told of it. */
async function sightOf({ cluster, limits }: TriggerSettings, task: Task): Promise<INodeExecutionData> {
  const topology = await readTopology(cluster, {}, task);
  const { verdict, primary, reasons } = topology;
  const signs = signsOf(cluster, topology, limits).map(({ kind, member, text }) => ({ event: kind, member, text }));
  return itemOf({
    ...{ event: 'sight', cluster: cluster.name, verdict, primary },
    ...{ reasons, signs, mermaid: drawTopology(topology) },
  });
}

function itemOf(event: object): INodeExecutionData {
  return { json: event as IDataObject };
}

function sentence(error: Error): string {
  return isFailure(error) ? `${error.message}. ${error.nextStep}` : messageOf(error);
}

/** n8n keeps it under a unique index of at most 255 characters over all workflows. */
function uniqueKey(...parts: string[]): string {
  return `selfhost-postgres-${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
}
