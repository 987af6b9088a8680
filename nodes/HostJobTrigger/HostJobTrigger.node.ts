import { createHash } from 'node:crypto';
import { NodeConnectionTypes } from 'n8n-workflow';
import type {
  INodeExecutionData,
  INodeType,
  INodeTypeDescription,
  IRun,
  ITriggerFunctions,
  ITriggerResponse,
} from 'n8n-workflow';
import type { Host } from '../../lib/host/host';
import { parseIdentity } from '../../lib/host/identity';
import { readFinishedJob, watchFinishedJobs } from '../../lib/host/jobs/watch';
import type { Job } from '../../lib/host/jobs/record';
import { selectHost } from '../../lib/host/select';
import type { Task } from '../../lib/task';
import { toNodeError } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { jobItem } from '../Host/actions/job/shared';
import { hostJobTriggerProperties } from './properties';

const DELIVERY = 'selfhost-job';

export class HostJobTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Host Job Trigger',
    name: 'hostJobTrigger',
    icon: { light: 'file:hostJobTrigger.svg', dark: 'file:hostJobTrigger.dark.svg' },
    group: ['trigger'],
    version: 1,
    subtitle: '={{ $parameter["jobName"] || "every job" }}',
    description:
      'Starts the workflow once for each job that has ended on a host, also for those that ended while n8n was down',
    defaults: { name: 'Host Job Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: 'selfhostHost', required: true, testedBy: 'hostCredentialTest' }],
    properties: hostJobTriggerProperties,
  };

  methods = { credentialTest: { hostCredentialTest } };

  async trigger(this: ITriggerFunctions): Promise<ITriggerResponse> {
    const settings = await settingsOf(this);
    const ended = new AbortController();
    const task: Task = { signal: ended.signal, progress: () => undefined, owner: `trigger ${settings.consumer}` };

    if (this.getMode() === 'manual') {
      return {
        manualTriggerFunction: async () => {
          const { host, job } = await readFinishedJob(settings.hosts, settings, task);
          this.emit([[itemOf(host, job)]]);
        },
        closeFunction: () => {
          ended.abort();
          return Promise.resolve();
        },
      };
    }

    for (const host of settings.hosts) {
      const { name } = host.target;
      void watchFinishedJobs(
        host,
        {
          ...settings,
          deliver: async (job, key) => {
            // Resolves when the follow-up has ended, or when n8n finds that it was started before.
            const followUp = this.helpers.createDeferredPromise<IRun>();
            this.emit([[itemOf(host, job)]], undefined, followUp, uniqueKey(settings.consumer, name, key));
            await followUp.promise;
          },
          onTrouble: (failure) => {
            if (failure === undefined) this.logger.info(`Host Job Trigger: ${name} answers again`);
            else this.logger.warn(`Host Job Trigger: ${failure.message}. ${failure.nextStep}`);
          },
        },
        task,
      ).catch((error: unknown) => {
        this.emitError(toNodeError(this.getNode(), error));
      });
    }
    return {
      closeFunction: () => {
        ended.abort();
        return Promise.resolve();
      },
    };
  }
}

async function settingsOf(trigger: ITriggerFunctions) {
  try {
    const identity = parseIdentity(await trigger.getCredentials('selfhostHost'));
    const names = textOf(trigger, 'hosts')
      .split(/[\n,]/)
      .map((name) => name.trim())
      .filter((name) => name !== '');
    const wanted = names.length > 0 ? names : identity.hosts.map(({ name }) => name);
    const outcome = textOf(trigger, 'outcome');
    const jobName = textOf(trigger, 'jobName').trim();
    return {
      hosts: wanted.map((name) => selectHost(identity, name)),
      consumer: `${trigger.getWorkflow().id ?? 'unsaved'}/${trigger.getNode().id}`,
      filter: {
        name: jobName === '' ? undefined : jobName,
        earlier: trigger.getNodeParameter('options.earlier', false) === true,
      },
      wants: (job: Job) => outcome === 'all' || (outcome === 'succeeded') === succeeded(job),
      intervalMs: Math.max(1, Number(trigger.getNodeParameter('options.intervalSeconds', 5))) * 1000,
    };
  } catch (error) {
    throw toNodeError(trigger.getNode(), error);
  }
}

function textOf(trigger: ITriggerFunctions, name: string): string {
  const value: unknown = trigger.getNodeParameter(name, '');
  return typeof value === 'string' ? value : '';
}

function succeeded({ state }: Job): boolean {
  return state.kind === 'finished' && 'exitCode' in state.exit && state.exit.exitCode === 0;
}

function itemOf(host: Host, job: Job): INodeExecutionData {
  return { json: jobItem(host.target.name, job) };
}

/** n8n keeps it under a unique index of at most 255 characters over all workflows. */
function uniqueKey(...parts: string[]): string {
  return `${DELIVERY}-${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
}
