import { readFile } from 'node:fs/promises';
import { Failure, messageOf } from '../failure';
import { createHttpClient, type HttpClient } from '../http/client';
import { path } from '../http/path';
import type { Headers, Surroundings } from '../http/settings';
import { isObject } from '../json';
import type { Task } from '../task';
import type { AwsKeys } from './aws';

/*
 * Who the machine is that n8n runs on: the role its cloud gave it, or a token in a file. It belongs to whoever runs
 * n8n, and not to whoever may write a credential into it, so it goes to the one site only that n8n's own environment
 * names. Otherwise everybody could have it sent to a server of theirs.
 */

export const SITE_VARIABLE = 'SELFHOST_INFISICAL_SITE';
const FILE_VARIABLE = 'SELFHOST_INFISICAL_TOKEN_FILE';
const KUBERNETES_FILE = '/var/run/secrets/kubernetes.io/serviceaccount/token';
const LONGEST_TOKEN = 32_768;
const METADATA_MS = 10_000;

export function refuseOtherSites(siteUrl: string, { environment }: Surroundings): void {
  const named = (environment[SITE_VARIABLE] ?? '').trim();
  if (URL.canParse(named) && new URL(named).origin === new URL(siteUrl).origin) return;
  throw new Failure({
    code: 'infisical_site_not_trusted',
    subject: `Infisical at ${siteUrl}`,
    message: `The identity of the machine that n8n runs on is not sent to ${siteUrl}: ${named === '' ? `${SITE_VARIABLE} is not set` : `${SITE_VARIABLE} names another site`} in the environment of n8n`,
    nextStep: `Whoever runs n8n can set ${SITE_VARIABLE} to the address of Infisical, for n8n and its workers. Or write keys or a token into the credential.`,
  });
}

/** The token that Kubernetes, or something else on the machine, writes and renews. Read anew for each login. */
export async function tokenOfFile(method: 'kubernetes' | 'oidc' | 'jwt', surroundings: Surroundings): Promise<string> {
  const named = surroundings.environment[FILE_VARIABLE] ?? '';
  const file = named === '' && method === 'kubernetes' ? KUBERNETES_FILE : named;
  const unusable = (why: string) =>
    new Failure({
      code: 'machine_token_unusable',
      subject: file === '' ? FILE_VARIABLE : file,
      message: `There is no token to log in to Infisical with: ${why}`,
      nextStep: `Set ${FILE_VARIABLE} in the environment of n8n to the file that holds it, or write a token into the credential.`,
    });
  if (file === '') throw unusable(`${FILE_VARIABLE} is not set`);
  const token = await readFile(file, 'utf8').then(
    (text) => text.trim(),
    (error: unknown) => {
      throw unusable(messageOf(error));
    },
  );
  if (token === '' || token.length > LONGEST_TOKEN || /\s/.test(token)) throw unusable(`${file} does not hold one`);
  return token;
}

/** Of the service account of this machine at Google, made for this identity. */
export async function googleToken(identityId: string, surroundings: Surroundings): Promise<string> {
  const named = surroundings.environment['GCE_METADATA_HOST'] ?? '';
  const headers = { 'metadata-flavor': 'Google' };
  return ask(
    'Google',
    `http://${named === '' ? 'metadata.google.internal' : named}`,
    surroundings,
    async (http, task) => {
      const query = { audience: identityId, format: 'full' };
      const from = path('/computeMetadata/v1/instance/service-accounts/default/identity');
      return (await http.text({ method: 'GET', path: from, query, headers }, task)).body.trim();
    },
  );
}

/** Of the managed identity of this machine at Azure. */
export async function azureToken(surroundings: Surroundings): Promise<string> {
  const base = metadataAt(surroundings, 'AZURE_POD_IDENTITY_AUTHORITY_HOST');
  return ask('Azure', base, surroundings, async (http, task) => {
    const query = { 'api-version': '2018-02-01', resource: 'https://management.azure.com/' };
    const from = path('/metadata/identity/oauth2/token');
    const { body } = await http.request({ method: 'GET', path: from, query, headers: { metadata: 'true' } }, task);
    return textIn(body, 'access_token', 'Azure');
  });
}

/** Of the environment of n8n, or else of the role of this machine at AWS. */
export async function awsKeysOfMachine(surroundings: Surroundings): Promise<AwsKeys> {
  const { environment } = surroundings;
  const [id = '', secret = '', token = ''] = ['ACCESS_KEY_ID', 'SECRET_ACCESS_KEY', 'SESSION_TOKEN'].map(
    (name) => environment[`AWS_${name}`],
  );
  if (id !== '' && secret !== '') {
    return { accessKeyId: id, secretAccessKey: secret, ...(token !== '' && { sessionToken: token }) };
  }
  const base = metadataAt(surroundings, 'AWS_EC2_METADATA_SERVICE_ENDPOINT');
  return ask('AWS', base, surroundings, async (http, task) => {
    const text = async (method: 'GET' | 'PUT', of: Parameters<HttpClient['text']>[0]['path'], headers: Headers) =>
      (await http.text({ method, path: of, headers }, task)).body.trim();
    const session = await text('PUT', path('/latest/api/token'), { 'x-aws-ec2-metadata-token-ttl-seconds': '60' });
    const headers = { 'x-aws-ec2-metadata-token': session };
    const role = await text('GET', path('/latest/meta-data/iam/security-credentials/'), headers);
    const from = path('/latest/meta-data/iam/security-credentials/{role}', { role });
    const { body } = await http.request({ method: 'GET', path: from, headers }, task);
    return {
      accessKeyId: textIn(body, 'AccessKeyId', 'AWS'),
      secretAccessKey: textIn(body, 'SecretAccessKey', 'AWS'),
      sessionToken: textIn(body, 'Token', 'AWS'),
    };
  });
}

/** Where AWS and Azure have it, or where the libraries of both are told to look. */
function metadataAt({ environment }: Surroundings, variable: string): string {
  const named = environment[variable] ?? '';
  return named === '' ? 'http://169.254.169.254' : named;
}

/** The service of a cloud that only its machines reach. No proxy is between, whatever n8n's environment says. */
async function ask<Result>(
  cloud: string,
  baseUrl: string,
  surroundings: Surroundings,
  work: (http: HttpClient, task: Task) => Promise<Result>,
): Promise<Result> {
  const http = createHttpClient(
    {
      service: `metadata of ${cloud}`,
      baseUrl,
      timeouts: { connectMs: 2_000, answerMs: 5_000 },
      // A role's keys have no place in the words of a failure.
      explain: () => ({
        nextStep: `Check that n8n runs on a machine of ${cloud} that has an identity, or write keys or a token into the credential.`,
      }),
      retry: { attempts: 2 },
    },
    { ...surroundings, environment: {} },
  );
  const task: Task = { signal: AbortSignal.timeout(METADATA_MS), progress: () => undefined, owner: 'Infisical login' };
  return work(http, task).finally(http.close);
}

function textIn(body: unknown, name: string, cloud: string): string {
  const value = isObject(body) ? body[name] : undefined;
  if (typeof value === 'string' && value !== '') return value;
  throw new Failure({
    code: 'unreadable_answer',
    subject: `metadata of ${cloud}`,
    message: `The metadata of ${cloud} has no ${name}`,
    nextStep: `Check that this machine has an identity at ${cloud}.`,
  });
}
