import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import type { INodeExecutionData } from 'n8n-workflow';
import { type ProcessHost, startProcessHost } from '../../../lab/hosts/process-host';
import type { InfisicalStandIn } from '../../../lab/standins/infisical';
import { closeSessions } from '../../../lib/host/sessions';
import { resolveReference } from '../../../lib/secrets/resolve';
import { Infisical } from '../../../nodes/Infisical/Infisical.node';
import { infisicalCredentialTest } from '../../../nodes/shared/infisicalCredentialTest';
import { assertMatches } from '../../../nodes/declaration/schema';
import { quietTask } from '../../shared/task';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { closeAndKeepContract, infisical } from './standin';

/** What must be nowhere to be seen. Characters that every encoding changes. */
const planted = {
  stored: 'planted-$tored "one"',
  other: "planted-other'two",
  named: 'planted-named+three/',
};

let host: ProcessHost;
let folder: string;
let standIn: InfisicalStandIn;
let leaseId = '';
let ciphertext = '';

beforeAll(async () => {
  host = await startProcessHost({ name: 'bruno' });
});
afterAll(async () => {
  await closeSessions();
  await host.stop();
});

let ids: { readonly project: string; readonly key: string };
let credentials: Readonly<Record<string, Readonly<Record<string, unknown>>>>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'infisical-node-'));
  standIn = await infisical();
  const project = standIn.addProject('homelab');
  const { clientId, clientSecret } = standIn.addIdentity();
  standIn.put(project, 'prod', '/', { KEY: planted.stored, OLD: planted.stored });
  standIn.put(project, 'prod', '/', { KEY: planted.other });
  standIn.put(project, 'dev', '/', { KEY: planted.stored });
  standIn.put(project, 'prod', '/web', {});
  standIn.addDynamicSecret(project, 'prod', '/', 'db');
  ids = { project: project.id, key: standIn.addKey() };
  credentials = {
    selfhostInfisical: { siteUrl: `${standIn.url}/api/`, login: 'universal', clientId, clientSecret },
    selfhostHost: {
      user: host.user,
      login: 'key',
      privateKey: host.privateKey,
      sudo: 'none',
      hosts: host.pins.map(({ fingerprint }) => `bruno=127.0.0.1:${host.port} ${fingerprint}`).join('\n'),
    },
    selfhostSecrets: { secrets: `NAMED=${planted.named}` },
  };
});
/** What n8n would call at the end of the execution. */
const atEnd: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of atEnd.splice(0)) await end();
  await closeAndKeepContract();
  await rm(folder, { recursive: true });
});

interface Ran {
  readonly items: readonly INodeExecutionData[];
  readonly error: unknown;
  /** Everything that n8n could keep or show. */
  readonly visible: string;
}

async function run(
  resource: string,
  operation: string,
  parameters: Readonly<Record<string, unknown>> = {},
  given = credentials,
  more: object = {},
): Promise<Ran> {
  const place = { project: 'homelab', environment: 'prod', path: '/' };
  const all = { resource, operation, ...place, ...parameters };
  const { execute, shown } = fakeExecute({ parameters: [all] });
  const node = {
    ...execute.getNode(),
    credentials: Object.fromEntries(Object.keys(given).map((name) => [name, { id: '1', name }])),
  };
  const logged: unknown[] = [];
  const log = (...words: unknown[]) => void logged.push(words);
  Object.assign(execute, {
    getNode: () => node,
    getCredentials: (name: string) => Promise.resolve(given[name]),
    onExecutionFinish: (end: () => Promise<void>) => void atEnd.push(end),
    logger: { debug: log, info: log, warn: log, error: log },
    ...more,
  });
  let items: readonly INodeExecutionData[] = [];
  let error: unknown;
  try {
    const output = await new Infisical().execute.call(execute);
    if (Array.isArray(output)) items = output[0] ?? [];
  } catch (thrown) {
    error = thrown;
  }
  const visible = [items, error, shown, logged].map(everythingIn).join('\n');
  return { items, error, visible };
}

