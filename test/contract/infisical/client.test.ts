import { inspect } from 'node:util';
import { coverageOf } from '../../../lab/standins/contract';
import { compareSecrets } from '../../../lib/infisical/compare';
import { ensureFolder, listFolders } from '../../../lib/infisical/folders';
import { decrypt, encrypt, sign, verify } from '../../../lib/infisical/kms';
import { createLease, listLeases, renewLease, revokeLease } from '../../../lib/infisical/leases';
import { createEnvironment, createProject, findProject, listProjects } from '../../../lib/infisical/projects';
import { reveal } from '../../../lib/infisical/secret';
import {
  createSecret,
  deleteSecret,
  deleteSecrets,
  getSecret,
  listSecrets,
  secretHistory,
  updateSecret,
  upsertSecrets,
  writeSecrets,
} from '../../../lib/infisical/secrets';
import { quietTask } from '../../shared/task';
import { excluded } from './coverage';
import { clientOf, closeAndKeepContract, contract, infisical, newClock } from './standin';
import { failureOf } from '../../shared/failure';

const task = quietTask();
afterEach(closeAndKeepContract);

async function estate() {
  const standIn = await infisical();
  const project = standIn.addProject('homelab');
  const api = clientOf(standIn);
  const at = (environment: string, path = '/') => ({ projectId: project.id, environment, path });
  return { standIn, project, api, at };
}

const values = (secrets: Awaited<ReturnType<typeof listSecrets>>) =>
  secrets.map((secret) => `${secret.path} ${secret.key}=${reveal(secret)}${secret.imported ? ' (imported)' : ''}`);

