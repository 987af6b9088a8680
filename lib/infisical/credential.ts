import { Failure } from '../failure';

export type InfisicalLogin =
  | {
      readonly method: 'universal';
      readonly clientId: string;
      readonly clientSecret: string;
      /** For an identity that logs in to a sub-organization. */
      readonly organization?: string;
    }
  | { readonly method: 'token'; readonly accessToken: string };

export interface InfisicalSettings {
  /** `https://secrets.example.org`, without /api */
  readonly siteUrl: string;
  readonly login: InfisicalLogin;
  /** PEM of a private certificate authority. */
  readonly privateAuthority?: string;
}

/** Reads the fields of the Infisical credential as n8n hands them over. */
export function parseInfisicalCredential(
  fields: Readonly<Record<string, unknown>>,
): InfisicalSettings & { readonly readOnly: boolean } {
  const text = (name: string) => {
    const value = fields[name];
    return typeof value === 'string' ? value.trim() : '';
  };
  const required = (name: string, label: string) => {
    const value = text(name);
    if (value === '') throw invalid(`${label} of the Infisical credential is empty`, `Fill in ${label}.`);
    return value;
  };
  const privateAuthority = text('privateAuthority');
  return {
    siteUrl: required('siteUrl', 'Site URL')
      .replace(/\/+$/, '')
      .replace(/\/api$/, ''),
    login: loginOf(text('login') || 'universal', text, required),
    ...(privateAuthority !== '' && { privateAuthority }),
    readOnly: fields['readOnly'] === true,
  };
}

function loginOf(
  method: string,
  text: (name: string) => string,
  required: (name: string, label: string) => string,
): InfisicalLogin {
  switch (method) {
    case 'universal': {
      const organization = text('organization');
      return {
        method,
        clientId: required('clientId', 'Client ID'),
        clientSecret: required('clientSecret', 'Client Secret'),
        ...(organization !== '' && { organization }),
      };
    }
    case 'token':
      return { method, accessToken: required('accessToken', 'Access Token') };
    default:
      throw invalid(`Log In With of the Infisical credential is "${method}"`, 'Choose Universal Auth or Access Token.');
  }
}

function invalid(message: string, nextStep: string): Failure {
  return new Failure({ code: 'credential_invalid', subject: 'Infisical credential', message, nextStep });
}
