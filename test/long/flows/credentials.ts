import type { PostgresServer } from '../../../lab/postgres';

/** Credentials that the flows of several tests use, as n8n stores them. */

export const forgejoCredential = (baseUrl: string, token: string) => ({
  type: 'selfhostForgejo',
  data: { baseUrl, token, privateAuthority: '', readOnly: false },
});

export const infisicalCredential = (
  siteUrl: string,
  { clientId, clientSecret }: { readonly clientId: string; readonly clientSecret: string },
) => ({
  type: 'selfhostInfisical',
  data: { siteUrl, login: 'universal', clientId, clientSecret, readOnly: false },
});

/** For a flow that is published with it and never comes to it. */
export const noInfisical = infisicalCredential('http://127.0.0.1:9', { clientId: 'not', clientSecret: 'used' });

export const secretsCredential = (secrets: string) => ({ type: 'selfhostSecrets', data: { secrets } });

export const stateCredential = ({ host, port, user, password, database }: PostgresServer) => ({
  type: 'selfhostState',
  data: { host, port, user, password, database, encrypt: false, privateAuthority: '' },
});
