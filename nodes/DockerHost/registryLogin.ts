import type { RegistryLogin } from '../../lib/docker/engine/images';
import { withoutSecrets } from '../../lib/secrets/redact';
import { resolveReference, type SecretSources } from '../../lib/secrets/resolve';
import type { Task } from '../../lib/task';
import { text } from '../declaration';

/** Who pulls and pushes, where a registry asks for that. */
export const registryOptions = {
  registryUser: text({ label: 'Registry User', placeholder: 'me' }),
  registryToken: text({
    label: 'Registry Token',
    placeholder: 'credential:REGISTRY_TOKEN',
    description: 'A secret reference. It goes to Docker with the request and is written nowhere.',
  }),
};

interface Given {
  readonly registryUser?: string;
  readonly registryToken?: string;
}

/** Works with the login behind the reference; neither result nor failure tells it. */
export async function withRegistryLogin<T>(
  { registryUser, registryToken = '' }: Given,
  secrets: SecretSources,
  task: Task,
  work: (login: RegistryLogin | undefined) => Promise<T>,
): Promise<T> {
  if (registryToken === '') return await work(undefined);
  const password = await resolveReference(registryToken, secrets, task);
  return await withoutSecrets([password], () => work({ user: registryUser ?? '', password }));
}
