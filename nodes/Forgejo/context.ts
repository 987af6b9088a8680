import { type ForgejoApi, forgejoApi } from '../../lib/forgejo/api';
import { parseForgejoCredential } from '../../lib/forgejo/credential';
import { type ForgejoRegistry, forgejoRegistry } from '../../lib/forgejo/registry/registry';
import type { ContextQuestion } from '../declaration';
import { secretSourcesOf } from '../shared/secretSources';
import type { ForgejoContext } from './operation';

/** Nothing is asked of it before it is used. */
const registries = new WeakMap<ForgejoApi, ForgejoRegistry>();

/** Items of one execution share connections. Gone with the execution. */
const shared = new WeakMap<object, Map<string, ForgejoApi>>();

export async function forgejoContext({
  execute,
  itemIndex,
}: ContextQuestion): Promise<ForgejoContext & { readOnly: boolean }> {
  const credential = parseForgejoCredential(await execute.getCredentials('selfhostForgejo', itemIndex));
  const ofExecution = shared.get(execute) ?? new Map<string, ForgejoApi>();
  shared.set(execute, ofExecution);
  const key = JSON.stringify([credential.baseUrl, credential.token]);
  const api = ofExecution.get(key) ?? forgejoApi(credential);
  ofExecution.set(key, api);
  const registry = registries.get(api) ?? forgejoRegistry(credential, api);
  registries.set(api, registry);
  return { api, registry, secrets: await secretSourcesOf(execute, itemIndex), readOnly: credential.readOnly };
}
