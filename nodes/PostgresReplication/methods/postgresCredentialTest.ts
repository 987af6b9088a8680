import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { isFailure, messageOf } from '../../../lib/failure';
import { checkLogin } from '../../../lib/postgres/check-login';
import { parsePostgresCredential } from '../../../lib/postgres/credential';

const DEADLINE_MS = 30_000;

/** Logs in for real where it can; where only a node can, it says so. */
export async function postgresCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    return { status: 'OK', message: await checkLogin(parsePostgresCredential(credential.data), task) };
  } catch (error) {
    // Nothing is wrong with it as far as anybody can see from here.
    return { status: isFailure(error, 'not_tested') ? 'OK' : 'Error', message: messageOf(error) };
  }
}
