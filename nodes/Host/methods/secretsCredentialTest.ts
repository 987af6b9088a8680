import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../../lib/failure';
import { parseNamedSecrets } from '../../../lib/secrets/named-secrets';

/** Says which names can be used; never a value. */
export function secretsCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const text = credential.data?.['secrets'];
    const names = [...parseNamedSecrets(typeof text === 'string' ? text : '').keys()];
    const message =
      names.length === 0 ? 'There is no secret in it yet' : `Usable as credential:NAME: ${names.join(', ')}`;
    return Promise.resolve({ status: names.length === 0 ? 'Error' : 'OK', message });
  } catch (error) {
    return Promise.resolve({ status: 'Error', message: messageOf(error) });
  }
}
