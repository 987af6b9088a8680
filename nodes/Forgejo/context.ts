import { forgejoApi } from '../../lib/forgejo/api';
import { type ForgejoCredential, parseForgejoCredential } from '../../lib/forgejo/credential';
import { forgejoRegistry } from '../../lib/forgejo/registry/registry';
import type { ContextQuestion } from '../declaration';
import type { ForgejoContext } from './operation';

/** Items of one execution share connections. Gone with the execution. */
const shared = new WeakMap<object, Map<string, ForgejoContext>>();

export async function forgejoContext({
  execute,
  itemIndex,
}: ContextQuestion): Promise<ForgejoContext & { readOnly: boolean }> {
  const credential = parseForgejoCredential(await execute.getCredentials('selfhostForgejo', itemIndex));
  const ofExecution = shared.get(execute) ?? new Map<string, ForgejoContext>();
  shared.set(execute, ofExecution);
  const key = JSON.stringify([credential.baseUrl, credential.token]);
  const context = ofExecution.get(key) ?? connect(credential);
  ofExecution.set(key, context);
  return { ...context, readOnly: credential.readOnly };
}

/** Nothing is asked before it is used. */
function connect(credential: ForgejoCredential): ForgejoContext {
  const api = forgejoApi(credential);
  return { api, registry: forgejoRegistry(credential, api) };
}
