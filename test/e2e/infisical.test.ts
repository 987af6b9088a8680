import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labCredential } from '../../lab/estate';
import { startSshHost, type SshHost } from '../../lab/hosts/ssh-host';
import { until } from '../../lab/hosts/waiting';
import { type PostgresServer, startPostgres } from '../../lab/postgres';
import { type InfisicalStandIn, type Project, startInfisical } from '../../lab/standins/infisical';
import type { JsonObject } from '../../lib/json';
import { Infisical } from '../../nodes/Infisical/Infisical.node';
import { manualWorkflow, type NodeUnderTest, sharedN8n } from './harness';
import { keptBy, leaksIn, watchProcesses } from './leaks';

const { api, folder: n8nFolder, readLog } = sharedN8n();

/** What must be nowhere to be seen, with characters that every encoding changes. */
const planted = {
  stored: 'planted-$tored "one" ü',
  other: "planted-other'two",
  named: 'planted-named+three/',
  admin: 'planted-admin-four&',
};

type Credential = { readonly id: string; readonly name: string };

let bruno: SshHost;
let postgres: PostgresServer;
let standIn: InfisicalStandIn;
let project: Project;
let folder: string;
let login: ReturnType<InfisicalStandIn['addIdentity']>;
let credentials: Readonly<Record<string, Credential>>;
let kmsKey: string;

const infisicalCredential = () => {
  const { clientId, clientSecret } = login;
  return { siteUrl: standIn.url, login: 'universal', clientId, clientSecret, readOnly: false };
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'selfhost-infisical-'));
  bruno = await startSshHost({
    name: 'bruno',
    machine: { hostname: 'bruno', folder: mkdtempSync(join(folder, 'bruno-')) },
  });
  postgres = await startPostgres();
  standIn = await startInfisical({ sql: postgres.sql, shortestTtlSeconds: 2 });
  project = standIn.addProject('homelab');
  login = standIn.addIdentity();
  standIn.put(project, 'prod', '/', { KEY: planted.other, OLD: planted.stored });
  standIn.put(project, 'prod', '/', { KEY: planted.stored });
  standIn.put(project, 'dev', '/', { KEY: planted.other });
  standIn.put(project, 'prod', '/db', { ROLE: planted.stored, ADMIN: planted.admin });
  standIn.addDynamicSecret(project, 'prod', '/', 'db');
  kmsKey = standIn.addKey();
  // Not its superuser: the lab's own psql has that one's password in its environment.
  await postgres.sql(
    `create role immich login password '${planted.stored}'; create role keeper superuser login password '${planted.admin}'`,
  );
  credentials = {
    selfhostInfisical: await api.createCredential('infisical', 'selfhostInfisical', infisicalCredential()),
    selfhostHost: await api.createCredential('bruno', 'selfhostHost', labCredential([bruno])),
    selfhostSecrets: await api.createCredential('named', 'selfhostSecrets', { secrets: `NAMED=${planted.named}` }),
  };
});
afterAll(async () => {
  for (const server of [standIn, postgres, bruno] as readonly (
    { close?(): Promise<void>; stop?(): Promise<void> } | undefined
  )[]) {
    await server?.close?.();
    await server?.stop?.();
  }
  rmSync(folder, { recursive: true, force: true });
});

const place = { project: { __rl: true, mode: 'id', value: 'homelab' }, environment: 'prod', path: '/' };

function infisicalNode(operation: string, parameters: JsonObject, given = credentials): NodeUnderTest {
  const [resource = '', name = ''] = operation.split('.');
  return {
    type: 'n8n-nodes-selfhost.infisical',
    name: operation,
    parameters: { resource, operation: name, ...place, ...parameters },
    credentials: given,
    // One item in and at least one out, so that a chain of them runs through.
    ...{ executeOnce: true, alwaysOutputData: true },
  };
}

const host = { __rl: true, mode: 'id', value: 'bruno' };
const inFile = (name: string) => ({ host, file: join(folder, name), format: 'compose' });