describe('secrets', () => {
  test('a list holds folders below, expanded references and imports, of which the last and the own count', async () => {
    const { standIn, project, api, at } = await estate();
    standIn.put(project, 'prod', '/', { HOST: 'db.lan', OWN: 'mine' });
    standIn.put(project, 'prod', '/immich', { URL: 'postgres://${prod.HOST}/${NAME}', NAME: 'immich' });
    standIn.put(project, 'dev', '/one', { LENT: 'first', OWN: 'theirs' });
    standIn.put(project, 'dev', '/two', { LENT: 'last' });
    standIn.addImport(project, 'prod:/', 'dev:/one');
    standIn.addImport(project, 'prod:/', 'dev:/two');

    expect(values(await listSecrets(api, at('prod'), { recursive: true }, task))).toEqual([
      '/ HOST=db.lan',
      '/ OWN=mine',
      '/immich NAME=immich',
      '/immich URL=postgres://db.lan/immich',
      '/two LENT=last (imported)',
    ]);
    expect(values(await listSecrets(api, at('prod', '/immich'), { expand: false }, task))).toEqual([
      '/immich NAME=immich',
      '/immich URL=postgres://${prod.HOST}/${NAME}',
    ]);
    expect(reveal(await getSecret(api, at('prod'), 'LENT', {}, task))).toBe('last');
  });

  test('a value is sealed: printing a secret in whatever way does not show it', async () => {
    const { standIn, project, api, at } = await estate();
    standIn.put(project, 'prod', '/', { KEY: 'planted-value' });
    const [secret] = await listSecrets(api, at('prod'), {}, task);
    expect(
      `${JSON.stringify(secret)} ${inspect(secret, { showHidden: true, depth: 9 })} ${secret?.value.toString()}`,
    ).not.toContain('planted');
  });

  test('what the server hides is never taken for the value', async () => {
    const { standIn, project, at } = await estate();
    standIn.put(project, 'prod', '/', { KEY: 'planted-value' });
    const [secret] = await listSecrets(clientOf(standIn, standIn.addIdentity({ blind: true })), at('prod'), {}, task);
    expect(secret?.hidden).toBe(true);
    expect(() => secret && reveal(secret)).toThrow('Infisical hides the value of KEY in prod:/ from this login');
  });

  test('a secret is created, changed, renamed, read in every version, and deleted', async () => {
    const { standIn, project, api, at } = await estate();
    const created = await createSecret(api, at('prod'), { key: 'A KEY', value: 'one', comment: 'why' }, task);
    expect(created).toMatchObject({ state: 'done', value: { key: 'A KEY', version: 1, comment: 'why' } });
    await updateSecret(api, at('prod'), 'A KEY', { value: 'two' }, task);
    await updateSecret(api, at('prod'), 'A KEY', { newKey: 'B' }, task);
    expect((await secretHistory(api, at('prod'), 'B', 10, task)).map((one) => [one.version, reveal(one)])).toEqual([
      [3, 'two'],
      [2, 'two'],
      [1, 'one'],
    ]);
    await deleteSecret(api, at('prod'), 'B', task);
    expect(standIn.value(project, 'prod', '/', 'B')).toBeUndefined();
    expect((await failureOf(getSecret(api, at('prod'), 'B', {}, task))).code).toBe('not_found');
  });

  test('a batch is done as a whole or not at all', async () => {
    const { standIn, project, api, at } = await estate();
    const one = { key: 'ONE', value: '1' };
    await writeSecrets(api, at('prod'), 'create', [one, { key: 'TWO', value: '2' }], task);
    const failure = await failureOf(
      writeSecrets(
        api,
        at('prod'),
        'update',
        [
          { ...one, value: 'changed' },
          { key: 'NONE', value: 'x' },
        ],
        task,
      ),
    );
    expect(failure.code).toBe('not_found');
    expect(standIn.value(project, 'prod', '/', 'ONE')).toBe('1');
    await deleteSecrets(api, at('prod'), ['ONE', 'TWO'], task);
    expect(standIn.value(project, 'prod', '/', 'TWO')).toBeUndefined();
  });

  test('upsert writes only what differs, and a dry run writes nothing', async () => {
    const { standIn, project, api, at } = await estate();
    standIn.put(project, 'prod', '/', { SAME: 'x', OLD: 'y' });
    const wanted = [
      { key: 'SAME', value: 'x' },
      { key: 'OLD', value: 'z' },
      { key: 'NEW', value: 'n' },
    ];
    const result = { created: ['NEW'], updated: ['OLD'], unchanged: ['SAME'] };
    expect(await upsertSecrets(api, at('prod'), wanted, true, task)).toEqual(result);
    expect(standIn.value(project, 'prod', '/', 'OLD')).toBe('y');
    expect(await upsertSecrets(api, at('prod'), wanted, false, task)).toEqual(result);
    expect(standIn.seen.at(-1)?.body).toEqual({
      projectId: project.id,
      environment: 'prod',
      secretPath: '/',
      mode: 'upsert',
      secrets: [
        { secretKey: 'OLD', secretValue: 'z' },
        { secretKey: 'NEW', secretValue: 'n' },
      ],
    });
    standIn.forget();
    expect(await upsertSecrets(api, at('prod'), wanted, false, task)).toEqual({
      created: [],
      updated: [],
      unchanged: ['NEW', 'OLD', 'SAME'],
    });
    expect(standIn.seen.map(({ method }) => method)).toEqual(['GET']);
  });

  test('a value that the server would trim is refused, and not in the words of the failure', async () => {
    const { standIn, api, at } = await estate();
    const failure = await failureOf(createSecret(api, at('prod'), { key: 'KEY', value: ' planted ' }, task));
    expect(failure.code).toBe('secret_value_not_kept');
    expect(`${JSON.stringify(failure)} ${failure.message}`).not.toContain('planted');
    expect(standIn.seen).toEqual([]);
    await createSecret(api, at('prod'), { key: 'PEM', value: 'line\n' }, task);
  });

  test('a change that needs approval on the server is said to wait, and is not taken for done', async () => {
    const { standIn, project, api, at } = await estate();
    standIn.put(project, 'prod', '/', { KEY: 'old' });
    standIn.protect(project, 'prod:/');
    const answers = [
      await createSecret(api, at('prod'), { key: 'NEW', value: 'n' }, task),
      await updateSecret(api, at('prod'), 'KEY', { value: 'new' }, task),
      await deleteSecret(api, at('prod'), 'KEY', task),
      await writeSecrets(api, at('prod'), 'upsert', [{ key: 'KEY', value: 'new' }], task),
    ];
    expect(answers).toEqual(standIn.approvals.map(({ id }) => ({ state: 'waiting for approval', approvalId: id })));
    expect(await upsertSecrets(api, at('prod'), [{ key: 'KEY', value: 'new' }], false, task)).toEqual({
      created: [],
      updated: ['KEY'],
      unchanged: [],
      approvalId: standIn.approvals.at(-1)?.id,
    });
    expect(standIn.value(project, 'prod', '/', 'KEY')).toBe('old');
  });

  test('two places are compared by names and hashes that nobody can use again', async () => {
    const { standIn, project, api, at } = await estate();
    standIn.put(project, 'dev', '/', { SAME: 'x', OTHER: '1', LEFT: 'l' });
    standIn.put(project, 'prod', '/', { SAME: 'x', OTHER: '2', RIGHT: 'r' });
    const [dev, prod] = [await listSecrets(api, at('dev'), {}, task), await listSecrets(api, at('prod'), {}, task)];
    const differences = compareSecrets(dev, prod);
    expect(differences.map(({ key, state }) => [key, state])).toEqual([
      ['LEFT', 'only left'],
      ['OTHER', 'different'],
      ['RIGHT', 'only right'],
      ['SAME', 'same'],
    ]);
    const same = differences.find(({ key }) => key === 'SAME');
    expect(same?.leftHash).toBe(same?.rightHash);
    expect(compareSecrets(dev, prod).at(-1)?.leftHash).not.toBe(same?.leftHash);
  });

  test.each([
    ['POST', () => ({ key: 'N', value: 'x' })],
    ['DELETE', () => undefined],
  ])('a %s whose answer is lost is not sent again', async (method, made) => {
    const { standIn, project, api, at } = await estate();
    standIn.put(project, 'prod', '/', { KEY: 'x' });
    standIn.fail({ method, path: /secrets/, kind: 'break after' });
    const secret = made();
    const attempt =
      secret === undefined ? deleteSecret(api, at('prod'), 'KEY', task) : createSecret(api, at('prod'), secret, task);
    expect((await failureOf(attempt)).code).toBe('outcome_unknown');
    expect(standIn.seen.filter((one) => one.method === method && one.url.includes('secrets'))).toHaveLength(1);
  });
});

