import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../lib/failure';
import { parseStateCredential } from '../../lib/state/credential';
import { postgresState } from '../../lib/state/postgres';

const DEADLINE_MS = 30_000;

/** Logs in, makes the table where it is missing, and reads from it. */
export async function stateCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const database = parseStateCredential(credential.data);
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    const store = postgresState(database, task);
    try {
      await store.read('selfhost/credential-test');
      return { status: 'OK', message: `The ${store.place} can be used` };
    } finally {
      await store.close();
    }
  } catch (error) {
    return { status: 'Error', message: messageOf(error) };
  }
}