/** Every operation but Get Value, as somebody would use it, in an order in which each finds what it needs. */
const calls = (): readonly (readonly [string, JsonObject])[] => [
  ['project.list', {}],
  ['project.create', { projectName: 'Shop', options: { slug: 'shop-1' } }],
  ['environment.list', {}],
  ['environment.create', { environmentName: 'Test', environment: 'test' }],
  ['folder.list', { recursive: true }],
  ['folder.ensure', { path: '/a/b' }],
  ['secret.list', { options: { recursive: true } }],
  ['secret.get', { key: 'KEY' }],
  ['secret.history', { key: 'KEY', versions: 10 }],
  ['secret.compare', { otherProject: place.project, otherEnvironment: 'dev', otherPath: '/' }],
  ['secret.create', { key: 'NEW', valueFrom: 'credential:NAMED' }],
  ['secret.update', { key: 'NEW', options: { valueFrom: 'infisical:homelab/dev/KEY', comment: 'why' } }],
  ['secret.upsert', { secrets: { pairs: [{ key: 'MADE', value: 'generate:32' }] } }],
  ['secret.delete', { keys: 'OLD' }],
  ['file.write', inFile('.env')],
  ['file.check', inFile('.env')],
  ['kms.encrypt', { keyId: kmsKey, valueFrom: 'credential:NAMED' }],
  [
    'kms.decrypt',
    { keyId: kmsKey, ciphertext: '={{ $("kms.encrypt").item.json.ciphertext }}', host, file: join(folder, 'plain') },
  ],
  ['kms.sign', { keyId: kmsKey, data: 'text', algorithm: 'ECDSA_SHA_256' }],
  ['kms.verify', { keyId: kmsKey, data: 'text', signature: 'c2ln', algorithm: 'ECDSA_SHA_256' }],
  ['lease.create', { ...inFile('lease.env'), dynamicSecret: 'db' }],
  ['lease.renew', { leaseId: '={{ $("lease.create").item.json.id }}' }],
  ['lease.list', { dynamicSecret: 'db' }],
  ['lease.revoke', { leaseId: '={{ $("lease.create").item.json.id }}' }],
  ['lease.hold', { dynamicSecret: 'db' }],
  [
    'rotation.rotate',
    {
      ...{
        path: '/db',
        key: 'ROLE',
        host,
        valueOwner: 'postgres',
        role: 'immich',
        address: `127.0.0.1:${postgres.port}`,
      },
      ...{ adminUser: 'keeper', adminPassword: 'infisical:homelab/prod/db/ADMIN', usedBy: '[]' },
    },
  ],
  ['rotation.listUnfinished', { host }],
];

test('no operation but Get Value leaves a value in the database, the logs, the binary data of n8n, or a process list', async () => {
  const operations = Infisical.declaration.resources.flatMap(({ operations: some }) => some);
  expect(
    calls()
      .map(([name]) => name)
      .sort(),
  ).toEqual(
    operations
      .map(({ resource, name }) => `${resource}.${name}`)
      .filter((name) => name !== 'secret.getValue')
      .sort(),
  );
  const watch = watchProcesses();
  const nodes = calls().map(([name, parameters]) => infisicalNode(name, parameters));
  const id = await api.createWorkflow(manualWorkflow('Every operation', ...nodes));
  const execution = await api.runToEnd(id, 'By hand', { within: 150_000 });
  const processes = await watch.stop();

  expect([execution.status, execution.error]).toEqual(['success', undefined]);
  expect(Object.entries(execution.runs).map(([name, [first]]) => [name, first?.status])).toEqual(
    ['By hand', ...calls().map(([name]) => name)].map((name) => [name, 'success']),
  );
  expect(watch.looks()).toBeGreaterThan(10);
  const rotated = standIn.value(project, 'prod', '/db', 'ROLE') ?? '';
  const made = standIn.value(project, 'prod', '/', 'MADE') ?? '';
  const values = [...Object.values(planted), login.clientSecret, rotated, made, ...standIn.leasedPasswords];
  expect(new Set(values).size).toBe(9);
  expect(readFileSync(join(folder, '.env'), 'utf8')).toContain('planted-other');
  expect(leaksIn(new Map([...keptBy(n8nFolder, readLog()), ...processes]), values)).toEqual([]);
});