describe('the login', () => {
  test('many calls at once log in once, also from two clients', async () => {
    const standIn = await infisical();
    const project = standIn.addProject('homelab');
    const identity = standIn.addIdentity();
    const clock = newClock();
    const [one, other] = [clientOf(standIn, identity, clock), clientOf(standIn, identity, clock)];
    const place = { projectId: project.id, environment: 'prod', path: '/' };
    await Promise.all([one, other, one, other].map((api) => listSecrets(api, place, {}, task)));
    expect(standIn.logins()).toBe(1);
    expect(await one.identity(task)).toBe(identity.id);
  });

  test('a token is renewed before it ends, and at the end of its longest life there is a new login', async () => {
    const clock = newClock();
    const standIn = await infisical({ now: clock.now, tokenSeconds: 600, tokenMaxSeconds: 1500 });
    standIn.addProject('homelab');
    const api = clientOf(standIn, standIn.addIdentity(), clock);
    const kinds: string[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      await listProjects(api, task);
      kinds.push(...standIn.seen.map(({ url }) => url.replace('/api/v1/', '')));
      standIn.forget();
      clock.pass(500);
    }
    expect(kinds).toEqual([
      'auth/universal-auth/login',
      'projects',
      'auth/token/renew',
      'projects',
      'auth/token/renew',
      'projects',
      'auth/universal-auth/login',
      'projects',
      'auth/token/renew',
      'projects',
      'auth/token/renew',
      'projects',
    ]);
  });

  test('a token that cannot be renewed is used to its end', async () => {
    const clock = newClock();
    const standIn = await infisical({ now: clock.now, tokenSeconds: 600 });
    standIn.addProject('homelab');
    const api = clientOf(standIn, standIn.addIdentity(), clock);
    await listProjects(api, task);
    const reply = { status: 400, json: { reqId: '1', statusCode: 400, message: 'No', error: 'BadRequest' } };
    standIn.fail({ kind: 'answer', path: /auth/, times: 99, reply });
    clock.pass(500);
    expect(await listProjects(api, task)).toHaveLength(1);
    clock.pass(200);
    expect((await failureOf(listProjects(api, task))).code).toBe('invalid_request');
  });

  test('a token that the server forgot costs one new login, not the call', async () => {
    const { standIn, api } = await estate();
    await listProjects(api, task);
    standIn.dropTokens();
    expect(await listProjects(api, task)).toHaveLength(1);
    expect(standIn.logins()).toBe(2);
  });

  test('a wrong secret is said once, without the secret', async () => {
    const standIn = await infisical();
    const identity = standIn.addIdentity();
    const failure = await failureOf(
      listProjects(clientOf(standIn, { ...identity, clientSecret: 'planted-secret' }), task),
    );
    expect({ code: failure.code, message: failure.message }).toEqual({
      code: 'infisical_login_refused',
      message: expect.stringMatching(
        /^Infisical answered 401 to POST \/api\/v1\/auth\/universal-auth\/login: Invalid credentials/,
      ) as string,
    });
    expect(JSON.stringify(failure)).not.toContain('planted');
    expect(standIn.logins()).toBe(1);
  });

  test('Stop of one caller does not end the login that others wait for', async () => {
    const { standIn, api } = await estate();
    standIn.fail({ kind: 'late', path: /login/, milliseconds: 100 });
    const stop = new AbortController();
    const stopped = failureOf(listProjects(api, quietTask(stop.signal)));
    const going = listProjects(api, task);
    stop.abort();
    expect((await stopped).code).toBe('cancelled');
    expect(await going).toHaveLength(1);
    expect(standIn.logins()).toBe(1);
  });

  test('the rate limit is waited for', async () => {
    const clock = newClock();
    const standIn = await infisical({ now: clock.now, requestsPerMinute: 3 });
    standIn.addProject('homelab');
    const api = clientOf(standIn, standIn.addIdentity(), clock);
    for (let turn = 0; turn < 5; turn += 1) expect(await listProjects(api, task)).toHaveLength(1);
    expect(Math.max(...clock.waits)).toBeGreaterThan(10_000);
  });

  test('an Infisical that is away is said as that', async () => {
    const standIn = await infisical();
    const api = clientOf(standIn);
    await standIn.close();
    const failure = await failureOf(listProjects(api, task));
    expect({ code: failure.code, message: failure.message }).toEqual({
      code: 'infisical_unreachable',
      message: `Infisical at ${standIn.url} cannot be reached: Nothing accepts connections for Infisical at ${new URL(standIn.url).host}`,
    });
  });
});

