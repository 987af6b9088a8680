import { createHash } from 'node:crypto';
import { NodeConnectionTypes } from 'n8n-workflow';
import type { IRun, INodeType, INodeTypeDescription, ITriggerFunctions, ITriggerResponse } from 'n8n-workflow';
import { DEFAULT_SOCKET, type DockerAccess } from '../../lib/docker/engine/access';
import { readEvent, watchEvents, type EventItem } from '../../lib/docker/events/watch';
import { parseIdentity } from '../../lib/host/identity';
import { selectHost } from '../../lib/host/select';
import type { Task } from '../../lib/task';
import { toNodeError } from '../declaration';
import { hostCredentialTest } from '../Host/methods/hostCredentialTest';
import { dockerHostTriggerProperties } from './properties';

export class DockerHostTrigger implements INodeType {
  description: INodeTypeDescription = {
    displayName: 'Docker Host Trigger',
    name: 'dockerHostTrigger',
    icon: { light: 'file:dockerHostTrigger.svg', dark: 'file:dockerHostTrigger.dark.svg' },
    group: ['trigger'],
    version: 1,
    subtitle: '={{ $parameter["actions"].join(", ") || "every event" }}',
    description:
      'Starts the workflow once for each event of Docker on your servers, also for those that came while n8n was down',
    defaults: { name: 'Docker Host Trigger' },
    inputs: [],
    outputs: [NodeConnectionTypes.Main],
    credentials: [{ name: 'selfhostHost', required: true, testedBy: 'hostCredentialTest' }],
    properties: dockerHostTriggerProperties,
  };

  methods = { credentialTest: { hostCredentialTest } };

  async trigger(this: ITriggerFunctions): Promise<ITriggerResponse> {
    const settings = await settingsOf(this);
    const ended = new AbortController();
    const task: Task = { signal: ended.signal, progress: () => undefined, owner: `trigger ${settings.consumer}` };
    const closeFunction = () => {
      ended.abort();
      return Promise.resolve();
    };

    if (this.getMode() === 'manual') {
      return {
        manualTriggerFunction: async () => {
          const { access, item } = await readEvent(settings.accesses, settings, task);
          this.emit([[itemOf(access, item)]]);
        },
        closeFunction,
      };
    }

    for (const access of settings.accesses) {
      const { name } = access.host.target;
      void watchEvents(
        access,
        {
          ...settings,
          deliver: async (item, key) => {
            // Resolves when the follow-up has ended, or when n8n finds that it was started before.
            const followUp = this.helpers.createDeferredPromise<IRun>();
            this.emit([[itemOf(access, item)]], undefined, followUp, uniqueKey(settings.consumer, key));
            await followUp.promise;
          },
          onTrouble: (failure) => {
            if (failure === undefined) this.logger.info(`Docker Host Trigger: ${name} answers again`);
            else this.logger.warn(`Docker Host Trigger: ${failure.message}. ${failure.nextStep}`);
          },
        },
        task,
      ).catch((error: unknown) => {
        this.emitError(toNodeError(this.getNode(), error));
      });
    }
    return { closeFunction };
  }
}

async function settingsOf(trigger: ITriggerFunctions) {
  try {
    const identity = parseIdentity(await trigger.getCredentials('selfhostHost'));
    const names = wordsOf(trigger, 'hosts');
    const wanted = names.length > 0 ? names : identity.hosts.map(({ name }) => name);
    const chosen: unknown = trigger.getNodeParameter('actions', []);
    const [socketPath = DEFAULT_SOCKET] = wordsOf(trigger, 'options.socketPath');
    return {
      accesses: wanted.map((name): DockerAccess => ({ host: selectHost(identity, name), socketPath })),
      consumer: `${trigger.getWorkflow().id ?? 'unsaved'}/${trigger.getNode().id}`,
      filter: {
        types: wordsOf(trigger, 'options.types'),
        actions: [...(Array.isArray(chosen) ? chosen.map(String) : []), ...wordsOf(trigger, 'options.furtherActions')],
        containers: wordsOf(trigger, 'options.containers'),
        labels: wordsOf(trigger, 'options.labels'),
      },
      groupSeconds: Math.max(0, Number(trigger.getNodeParameter('options.groupSeconds', 10))),
      logLines: Math.max(0, Number(trigger.getNodeParameter('options.logLines', 20))),
    };
  } catch (error) {
    throw toNodeError(trigger.getNode(), error);
  }
}

function wordsOf(trigger: ITriggerFunctions, name: string): readonly string[] {
  const value: unknown = trigger.getNodeParameter(name, '');
  if (typeof value !== 'string') return [];
  return value
    .split(/[\n,]/)
    .map((word) => word.trim())
    .filter((word) => word !== '');
}

function itemOf({ host }: DockerAccess, { exitCodes, attributes, ...item }: EventItem) {
  return { json: { host: host.target.name, ...item, exitCodes: [...exitCodes], attributes: { ...attributes } } };
}

/** n8n keeps it under a unique index of at most 255 characters over all workflows. */
function uniqueKey(...parts: string[]): string {
  return `selfhost-docker-${createHash('sha256').update(JSON.stringify(parts)).digest('hex')}`;
}