function everythingIn(value: unknown): string {
  const errors = value instanceof Error ? [JSON.stringify(value), value.stack, value.message] : [];
  return [JSON.stringify(value), inspect(value, { depth: 20, showHidden: true }), ...errors].join('\n');
}

/** In the forms in which a value could slip through. */
function leaksIn(visible: string, values: readonly string[]): readonly string[] {
  return values.flatMap((value) =>
    [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), Buffer.from(value).toString('base64')]
      .filter((form) => visible.includes(form))
      .map((form) => `${value} as ${form}`),
  );
}

const everySecret = () => [...Object.values(planted), String(credentials['selfhostInfisical']?.['clientSecret'])];
const inFile = () => ({ host: 'bruno', file: join(folder, '.env'), format: 'compose' });
const key = { key: 'KEY' };

/** Every operation once, as somebody would use it. */
const calls: Readonly<Record<string, () => Readonly<Record<string, unknown>>>> = {
  'environment.list': () => ({}),
  'environment.create': () => ({ environmentName: 'Test', environment: 'test' }),
  'file.write': inFile,
  'file.check': inFile,
  'folder.list': () => ({ recursive: true }),
  'folder.ensure': () => ({ path: '/a/b' }),
  'kms.encrypt': () => ({ keyId: ids.key, valueFrom: 'credential:NAMED' }),
  'kms.decrypt': () => ({ keyId: ids.key, ciphertext, host: 'bruno', file: join(folder, 'plain') }),
  'kms.sign': () => ({ keyId: ids.key, data: 'text', algorithm: 'ECDSA_SHA_256' }),
  'kms.verify': () => ({ keyId: ids.key, data: 'text', signature: 'c2ln', algorithm: 'ECDSA_SHA_256' }),
  'lease.create': () => ({ ...inFile(), dynamicSecret: 'db' }),
  'lease.hold': () => ({ dynamicSecret: 'db', options: { ttlSeconds: 120 } }),
  'lease.list': () => ({ dynamicSecret: 'db' }),
  'lease.renew': () => ({ leaseId }),
  'lease.revoke': () => ({ leaseId }),
  'project.list': () => ({}),
  'project.create': () => ({ projectName: 'Shop', options: { slug: 'shop-1' } }),
  'rotation.rotate': () => ({
    ...{ ...key, host: 'bruno', valueOwner: 'command', program: [join(folder, 'password')], dryRun: true },
    usedBy: [{ file: join(folder, 'written.env'), format: 'json' }],
  }),
  'rotation.listUnfinished': () => ({ host: 'bruno' }),
  'secret.get': () => key,
  'secret.list': () => ({ options: { recursive: true } }),
  'secret.history': () => ({ ...key, versions: 10 }),
  'secret.compare': () => ({ otherProject: ids.project, otherEnvironment: 'dev', otherPath: '/' }),
  'secret.create': () => ({ key: 'NEW', valueFrom: 'credential:NAMED' }),
  'secret.update': () => ({ ...key, options: { valueFrom: 'infisical:homelab/dev/KEY', comment: 'c' } }),
  'secret.upsert': () => ({ secrets: { KEY: 'credential:NAMED', MADE: 'generate:32' } }),
  'secret.delete': () => ({ keys: ['OLD', 'NONE'] }),
};

const operations = Infisical.declaration.resources.flatMap(({ operations: some }) => some);
const nameOf = ({ resource, name }: { readonly resource: string; readonly name: string }) => `${resource}.${name}`;

async function prepared(name: string): Promise<void> {
  if (name === 'kms.decrypt') {
    ciphertext = (await run('kms', 'encrypt', calls['kms.encrypt']?.())).items[0]?.json['ciphertext'] as string;
  }
  if (name === 'rotation.rotate') {
    await writeFile(
      join(folder, 'password'),
      `#!/bin/bash\nIFS= read -r value; [ "$value" = "$(cat "\${0%/*}/known")" ] || exit 10\n`,
      { mode: 0o755 },
    );
    await writeFile(join(folder, 'known'), planted.other);
    await run('file', 'write', { ...inFile(), file: join(folder, 'written.env'), format: 'json' });
  }
  if (name !== 'lease.renew' && name !== 'lease.revoke') return;
  const { items } = await run('lease', 'create', calls['lease.create']?.());
  leaseId = items[0]?.json['id'] as string;
}

