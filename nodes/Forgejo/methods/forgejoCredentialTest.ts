import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { isFailure, messageOf } from '../../../lib/failure';
import { forgejoApi } from '../../../lib/forgejo/api';
import { parseForgejoCredential } from '../../../lib/forgejo/credential';
import { checkCredential } from '../../../lib/forgejo/credential-check';

const DEADLINE_MS = 30_000;

/** Names the user, the version of the server, and the scopes that the token lacks. */
export async function forgejoCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const api = forgejoApi(parseForgejoCredential(credential.data));
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    const { user, isAdmin, version, missingScopes } = await checkCredential(api, task).finally(api.close);
    const who = `${user}${isAdmin ? ' (admin)' : ''} on Forgejo ${version}`;
    if (missingScopes.length === 0) return { status: 'OK', message: `The token is that of ${who}` };
    return { status: 'Error', message: `The token is that of ${who}, but lacks ${missingScopes.join(', ')}` };
  } catch (error) {
    if (isFailure(error)) return { status: 'Error', message: `${error.message}. ${error.nextStep}` };
    return { status: 'Error', message: messageOf(error) };
  }
}
