import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../../lib/failure';
import { checkHosts } from '../../../lib/host/check-hosts';
import { parseIdentity } from '../../../lib/host/identity';

const DEADLINE_MS = 60_000;

/** Logs in to each pinned host, and says which ones do not answer. */
export async function hostCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    const { ok, summary } = await checkHosts(parseIdentity(credential.data ?? {}), task);
    return { status: ok ? 'OK' : 'Error', message: summary };
  } catch (error) {
    return { status: 'Error', message: messageOf(error) };
  }
}
