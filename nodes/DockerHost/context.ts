import { DEFAULT_SOCKET, describeDocker, type DockerAccess } from '../../lib/docker/engine/access';
import { parseDockerCredential } from '../../lib/docker/engine/credential';
import { connectEngine } from '../../lib/docker/engine/engine';
import { Failure } from '../../lib/failure';
import { isObject } from '../../lib/json';
import type { ContextQuestion } from '../declaration';
import { hostContext } from '../Host/context';
import { secretSourcesOf } from '../shared/secretSources';
import type { DockerContext } from './operation';

/** The Docker on a host as the Host node knows it, with its hold and its read-only switch; or one that is reached without SSH. */
export async function dockerContext(question: ContextQuestion): Promise<DockerContext & { readOnly: boolean }> {
  const { execute, input, itemIndex, task, operation } = question;
  const chosen = execute.getNode().credentials ?? {};
  if (chosen['selfhostHost'] === undefined && chosen['selfhostDocker'] !== undefined)
    return await withoutHost(question);
  const { host, secrets, readOnly } = await hostContext(question);
  const { options } = input;
  const socket = isObject(options) && typeof options['socketPath'] === 'string' ? options['socketPath'] : '';
  const access: DockerAccess = { host, socketPath: socket === '' ? DEFAULT_SOCKET : socket };
  return {
    hostName: host.target.name,
    access: () => access,
    engine: () => connectEngine(access, task),
    secrets,
    readOnly,
  };

  async function withoutHost(asked: ContextQuestion): Promise<DockerContext & { readOnly: boolean }> {
    const {
      place,
      name,
      readOnly: closed,
    } = parseDockerCredential(await asked.execute.getCredentials('selfhostDocker', itemIndex));
    return {
      hostName: name,
      access: () => {
        throw new Failure({
          code: 'host_needed',
          subject: describeDocker(place),
          message: `${operation.name} of a ${operation.resource} is done on the host itself, and ${describeDocker(place)} is reached without SSH`,
          nextStep: 'Choose a Host (SSH) credential in the node instead.',
        });
      },
      engine: () => connectEngine(place, task),
      secrets: ['container', 'image'].includes(operation.resource) ? await secretSourcesOf(execute, itemIndex) : {},
      readOnly: closed,
    };
  }
}
