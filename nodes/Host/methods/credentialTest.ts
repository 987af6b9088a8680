import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../../lib/failure';
import { parseIdentity } from '../../../lib/host/identity';
import { runCommand } from '../../../lib/host/run';
import { selectHost } from '../../../lib/host/select';

const eachWithinMs = 20_000;

/** Reaches every pinned host once, and says which ones do not answer. */
export async function hostCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const identity = parseIdentity(credential.data ?? {});
    const failures = await Promise.all(
      identity.hosts.map(async ({ name }) => {
        try {
          const task = {
            signal: AbortSignal.timeout(eachWithinMs),
            progress: () => undefined,
            owner: 'credential test',
          };
          await runCommand(
            selectHost(identity, name),
            { argv: ['true'], runAs: 'login' },
            { timeoutMs: eachWithinMs },
            task,
          );
          return [];
        } catch (error) {
          return [`${name}: ${messageOf(error)}`];
        }
      }),
    );
    const silent = failures.flat();
    if (silent.length > 0) return { status: 'Error', message: silent.join('; ') };
    return { status: 'OK', message: `All ${identity.hosts.length} hosts answer` };
  } catch (error) {
    return { status: 'Error', message: messageOf(error) };
  }
}
