import type { ICredentialsDecrypted, ICredentialTestFunctions, INodeCredentialTestResult } from 'n8n-workflow';
import { messageOf } from '../../../lib/failure';
import { parseRcloneCredential } from '../../../lib/rclone/credential';

/** Lists the remotes. Whether each works only a host can tell, which has rclone: the operation Remote: Test does. */
export function rcloneCredentialTest(
  this: ICredentialTestFunctions,
  credential: ICredentialsDecrypted,
): Promise<INodeCredentialTestResult> {
  try {
    const { remotes, rclone, crypt } = parseRcloneCredential(credential.data ?? {});
    const vault =
      crypt === undefined ? 'Nothing says yet what backups are encrypted with.' : `Backups are encrypted as ${crypt}.`;
    const what =
      remotes === undefined
        ? `The configuration is ${rclone.kind === 'file' ? rclone.path : ''} on the host.`
        : `Readable: ${remotes.map(({ name, type }) => `${name} (${type})`).join(', ')}.`;
    return Promise.resolve({
      status: 'OK',
      message: `${what} ${vault} Whether they answer, Remote: Test asks from a host.`,
    });
  } catch (error) {
    return Promise.resolve({ status: 'Error', message: messageOf(error) });
  }
}