test('the leak test knows every operation; only Get Value is to show a value', () => {
  expect(Object.keys(calls).sort()).toEqual(
    operations
      .map(nameOf)
      .filter((name) => name !== 'secret.getValue')
      .sort(),
  );
});

test.each(Object.keys(calls))('%s succeeds, fits its schema and shows no secret', async (name) => {
  await prepared(name);
  const [resource = '', operation = ''] = name.split('.');
  const { items, error, visible } = await run(resource, operation, calls[name]?.());
  expect(error).toBeUndefined();
  expect(items.length).toBeGreaterThan(['lease.list', 'rotation.listUnfinished'].includes(name) ? -1 : 0);
  const declared = operations.find((one) => nameOf(one) === name);
  for (const { json } of items) if (declared !== undefined) assertMatches(declared.output, json);
  const file = await readFile(join(folder, '.env'), 'utf8').catch(() => '');
  const password = /DB_PASSWORD='([^']+)'/.exec(file)?.[1];
  expect(leaksIn(visible, [...everySecret(), ...(password === undefined ? [] : [password])])).toEqual([]);
});

test.each(Object.keys(calls))('%s shows no secret when the connection breaks in the middle', async (name) => {
  await prepared(name);
  standIn.fail({ kind: 'break after', times: 9, path: /^\/api\/(?!v1\/auth|v1\/projects$)/ });
  const [resource = '', operation = ''] = name.split('.');
  const { visible } = await run(resource, operation, calls[name]?.());
  expect(leaksIn(visible, everySecret())).toEqual([]);
});

test.each(['secret.create', 'secret.update', 'secret.upsert', 'kms.encrypt'])(
  '%s shows no secret when the server repeats it in its refusal',
  async (name) => {
    const values = [planted.named, planted.stored];
    const words = values.map((value) => `${value} ${Buffer.from(value).toString('base64')}`).join(' and ');
    const reply = { status: 400, json: { reqId: '1', statusCode: 400, message: `Not ${words}`, error: 'BadRequest' } };
    for (const method of ['POST', 'PATCH']) {
      standIn.fail({ kind: 'answer', method, path: /secrets|kms/, times: 9, reply });
    }
    const [resource = '', operation = ''] = name.split('.');
    const { error, visible } = await run(resource, operation, calls[name]?.());
    expect(error).toBeDefined();
    expect(leaksIn(visible, [name === 'secret.update' ? planted.stored : planted.named])).toEqual([]);
  },
);

test('Get Value gives the value, because it was asked to', async () => {
  const { items } = await run('secret', 'getValue', key);
  expect(items[0]?.json).toMatchObject({ value: planted.other, version: 2, reference: 'infisical:homelab/prod/KEY' });
});

test('a file is written once, tells names only, and its drift is seen', async () => {
  const file = join(folder, '.env');
  const first = await run('file', 'write', inFile());
  expect(first.items[0]?.json).toMatchObject({ changed: true, before: 'missing', added: ['KEY', 'OLD'], mode: '0600' });
  expect(await readFile(file, 'utf8')).toBe(`KEY="planted-other'two"\nOLD='planted-$tored "one"'\n`);
  expect((await run('file', 'write', inFile())).items[0]?.json).toMatchObject({
    changed: false,
    added: [],
    altered: [],
  });
  await run('secret', 'upsert', { secrets: { KEY: 'credential:NAMED', NEW: 'generate:20' } });
  await run('secret', 'delete', { keys: ['OLD'] });
  const drift = { added: ['NEW'], altered: ['KEY'], removed: ['OLD'] };
  expect((await run('file', 'check', inFile())).items[0]?.json).toMatchObject({ drifted: true, ...drift });
  expect((await run('file', 'write', { ...inFile(), dryRun: true })).items[0]?.json).toMatchObject({ changed: true });
  expect(await readFile(file, 'utf8')).toContain('OLD=');
  expect((await run('file', 'write', inFile())).items[0]?.json).toMatchObject({ changed: true, ...drift });
  expect((await run('file', 'check', inFile())).items[0]?.json).toMatchObject({ drifted: false });
});

