import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../lib/failure';
import { infisicalApi } from '../../lib/infisical/api';
import { parseInfisicalCredential } from '../../lib/infisical/credential';
import { listProjects } from '../../lib/infisical/projects';

const DEADLINE_MS = 30_000;

/** Names the machine identity and the projects it sees. */
export async function infisicalCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const { readOnly: _, ...settings } = parseInfisicalCredential(credential.data ?? {});
    const api = infisicalApi(settings);
    const task = { signal: AbortSignal.timeout(DEADLINE_MS), progress: () => undefined, owner: 'credential test' };
    try {
      const projects = (await listProjects(api, task)).map(({ slug }) => slug);
      const who = (await api.identity(task)) ?? 'this token';
      return projects.length === 0
        ? { status: 'Error', message: `Identity ${who} is logged in, but is a member of no project` }
        : { status: 'OK', message: `Identity ${who} sees ${projects.join(', ')}` };
    } finally {
      api.close();
    }
  } catch (error) {
    return { status: 'Error', message: messageOf(error) };
  }
}