test('the search for values can fail: it finds the one that Get Value was asked for', async () => {
  standIn.put(project, 'prod', '/', { SHOWN: 'shown-on-purpose-"1"' });
  const id = await api.createWorkflow(manualWorkflow('Get Value', infisicalNode('secret.getValue', { key: 'SHOWN' })));
  const { status } = await api.runToEnd(id, 'By hand');
  expect(status).toBe('success');
  const found = leaksIn(keptBy(n8nFolder, readLog()), ['shown-on-purpose-"1"']);
  expect(found).toEqual(
    expect.arrayContaining([expect.stringMatching(/database\.sqlite, its rows: shown-on-purpose/)]),
  );
});

test('n8n tests a credential of each kind of login, and sends the identity of its machine nowhere by itself', async () => {
  const aws = { accessKeyId: 'AKIDPLANTED', secretAccessKey: 'planted/aws+login' };
  const ldap = { username: 'n8n', password: 'planted ldap login' };
  standIn.letIn(login, { method: 'aws', ...aws });
  standIn.letIn(login, { method: 'ldap', ...ldap });
  standIn.letIn(login, { method: 'jwt', jwt: 'planted.jwt.login' });
  const tested = async (fields: JsonObject & { readonly login: string }) => {
    const data = { siteUrl: standIn.url, identityId: login.id, readOnly: false, ...fields };
    const { id } = await api.createCredential(`login ${fields.login}`, 'selfhostInfisical', data);
    const { status, message } = await api.testCredential(id);
    return `${status}: ${message.split(':')[0]}`;
  };
  // Beside the project that another test has made.
  const well = `OK: Identity ${login.id} sees `;
  expect(await tested({ login: 'aws', region: 'eu-central-1', ...aws })).toContain(well);
  expect(await tested({ login: 'ldap', ...ldap })).toContain(well);
  expect(await tested({ login: 'jwt', jwt: 'planted.jwt.login' })).toContain(well);
  for (const method of ['azure', 'gcp', 'kubernetes', 'oidc']) {
    expect(await tested({ login: method })).toBe(
      'Error: The identity of the machine that n8n runs on is not sent to http',
    );
  }
  const values = [aws.secretAccessKey, ldap.password, 'planted.jwt.login'];
  expect(leaksIn(keptBy(n8nFolder, readLog()), values)).toEqual([]);
});

describe('a login that is held for one execution', () => {
  const roles = async () => (await postgres.sql("select rolname from pg_roles where rolname like 'inf\\_%'")).trim();
  const hold = (options: JsonObject = {}, given = credentials) =>
    infisicalNode('lease.hold', { dynamicSecret: 'db', options }, given);
  /** Logs in with it and stays as long as the script says. */
  const use = (after: string, given = credentials): NodeUnderTest => ({
    type: 'n8n-nodes-selfhost.host',
    name: 'Use',
    parameters: {
      ...{ resource: 'command', operation: 'runScript', host },
      script: `psql -XAt -h 127.0.0.1 -p ${postgres.port} -U "$ROLE" -d postgres -c 'select current_user'; ${after}`,
      options: {
        secretEnvironment: {
          pairs: [
            { key: 'ROLE', value: '={{ $json.references[0] }}' },
            { key: 'PGPASSWORD', value: '={{ $json.references[1] }}' },
          ],
        },
      },
    },
    credentials: given,
  });
  const started = async (...nodes: NodeUnderTest[]) =>
    api.runManually(await api.createWorkflow(manualWorkflow('Held', ...nodes)), 'By hand');
  const gone = () => until('the leased role is gone', 30_000, async () => ((await roles()) === '' ? true : undefined));
  beforeEach(gone);

  test('works in the nodes behind it, and is revoked after success', async () => {
    const { status, runs, error } = await api.waitForExecution(await started(hold(), use('true')));
    expect([status, error]).toEqual(['success', undefined]);
    // Its name is a value of the lease, too.
    expect(runs['Use']?.[0]?.outputs[0]?.[0]?.['stdout']).toBe('[secret]\n');
    await gone();
  });

  test('is revoked after an error', async () => {
    const { status } = await api.waitForExecution(await started(hold(), use('exit 3')));
    expect(status).toBe('error');
    await gone();
  });

  test('is revoked after Stop', async () => {
    const id = await started(hold(), use('sleep 300'));
    await until('it is leased', 30_000, async () => ((await roles()) === '' ? undefined : true));
    await api.stopExecution(id);
    expect((await api.waitForExecution(id)).status).toBe('canceled');
    await gone();
  });
});
