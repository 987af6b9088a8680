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
import { checkNow } from '../../lib/health/check-now';
import { checksOf } from '../../lib/health/check';
import { runWatch } from '../../lib/health/watcher';
import type { Task } from '../../lib/task';
import { toNodeError } from '../declaration';
import { surroundingsOf } from '../HealthMonitor/surroundings';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { secretsCredentialTest } from '../Host/methods/secretsCredentialTest';
import { infisicalCredentialTest } from '../shared/infisicalCredentialTest';
import { secretCredentials } from '../shared/secretCredentials';
import { openStateOf, stateCredentials } from '../shared/state';
import { stateCredentialTest } from '../shared/stateCredentialTest';
import { healthMonitorTriggerProperties } from './properties';
import { settingsOf } from './settings';

export class HealthMonitorTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Health Monitor Trigger',
    name: 'healthMonitorTrigger',
    icon: { light: 'file:healthMonitorTrigger.svg', dark: 'file:healthMonitorTrigger.dark.svg' },
    group: ['trigger'],
    version: 1,
    subtitle: '={{ $parameter["watch"] }}',
    description: 'Watches thousands of targets and starts the workflow when one of them changes',
    defaults: { name: 'Health Monitor Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main, NodeConnectionTypes.Main],
    outputNames: ['Changes', 'Heartbeat'],
    credentials: [
      ...structuredClone([...stateCredentials]),
      { name: 'selfhostHost', displayName: 'Host (SSH)', required: false, testedBy: 'hostCredentialTest' },
      ...secretCredentials(),
    ],
    properties: healthMonitorTriggerProperties,
  };

  methods = {
    credentialTest: { hostCredentialTest, infisicalCredentialTest, secretsCredentialTest, stateCredentialTest },
  };

  async trigger(this: ITriggerFunctions): Promise<ITriggerResponse> {
    const ended = new AbortController();
    const owner = `trigger ${this.getWorkflow().id ?? 'unsaved'}/${this.getNode().id}`;
    const task: Task = { signal: ended.signal, progress: () => undefined, owner };
    try {
      const { watch, targets, concurrency, heartbeatMs, place } = settingsOf(this);
      const surroundings = await surroundingsOf(this, 0);
      const checks = await checksOf(targets, surroundings, task);

      if (this.getMode() === 'manual') {
        return {
          manualTriggerFunction: async () => {
            const news = await checkNow(targets, surroundings, concurrency, task);
            this.emit([news.map(itemOf), []]);
          },
          closeFunction: () => {
            ended.abort();
            return Promise.resolve();
          },
        };
      }

      // Its last words are written after the watch was told to stop.
      const untilClosed: Task = { ...task, signal: new AbortController().signal };
      const { store } = await openStateOf(this, 0, place, untilClosed);
      const say = (error: Error | undefined) => {
        if (error === undefined) this.logger.info(`Health Monitor Trigger ${watch}: it works again`);
        else this.logger.warn(`Health Monitor Trigger ${watch}: ${sentence(error)}`);
      };
      const watching = runWatch(
        {
          ...{ name: watch, targets, checks, store, concurrency, onTrouble: say },
          deliver: async ({ id, attempt, news }) => {
            // Resolves when the execution has ended, or without a run when n8n finds that it was started before.
            const execution = this.helpers.createDeferredPromise<IRun>();
            this.emit([news.map(itemOf), []], undefined, execution, uniqueKey(owner, id, String(attempt)));
            const run = (await execution.promise) as IRun | undefined;
            return run === undefined || run.status === 'success' ? 'ended well' : 'failed';
          },
          ...(heartbeatMs > 0 && {
            heartbeat: {
              everyMs: heartbeatMs,
              beat: (heartbeat) => this.emit([[], [{ json: { ...heartbeat } }]]),
            },
          }),
        },
        task,
      ).catch((error: unknown) => {
        this.emitError(toNodeError(this.getNode(), error));
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

function itemOf(news: object): INodeExecutionData {
  return { json: news as IDataObject };
}

function sentence(error: Error): string {
  return isFailure(error) ? `${error.message}. ${error.nextStep}` : messageOf(error);
}

/** n8n keeps it under a unique index of at most 255 characters over all workflows. */
function uniqueKey(...parts: string[]): string {
  return `selfhost-watch-${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
}
