import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { coverageOf } from '../../../lab/standins/contract';
import { type Reply, startStandIn, type StandIn } from '../../../lab/standins/http';
import type { InfisicalStandIn } from '../../../lab/standins/infisical';
import { realSurroundings } from '../../../lib/http/settings';
import { infisicalApi } from '../../../lib/infisical/api';
import { parseInfisicalCredential } from '../../../lib/infisical/credential';
import { keySecretOf } from '../../../lib/infisical/login';
import { listProjects } from '../../../lib/infisical/projects';
import { failureOf } from '../../shared/failure';
import { quietTask } from '../../shared/task';
import { type Clock, closeAndKeepContract, infisical, loginContract, newClock } from './standin';

const task = quietTask();
const clouds: StandIn[] = [];
afterEach(async () => {
  for (const cloud of clouds.splice(0)) await cloud.close();
  await closeAndKeepContract();
});

const AWS = { accessKeyId: 'AKIDPLANTED', secretAccessKey: 'planted/aws+secret' };
const JWT = 'planted.json.token';

let standIn: InfisicalStandIn;
let identity: ReturnType<InfisicalStandIn['addIdentity']>;
let clock: Clock;
let folder: string;
beforeEach(async () => {
  clock = newClock();
  standIn = await infisical({ now: clock.now });
  standIn.addProject('homelab');
  identity = standIn.addIdentity();
  folder = await mkdtemp(join(tmpdir(), 'infisical-logins-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Fields = Readonly<Record<string, string>>;

function apiOf(fields: Fields, environment: Fields = {}) {
  const { readOnly: _, ...settings } = parseInfisicalCredential({
    siteUrl: standIn.url,
    identityId: identity.id,
    ...fields,
  });
  return infisicalApi(settings, { ...realSurroundings, environment, now: clock.now, wait: clock.wait });
}

/** Which projects are seen, as whom, and by which addresses it was asked. */
async function seenBy(fields: Fields, environment: Fields = {}) {
  const api = apiOf(fields, environment);
  try {
    const projects = (await listProjects(api, task)).map(({ slug }) => slug);
    return { projects, as: await api.identity(task), asked: standIn.seen.map(({ url }) => url) };
  } finally {
    api.close();
  }
}

const isIn = (method: string) => ({
  projects: ['homelab'],
  as: identity.id,
  asked: [`/api/v1/auth/${method}-auth/login`, '/api/v1/projects'],
});

/** The metadata of a cloud, as only its machines reach it. */
async function cloud(routes: Readonly<Record<string, Reply>>): Promise<StandIn> {
  const made = await startStandIn({
    routes: Object.entries(routes).map(([template, reply]) => {
      const [method = '', path = ''] = template.split(' ');
      return { method, template: path, handle: () => reply };
    }),
  });
  clouds.push(made);
  return made;
}

const trusted = () => ({ SELFHOST_INFISICAL_SITE: `${standIn.url}/` });

describe('what stands in the credential logs in', () => {
  test('keys of AWS, by a signed request that names no secret', async () => {
    standIn.letIn(identity, { method: 'aws', ...AWS });
    expect(await seenBy({ login: 'aws', region: 'eu-central-1', ...AWS })).toEqual(isIn('aws'));
    expect(JSON.stringify(standIn.seen)).not.toContain(AWS.secretAccessKey);
  });

  test('keys that AWS lent', async () => {
    standIn.letIn(identity, { method: 'aws', ...AWS, sessionToken: 'lent==' });
    expect(await seenBy({ login: 'aws', region: 'us-east-1', ...AWS, sessionToken: 'lent==' })).toEqual(isIn('aws'));
  });

  test('a user of a directory', async () => {
    standIn.letIn(identity, { method: 'ldap', username: 'n8n', password: 'planted pass' });
    expect(await seenBy({ login: 'ldap', username: 'n8n', password: 'planted pass' })).toEqual(isIn('ldap'));
  });

  test.each(['kubernetes', 'oidc', 'jwt'] as const)('a token (%s)', async (method) => {
    standIn.letIn(identity, { method, jwt: JWT });
    expect(await seenBy({ login: method, jwt: JWT })).toEqual(isIn(method));
  });
});

describe('the machine that n8n runs on logs in', () => {
  test('with the keys in the environment of n8n', async () => {
    standIn.letIn(identity, { method: 'aws', ...AWS });
    const environment = { AWS_ACCESS_KEY_ID: AWS.accessKeyId, AWS_SECRET_ACCESS_KEY: AWS.secretAccessKey };
    expect(await seenBy({ login: 'aws', region: 'eu-west-1' }, { ...trusted(), ...environment })).toEqual(isIn('aws'));
  });

  test('with its role at AWS', async () => {
    standIn.letIn(identity, { method: 'aws', ...AWS, sessionToken: 'lent==' });
    const roles = '/latest/meta-data/iam/security-credentials/';
    const { url, seen } = await cloud({
      'PUT /latest/api/token': { status: 200, text: 'session' },
      [`GET ${roles}`]: { status: 200, text: 'n8n-role' },
      [`GET ${roles}n8n-role`]: {
        status: 200,
        json: { AccessKeyId: AWS.accessKeyId, SecretAccessKey: AWS.secretAccessKey, Token: 'lent==' },
      },
    });
    const environment = {
      ...trusted(),
      AWS_EC2_METADATA_SERVICE_ENDPOINT: url,
      // Of n8n's own way out, which does not lead there.
      HTTP_PROXY: 'http://127.0.0.1:1',
      NO_PROXY: new URL(standIn.url).host,
    };
    expect(await seenBy({ login: 'aws', region: 'eu-central-1' }, environment)).toEqual(isIn('aws'));
    expect(seen.map(({ method, url: at, headers }) => [method, at, headers['x-aws-ec2-metadata-token']])).toEqual([
      ['PUT', '/latest/api/token', undefined],
      ['GET', roles, 'session'],
      ['GET', `${roles}n8n-role`, 'session'],
    ]);
  });

  test('with its service account at Google, by a token made for this identity', async () => {
    standIn.letIn(identity, { method: 'gcp', jwt: JWT });
    const path = '/computeMetadata/v1/instance/service-accounts/default/identity';
    const { url, seen } = await cloud({ [`GET ${path}`]: { status: 200, text: JWT } });
    const environment = { ...trusted(), GCE_METADATA_HOST: new URL(url).host };
    expect(await seenBy({ login: 'gcp' }, environment)).toEqual(isIn('gcp'));
    expect(seen.map(({ url: at, headers }) => [at, headers['metadata-flavor']])).toEqual([
      [`${path}?audience=${identity.id}&format=full`, 'Google'],
    ]);
  });

  test('with its managed identity at Azure', async () => {
    standIn.letIn(identity, { method: 'azure', jwt: JWT });
    const path = '/metadata/identity/oauth2/token';
    const { url, seen } = await cloud({ [`GET ${path}`]: { status: 200, json: { access_token: JWT } } });
    const environment = { ...trusted(), AZURE_POD_IDENTITY_AUTHORITY_HOST: url };
    expect(await seenBy({ login: 'azure' }, environment)).toEqual(isIn('azure'));
    expect(seen.map(({ url: at, headers }) => [at, headers['metadata']])).toEqual([
      [`${path}?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F`, 'true'],
    ]);
  });

  test.each(['kubernetes', 'oidc', 'jwt'] as const)(
    'with the token in a file, which is read anew for each login (%s)',
    async (method) => {
      const file = join(folder, 'token');
      await writeFile(file, `${JWT}\n`);
      standIn.letIn(identity, { method, jwt: JWT });
      const environment = { ...trusted(), SELFHOST_INFISICAL_TOKEN_FILE: file };
      const api = apiOf({ login: method }, environment);
      await listProjects(api, task);
      standIn.dropTokens();
      await writeFile(file, 'another.token');
      const failure = await failureOf(listProjects(api, task));
      expect([failure.code, standIn.logins()]).toEqual(['infisical_login_refused', 2]);
      api.close();
    },
  );

  test.each(['aws', 'azure', 'gcp', 'kubernetes', 'oidc', 'jwt'])(
    'only to the site that its administrator named (%s)',
    async (method) => {
      const file = join(folder, 'token');
      await writeFile(file, JWT);
      const machine = {
        SELFHOST_INFISICAL_TOKEN_FILE: file,
        AWS_ACCESS_KEY_ID: AWS.accessKeyId,
        AWS_SECRET_ACCESS_KEY: AWS.secretAccessKey,
      };
      const fields = { login: method, region: 'eu-central-1' };
      for (const site of ['', 'https://secrets.example.org']) {
        const environment = { ...machine, SELFHOST_INFISICAL_SITE: site };
        const failure = await failureOf(listProjects(apiOf(fields, environment), task));
        expect(failure.code).toBe('infisical_site_not_trusted');
        expect(failure.message).toMatch(/SELFHOST_INFISICAL_SITE (is not set|names another site) in the environment/);
      }
      expect(standIn.seen).toEqual([]);
    },
  );

  test('a machine without an identity is told where to look, not what its metadata said', async () => {
    const { url } = await cloud({});
    const environment = { ...trusted(), AWS_EC2_METADATA_SERVICE_ENDPOINT: url };
    const failure = await failureOf(listProjects(apiOf({ login: 'aws', region: 'eu-central-1' }, environment), task));
    expect([failure.subject, failure.nextStep]).toEqual([
      'metadata of AWS: PUT /latest/api/token',
      'Check that n8n runs on a machine of AWS that has an identity, or write keys or a token into the credential.',
    ]);
  });
});

test.each([
  ['aws', { ...AWS, region: 'eu-central-1', secretAccessKey: 'planted-wrong' }],
  ['ldap', { username: 'n8n', password: 'planted-wrong' }],
  ['jwt', { jwt: 'planted-wrong' }],
] as const)('a login that is refused is tried once, and what it was is not told (%s)', async (method, fields) => {
  standIn.letIn(identity, { method: 'aws', ...AWS });
  standIn.letIn(identity, { method: 'ldap', username: 'n8n', password: 'right' });
  standIn.letIn(identity, { method: 'jwt', jwt: JWT });
  const failure = await failureOf(listProjects(apiOf({ login: method, ...fields }), task));
  expect([failure.code, standIn.logins()]).toEqual(['infisical_login_refused', 1]);
  expect(JSON.stringify(failure)).not.toContain('planted');
});

test.each([
  [{ login: 'aws', region: 'x.evil.example#' }, 'AWS Region of the Infisical credential is "x.evil.example#"'],
  [
    { login: 'aws', region: 'eu-central-1', accessKeyId: 'only' },
    'Of Access Key ID and Secret Access Key of the Infisical credential one is empty',
  ],
  [{ login: 'ldap', username: 'n8n' }, 'Password of the Infisical credential is empty'],
  [{ login: 'gcp', identityId: '' }, 'Identity ID of the Infisical credential is empty'],
  [{ login: 'magic' }, 'Log In With of the Infisical credential is "magic"'],
])('a credential that cannot be used says why: %j', (fields, message) => {
  expect(() => apiOf(fields as Fields)).toThrow(message);
});

test('nothing is encrypted with what changes by itself', () => {
  const key = (fields: Fields) =>
    keySecretOf(
      parseInfisicalCredential({ siteUrl: standIn.url, identityId: 'x', region: 'eu-central-1', ...fields }).login,
    );
  expect(key({ login: 'aws', ...AWS })).toBe(AWS.secretAccessKey);
  for (const fields of [{ login: 'aws' }, { login: 'gcp' }, { login: 'jwt', jwt: JWT }]) {
    expect(() => key(fields as Fields)).toThrow('this login has none that stays the same');
  }
});

test('every login that the server knows is used', () => {
  const { forgotten, unknown } = coverageOf(loginContract, {});
  expect({ forgotten, unknown }).toEqual({ forgotten: [], unknown: [] });
});
