import { isFailure } from '../failure';
import type { Task } from '../task';
import type { ForgejoApi } from './api';
import { endpoint } from './endpoint';
import { fieldsOf } from './fields';

export interface CredentialCheck {
  readonly user: string;
  readonly isAdmin: boolean;
  readonly version: string;
  /** Scopes that the nodes use and the token lacks; undefined when nobody can tell. */
  readonly missingScopes: readonly string[];
}

const currentUser = endpoint('GET', '/user', (body) => {
  const user = fieldsOf(body, 'the user of the token');
  return { login: user.text('login'), isAdmin: user.flag('is_admin') };
});

/** Reads that each need one scope: tokens cannot be asked what they may do. */
const probes = [
  { scope: 'read:repository', probe: endpoint('GET', '/user/repos', (body) => body) },
  { scope: 'read:organization', probe: endpoint('GET', '/user/orgs', (body) => body) },
  { scope: 'read:issue', probe: endpoint('GET', '/repos/issues/search', (body) => body) },
  { scope: 'read:package', probe: endpoint('GET', '/packages/{owner}', (body) => body) },
] as const;

export const credentialEndpoints = [currentUser, ...probes.map(({ probe }) => probe)];

export async function checkCredential(api: ForgejoApi, task: Task): Promise<CredentialCheck> {
  const version = await api.version(task);
  const { login, isAdmin } = await api.call(currentUser, { at: {} }, task);
  const missingScopes: string[] = [];
  for (const { scope, probe } of probes) {
    try {
      await api.call(probe, { at: { owner: login }, query: { limit: 1 } }, task);
    } catch (error) {
      if (!isFailure(error, 'scope_missing') && !isFailure(error, 'forbidden')) throw error;
      missingScopes.push(scope);
    }
  }
  return { user: login, isAdmin, version: version.text, missingScopes };
}
