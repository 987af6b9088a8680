import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { describeDocker } from '../../../lib/docker/engine/access';
import { parseDockerCredential } from '../../../lib/docker/engine/credential';
import { connectEngine } from '../../../lib/docker/engine/engine';
import { messageOf } from '../../../lib/failure';

const DEADLINE_MS = 30_000;

/** Connects and says which Docker answers. */
export async function dockerCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    const { place } = parseDockerCredential(credential.data ?? {});
    const { serverVersion, apiVersion } = await connectEngine(place, task);
    return { status: 'OK', message: `${describeDocker(place)} answers: version ${serverVersion}, API ${apiVersion}` };
  } catch (error) {
    return { status: 'Error', message: messageOf(error) };
  }
}
