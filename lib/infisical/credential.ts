import { Failure } from '../failure';
import type { AwsKeys } from './aws';

interface InOrganization {
  /** For an identity that logs in to a sub-organization. */
  readonly organization?: string;
}

interface OfIdentity extends InOrganization {
  readonly identityId: string;
}

export type InfisicalLogin =
  | (InOrganization & { readonly method: 'universal'; readonly clientId: string; readonly clientSecret: string })
  | { readonly method: 'token'; readonly accessToken: string }
  | (OfIdentity & {
      readonly method: 'aws';
      readonly region: string;
      /** Without them: those of the machine that n8n runs on. */
      readonly keys?: AwsKeys;
    })
  | (OfIdentity & { readonly method: 'ldap'; readonly username: string; readonly password: string })
  | (OfIdentity & {
      readonly method: 'kubernetes' | 'oidc' | 'jwt';
      /** Without it: that of the file which the machine has for this. */
      readonly jwt?: string;
    })
  /** The machine that n8n runs on says who it is. */
  | (OfIdentity & { readonly method: 'gcp' | 'azure' });

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
  const organization = text('organization');
  const inside = organization === '' ? {} : { organization };
  const identity = () => ({ identityId: required('identityId', 'Identity ID'), ...inside });
  switch (method) {
    case 'universal': {
      const [clientId, clientSecret] = [required('clientId', 'Client ID'), required('clientSecret', 'Client Secret')];
      return { method, clientId, clientSecret, ...inside };
    }
    case 'token':
      return { method, accessToken: required('accessToken', 'Access Token') };
    case 'aws': {
      const region = required('region', 'AWS Region');
      // It becomes part of a host name, here and at the server, which takes no other.
      if (!/^[a-z0-9-]{1,20}$/.test(region)) {
        throw invalid(`AWS Region of the Infisical credential is "${region}"`, 'Write it like eu-central-1.');
      }
      return { method, ...identity(), region, ...awsKeysOf(text) };
    }
    case 'ldap':
      return {
        ...{ method, ...identity() },
        username: required('username', 'User Name'),
        password: required('password', 'Password'),
      };
    case 'kubernetes':
    case 'oidc':
    case 'jwt': {
      const jwt = text('jwt');
      return { method, ...identity(), ...(jwt !== '' && { jwt }) };
    }
    case 'gcp':
    case 'azure':
      return { method, ...identity() };
    default:
      throw invalid(`Log In With of the Infisical credential is "${method}"`, 'Choose one of its list.');
  }
}

function awsKeysOf(text: (name: string) => string): { readonly keys?: AwsKeys } {
  const [accessKeyId, secretAccessKey, sessionToken] = [
    text('accessKeyId'),
    text('secretAccessKey'),
    text('sessionToken'),
  ];
  if (accessKeyId === '' && secretAccessKey === '') return {};
  if (accessKeyId === '' || secretAccessKey === '') {
    throw invalid(
      'Of Access Key ID and Secret Access Key of the Infisical credential one is empty',
      'Fill in both, or neither: then the role of the machine that n8n runs on is used.',
    );
  }
  return { keys: { accessKeyId, secretAccessKey, ...(sessionToken !== '' && { sessionToken }) } };
}

function invalid(message: string, nextStep: string): Failure {
  return new Failure({ code: 'credential_invalid', subject: 'Infisical credential', message, nextStep });
}
