import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../../lib/failure';
import { createHetznerApi } from '../../../lib/hetzner/api';
import { parseHetznerCredential } from '../../../lib/hetzner/credential';
import { checkToken } from '../../../lib/hetzner/token';

const DEADLINE_MS = 30_000;

/** Tells a wrong token from one that may only read, and says whether the storage boxes can be reached. */
export async function hetznerCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const { readOnly, ...settings } = parseHetznerCredential(credential.data);
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    const { mayWrite, storage } = await checkToken(createHetznerApi(settings), task);
    if (!mayWrite && !readOnly) {
      return {
        status: 'Error',
        message: 'The token is valid, but may only read: make one with Read & Write, or switch Read Only on',
      };
    }
    if (!storage.reachable) return { status: 'Error', message: `Not for storage boxes: ${storage.why}` };
    return { status: 'OK', message: mayWrite ? 'The token may read and write' : 'The token may read' };
  } catch (error) {
    return { status: 'Error', message: messageOf(error) };
  }
}