test('folders are made with all above them, and what is there stays', async () => {
  const { api, at } = await estate();
  expect(await ensureFolder(api, at('prod', '/a/b'), true, task)).toEqual({ changed: true, created: ['/a', '/a/b'] });
  expect(await ensureFolder(api, at('prod', '/a/b'), false, task)).toEqual({ changed: true, created: ['/a', '/a/b'] });
  expect(await ensureFolder(api, at('prod', '/a/b'), false, task)).toEqual({ changed: false, created: [] });
  const folders = await listFolders(api, at('prod'), true, task);
  expect(folders.map(({ path }) => path)).toEqual(['/a', '/a/b']);
  expect((await listFolders(api, at('prod', '/a'), false, task)).map(({ path }) => path)).toEqual(['/a/b']);
});

test('projects are found by id, slug and name, and made with environments', async () => {
  const { standIn, api, project } = await estate();
  for (const wanted of [project.id, 'homelab']) expect((await findProject(api, wanted, task)).id).toBe(project.id);
  expect((await failureOf(findProject(api, 'other', task))).message).toBe(
    'This login sees no project "other"; it sees homelab',
  );
  const made = await createProject(api, { name: 'Shop', slug: 'shop-1' }, task);
  await createEnvironment(api, made.id, { name: 'Test', slug: 'test' }, task);
  expect((await findProject(api, 'Shop', task)).environments.map(({ slug }) => slug)).toEqual([
    'dev',
    'staging',
    'prod',
    'test',
  ]);
  expect(await listProjects(clientOf(standIn, standIn.addIdentity({ projects: [] })), task)).toEqual([]);
});

test('a lease is made, listed, renewed and revoked, and revoking it again changes nothing', async () => {
  const { standIn, project, api } = await estate();
  standIn.addDynamicSecret(project, 'prod', '/', 'db');
  const place = { projectSlug: 'homelab', environment: 'prod', path: '/' };
  const lease = await createLease(api, place, 'db', '10m', task);
  expect(Object.keys(lease.credentials)).toEqual(['DB_USERNAME', 'DB_PASSWORD']);
  expect(JSON.stringify(lease)).not.toContain(lease.credentials['DB_PASSWORD']?.reveal());
  const renewed = await renewLease(api, place, lease.id, '10m', task);
  expect(Date.parse(renewed.expiresAt) - Date.parse(lease.expiresAt)).toBe(600_000);
  expect(await listLeases(api, place, 'db', task)).toEqual([renewed]);
  expect(await revokeLease(api, place, lease.id, task)).toEqual({ changed: true });
  expect(await revokeLease(api, place, lease.id, task)).toEqual({ changed: false });
  expect(await listLeases(api, place, 'db', task)).toEqual([]);
});

test('a key in Infisical encrypts, decrypts, signs and verifies', async () => {
  const { standIn, api } = await estate();
  const key = standIn.addKey();
  const data = Buffer.from('text');
  expect(await decrypt(api, key, await encrypt(api, key, data, task), task)).toEqual(data);
  const algorithm = 'RSASSA_PSS_SHA_256';
  const signature = await sign(api, key, { data, algorithm }, task);
  expect(await verify(api, key, { data, algorithm, signature }, task)).toBe(true);
  expect(await verify(api, key, { data: Buffer.from('other'), algorithm, signature }, task)).toBe(false);
});

test('every operation of the description is used by the client, or left out for a reason', () => {
  expect(coverageOf(contract, excluded)).toEqual({
    reached: expect.any(Array) as string[],
    forgotten: [],
    reachedAnyway: [],
    unknown: [],
  });
});