test('what is decrypted is in the file, for its owner only, and nowhere else', async () => {
  await prepared('kms.decrypt');
  const { items, visible } = await run('kms', 'decrypt', calls['kms.decrypt']?.());
  expect(items[0]?.json).toMatchObject({ changed: true, bytes: planted.named.length, dryRun: false });
  expect(await readFile(join(folder, 'plain'), 'utf8')).toBe(planted.named);
  expect((await stat(join(folder, 'plain'))).mode & 0o777).toBe(0o600);
  expect(leaksIn(visible, [planted.named])).toEqual([]);
});

test('a folder without secrets does not empty a file', async () => {
  await run('file', 'write', inFile());
  await run('folder', 'ensure', { path: '/empty' });
  const { error } = await run('file', 'write', { ...inFile(), path: '/empty' });
  expect(String(error)).toContain('There is not one secret to write to');
  expect(await readFile(join(folder, '.env'), 'utf8')).toContain('KEY=');
});

describe('the last known copy', () => {
  const withCopy = () => ({ ...inFile(), options: { lastKnown: join(folder, 'copy') } });
  const away = () => ({
    ...credentials,
    selfhostInfisical: { ...credentials['selfhostInfisical'], siteUrl: 'http://127.0.0.1:9' },
  });

  test('is not kept unless somebody asks for it', async () => {
    await run('file', 'write', inFile());
    await run('file', 'write', { ...withCopy(), dryRun: true });
    expect(await readdir(folder)).toEqual(['.env']);
    expect(String((await run('file', 'write', inFile(), away())).error)).toContain('cannot be reached');
  });

  test('is encrypted, and writes the file when Infisical cannot be reached, with its age', async () => {
    expect((await run('file', 'write', withCopy())).items[0]?.json).toMatchObject({
      source: 'Infisical',
      ageSeconds: null,
    });
    const copy = await readFile(join(folder, 'copy'), 'utf8');
    expect((await stat(join(folder, 'copy'))).mode & 0o777).toBe(0o600);
    expect(leaksIn(copy, Object.values(planted))).toEqual([]);
    const written = await readFile(join(folder, '.env'), 'utf8');
    await rm(join(folder, '.env'));

    const { items, visible } = await run('file', 'write', withCopy(), away());
    expect(items[0]?.json).toMatchObject({
      ...{ changed: true, before: 'missing', added: ['KEY', 'OLD'], source: 'last known copy' },
      ageSeconds: expect.any(Number) as number,
    });
    expect(await readFile(join(folder, '.env'), 'utf8')).toBe(written);
    expect(leaksIn(visible, everySecret())).toEqual([]);
  });

  test('is not used when Infisical refuses', async () => {
    await run('file', 'write', withCopy());
    const reply = {
      status: 403,
      json: { reqId: '1', statusCode: 403, message: 'Not allowed', error: 'PermissionDenied' },
    };
    standIn.fail({ kind: 'answer', method: 'GET', path: /secrets/, reply });
    expect(String((await run('file', 'write', withCopy())).error)).toContain('Not allowed');
  });

  test.each([
    ['made with another credential', () => ({ clientSecret: 'another' }), {}],
    ['of another place', () => ({}), { environment: 'dev' }],
  ])('%s it is of no use', async (_, changed, other) => {
    await run('file', 'write', withCopy());
    const given = { ...away(), selfhostInfisical: { ...away().selfhostInfisical, ...changed() } };
    const { error } = await run('file', 'write', { ...withCopy(), ...other }, given);
    expect(String(error)).toContain('is of no use: it was made with another credential or of another place');
  });

  test('that was changed is of no use either, and none at all is only Infisical being away', async () => {
    await run('file', 'write', withCopy());
    const text = await readFile(join(folder, 'copy'), 'utf8');
    await writeFile(join(folder, 'copy'), text.replace(/"takenAt":"20\d\d/, '"takenAt":"2001'));
    expect(String((await run('file', 'write', withCopy(), away())).error)).toContain('or was changed');
    await rm(join(folder, 'copy'));
    expect(String((await run('file', 'write', withCopy(), away())).error)).toContain('cannot be reached');
  });
});

test('a read-only credential writes files from Infisical, and nothing into it', async () => {
  const reading = { ...credentials, selfhostInfisical: { ...credentials['selfhostInfisical'], readOnly: true } };
  expect((await run('file', 'write', inFile(), reading)).items[0]?.json).toMatchObject({ changed: true });
  expect(String((await run('secret', 'upsert', calls['secret.upsert']?.(), reading)).error)).toContain('read-only');
  const fixed = { ...credentials, selfhostHost: { ...credentials['selfhostHost'], readOnly: true } };
  expect(String((await run('file', 'write', inFile(), fixed)).error)).toContain('the Host credential is read-only');
  expect((await run('file', 'check', inFile(), fixed)).error).toBeUndefined();
});

test('a lease whose file cannot be written is revoked', async () => {
  const { error } = await run('lease', 'create', {
    ...calls['lease.create']?.(),
    file: join(folder, 'missing', '.env'),
  });
  expect(String(error)).toContain('.env');
  expect((await run('lease', 'list', { dynamicSecret: 'db' })).items).toEqual([]);
});

test('a login for this execution is used by its reference, and gone with the execution', async () => {
  const { items, visible } = await run('lease', 'hold', calls['lease.hold']?.());
  const { id, references } = items[0]?.json as { id: string; references: string[] };
  expect(references).toEqual([`lease:${id}/DB_USERNAME`, `lease:${id}/DB_PASSWORD`]);
  const password = await resolveReference(references[1] ?? '', {}, quietTask());
  expect(leaksIn(visible, [password])).toEqual([]);
  expect((await run('lease', 'list', { dynamicSecret: 'db' })).items).toHaveLength(1);
  // n8n may call it twice.
  for (const end of [...atEnd, ...atEnd]) await end();
  expect((await run('lease', 'list', { dynamicSecret: 'db' })).items).toEqual([]);
  await expect(resolveReference(references[1] ?? '', {}, quietTask())).rejects.toMatchObject({
    code: 'secret_missing',
  });
});

test('an n8n that does not tell the end of executions leases nothing for them', async () => {
  const { error } = await run('lease', 'hold', calls['lease.hold']?.(), credentials, { onExecutionFinish: undefined });
  expect(String(error)).toContain('does not tell its nodes when an execution ends');
  expect((await run('lease', 'list', { dynamicSecret: 'db' })).items).toEqual([]);
});

test('a change that needs approval is no success', async () => {
  const project = standIn.addProject('guarded');
  standIn.protect(project, 'prod:/');
  const { items } = await run('secret', 'upsert', { project: 'guarded', secrets: { A: 'generate:16' } });
  expect(items[0]?.json).toMatchObject({
    state: 'waiting for approval',
    changed: false,
    created: ['A'],
    approvalId: standIn.approvals[0]?.id,
  });
});

test('a value that stands where a reference should is refused and not repeated', async () => {
  const { error, visible } = await run('secret', 'create', { key: 'NEW', valueFrom: 'planted-by-mistake' });
  expect(String(error)).toContain('A secret reference cannot be read');
  expect(visible).not.toContain('planted-by-mistake');
  expect(String((await run('secret', 'create', { key: 'NEW', valueFrom: 'generate:8' })).error)).toContain(
    'can be guessed',
  );
});

test('the test of the credential names the identity and the projects it sees', async () => {
  const test = infisicalCredentialTest.bind({} as ThisParameterType<typeof infisicalCredentialTest>);
  const of = (data: Readonly<Record<string, unknown>> | undefined) =>
    test({ id: '1', name: 'x', type: 'selfhostInfisical', data } as Parameters<typeof test>[0]);
  const answer = await of(credentials['selfhostInfisical']);
  expect(answer).toEqual({
    status: 'OK',
    message: expect.stringMatching(/^Identity [0-9a-f-]{36} sees homelab$/) as string,
  });
  const wrong = await of({ ...credentials['selfhostInfisical'], clientSecret: planted.named });
  expect(wrong.status).toBe('Error');
  expect(leaksIn(wrong.message, [planted.named])).toEqual([]);
});
