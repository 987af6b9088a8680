import { Failure } from '../failure';
import type { Surroundings } from '../http/settings';
import { proofOfIdentity } from './aws';
import type { InfisicalLogin, InfisicalSettings } from './credential';
import { awsKeysOfMachine, azureToken, googleToken, refuseOtherSites, tokenOfFile } from './machine';

/** Every login but a ready token. */
export type LoginWithRequest = Exclude<InfisicalLogin, { readonly method: 'token' }>;

export interface LoginRequest {
  readonly address: string;
  readonly json: Readonly<Record<string, string>>;
  /** What of it nobody may see. */
  readonly hidden: string;
}

/** What is sent to log in. Where it needs the identity of the machine, that is asked for now: it changes by itself. */
export async function loginRequestOf(
  { siteUrl }: InfisicalSettings,
  login: LoginWithRequest,
  surroundings: Surroundings,
): Promise<LoginRequest> {
  const ofMachine = async <Value>(ask: () => Promise<Value>): Promise<Value> => {
    refuseOtherSites(siteUrl, surroundings);
    return ask();
  };
  const { organization } = login;
  const inside: LoginRequest['json'] = organization === undefined ? {} : { subOrganizationName: organization };
  switch (login.method) {
    case 'universal': {
      const { clientId, clientSecret } = login;
      return { address: addressOf('universal'), json: { clientId, clientSecret, ...inside }, hidden: clientSecret };
    }
    case 'ldap': {
      const { identityId, username, password } = login;
      return { address: addressOf('ldap'), json: { identityId, username, password, ...inside }, hidden: password };
    }
    case 'aws': {
      const { identityId, region } = login;
      const keys = login.keys ?? (await ofMachine(() => awsKeysOfMachine(surroundings)));
      const proof = proofOfIdentity(keys, region, surroundings.now());
      // It is called otherwise here, and only here.
      const within: LoginRequest['json'] = organization === undefined ? {} : { organizationSlug: organization };
      return {
        address: addressOf('aws'),
        json: { identityId, ...proof, ...within },
        hidden: proof.iamRequestHeaders,
      };
    }
    case 'kubernetes':
    case 'oidc':
    case 'jwt':
    case 'gcp':
    case 'azure': {
      const { identityId } = login;
      const jwt = await tokenFor(login, surroundings, ofMachine);
      return { address: addressOf(login.method), json: { identityId, jwt, ...inside }, hidden: jwt };
    }
  }
}

function addressOf(method: LoginWithRequest['method']): string {
  return `/api/v1/auth/${method}-auth/login`;
}

async function tokenFor(
  login: Extract<LoginWithRequest, { readonly method: 'kubernetes' | 'oidc' | 'jwt' | 'gcp' | 'azure' }>,
  surroundings: Surroundings,
  ofMachine: (ask: () => Promise<string>) => Promise<string>,
): Promise<string> {
  switch (login.method) {
    case 'gcp':
      return ofMachine(() => googleToken(login.identityId, surroundings));
    case 'azure':
      return ofMachine(() => azureToken(surroundings));
    default:
      return login.jwt ?? ofMachine(() => tokenOfFile(login.method, surroundings));
  }
}

/** What stands in the credential and stays the same: it is kept out of all that is shown. */
export function lastingSecretOf(login: InfisicalLogin): string | undefined {
  switch (login.method) {
    case 'universal':
      return login.clientSecret;
    case 'token':
      return login.accessToken;
    case 'ldap':
      return login.password;
    case 'aws':
      return login.keys?.secretAccessKey;
    case 'kubernetes':
    case 'oidc':
    case 'jwt':
    case 'gcp':
    case 'azure':
      return undefined;
  }
}

/** The same, to make a key of with which something is encrypted: tokens that change by themselves are none. */
export function keySecretOf(login: InfisicalLogin): string {
  const secret = lastingSecretOf(login);
  if (secret !== undefined) return secret;
  throw new Failure({
    code: 'no_lasting_secret',
    subject: 'Infisical credential',
    message:
      'What is kept on a host is encrypted with a key made of the secret in the Infisical credential, and this login has none that stays the same',
    nextStep: 'Use a credential with Universal Auth for this operation.',
  });
}
