import { Failure } from '../failure';
import { isObject } from '../json';

export interface ForgejoCredential {
  /** With the sub-path, without `/api/v1`. */
  readonly baseUrl: string;
  readonly token: string;
  /** PEM of a private certificate authority. */
  readonly privateAuthority: string | undefined;
  /** Everything that could change something is refused. */
  readonly readOnly: boolean;
}

/** The fields of the credential, as n8n hands them over. */
export function parseForgejoCredential(data: unknown): ForgejoCredential {
  const fields = isObject(data) ? data : {};
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name].trim() : '');
  const needed = (name: string, label: string) => {
    const found = text(name);
    if (found !== '') return found;
    throw new Failure({
      code: 'credential_incomplete',
      subject: 'the Forgejo credential',
      message: `The Forgejo credential has no ${label}`,
      nextStep: `Open the credential, fill in ${label}, and test it.`,
    });
  };
  const authority = text('privateAuthority');
  return {
    // The address of the API is pasted as often as that of the site.
    baseUrl: needed('baseUrl', 'base URL')
      .replace(/\/+$/, '')
      .replace(/\/api\/v1$/, ''),
    token: needed('token', 'access token'),
    privateAuthority: authority === '' ? undefined : authority,
    readOnly: fields['readOnly'] === true,
  };
}
