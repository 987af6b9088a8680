import { DEFAULT_SOCKET } from '../../lib/docker/engine/access';
import { connectEngine } from '../../lib/docker/engine/engine';
import { isObject } from '../../lib/json';
import type { ContextQuestion } from '../declaration';
import { hostContext } from '../Host/context';
import type { DockerContext } from './operation';

/** The host as the Host node knows it, with its hold and its read-only switch, and the Docker on it. */
export async function dockerContext(question: ContextQuestion): Promise<DockerContext & { readOnly: boolean }> {
  const { host, secrets, readOnly } = await hostContext(question);
  const { options } = question.input;
  const chosen = isObject(options) && typeof options['socketPath'] === 'string' ? options['socketPath'] : '';
  const access = { host, socketPath: chosen === '' ? DEFAULT_SOCKET : chosen };
  return { hostName: host.target.name, access, engine: () => connectEngine(access, question.task), secrets, readOnly };
}
