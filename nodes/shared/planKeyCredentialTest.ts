import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../lib/failure';
import { parsePlanKey } from '../../lib/plan/credential';

/** There is nobody to ask about a key; it only has to be one. */
export function planKeyCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    parsePlanKey(credential.data);
    return Promise.resolve({ status: 'OK', message: 'The key is long enough' });
  } catch (error) {
    return Promise.resolve({ status: 'Error', message: messageOf(error) });
  }
}
