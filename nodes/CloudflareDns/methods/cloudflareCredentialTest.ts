import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { cloudflareApi } from '../../../lib/cloudflare/api';
import { parseCloudflareCredential } from '../../../lib/cloudflare/credential';
import { inspectToken } from '../../../lib/cloudflare/token';
import { messageOf } from '../../../lib/failure';

const DEADLINE_MS = 30_000;

/** Says which zones the token reaches, and which permissions it lacks. */
export async function cloudflareCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const { readOnly, ...settings } = parseCloudflareCredential(credential.data);
    const api = cloudflareApi(settings);
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    const { missing, zones } = await inspectToken(api, { toEdit: !readOnly }, task).finally(api.close);
    if (missing.length === 0) return { status: 'OK', message: `It reaches ${zones.join(', ')}` };
    return { status: 'Error', message: `The token is valid, but lacks ${missing.join(' and ')}` };
  } catch (error) {
    return { status: 'Error', message: messageOf(error) };
  }
}
