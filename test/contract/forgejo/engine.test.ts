import { until } from '../../../lab/hosts/waiting';
import { coverageOf } from '../../../lab/standins/contract';
import { checkCredential, credentialEndpoints } from '../../../lib/forgejo/credential-check';
import { contentEndpoints, ensureFiles, readFile } from '../../../lib/forgejo/contents';
import { hookEndpoints } from '../../../lib/forgejo/hooks/hook';
import { forcedEndpoints } from '../../../lib/forgejo/webhook/forced';
import { listPackages, packageEndpoints } from '../../../lib/forgejo/packages';
import {
  deleteRepository,
  ensureRepository,
  getRepository,
  repositoryEndpoints,
  searchRepositories,
} from '../../../lib/forgejo/repositories';
import { applyRetention, planRetention } from '../../../lib/forgejo/retention';
import {
  combinedStatus,
  ensureStatus,
  listStatuses,
  statusEndpoints,
  waitForStatus,
} from '../../../lib/forgejo/statuses';
import { endpoint } from '../../../lib/forgejo/endpoint';
import { clientOf, closeAndKeepContract, contracts, forgejo, placesOf, task } from './standin';
import { failureOf } from '../../shared/failure';

afterEach(closeAndKeepContract);

const declared = [
  ...credentialEndpoints,
  ...contentEndpoints,
  ...forcedEndpoints,
  ...hookEndpoints,
  ...packageEndpoints,
  ...repositoryEndpoints,
  ...statusEndpoints,
];

test.each(Object.entries(contracts))('every declared operation is one of Forgejo %s', (_, contract) => {
  const { operations } = contract;
  expect(declared.map(({ name }) => name).filter((name) => !operations.includes(name))).toEqual([]);
});

// Runs last: every other test of the file has reached what it reaches.
afterAll(() => {
  for (const contract of Object.values(contracts)) {
    const { reached } = coverageOf(contract, {});
    const here = [
      ...credentialEndpoints,
      ...contentEndpoints,
      ...packageEndpoints,
      ...repositoryEndpoints,
      ...statusEndpoints,
    ];
    expect(here.map(({ name }) => name).filter((name) => !reached.includes(name))).toEqual([]);
  }
});

const infrastructure = { owner: 'kua', repo: 'infrastructure' };
const files = (entries: Readonly<Record<string, string | null>>) =>
  Object.entries(entries).map(([path, content]) => ({ path, content: content === null ? null : Buffer.from(content) }));

test('the credential names its user, the version, and the scopes it lacks', async () => {
  const standIn = await forgejo();
  expect(await checkCredential(clientOf(standIn, standIn.addToken('root')), task)).toEqual({
    user: 'root',
    isAdmin: true,
    version: '15.0.3+gitea-1.22.0',
    missingScopes: [],
  });
  const narrow = clientOf(standIn, standIn.addToken('daniel', ['read:user', 'write:repository']));
  expect(await checkCredential(narrow, task)).toMatchObject({
    missingScopes: ['read:organization', 'read:issue', 'read:package'],
  });
  expect(await failureOf(checkCredential(clientOf(standIn, 'wrong'), task))).toMatchObject({ code: 'unauthorized' });
});

test('a repository is made once, for oneself and for an organization', async () => {
  const api = clientOf(await forgejo());
  for (const owner of ['daniel', 'kua']) {
    const wanted = { name: { owner, repo: 'site' }, private: true, description: 'a site' };
    expect(await ensureRepository(api, wanted, true, task)).toEqual({
      changed: true,
      dryRun: true,
      before: null,
      after: null,
    });
    expect(await ensureRepository(api, wanted, false, task)).toMatchObject({
      changed: true,
      before: null,
      after: { fullName: `${owner}/site`, private: true, description: 'a site', empty: true, defaultBranch: 'main' },
    });
    expect(await ensureRepository(api, wanted, false, task)).toMatchObject({ changed: false });
    expect(await ensureRepository(api, { ...wanted, private: false }, false, task)).toMatchObject({
      changed: true,
      before: { private: true },
      after: { private: false, description: 'a site' },
    });
  }
});

test('a list is whole, however small the pages of the server are', async () => {
  const standIn = await forgejo({ largestPage: 7 });
  for (let count = 0; count < 30; count += 1) await standIn.addRepository('kua', `service-${count}`);
  const api = clientOf(standIn);
  expect(await searchRepositories(api, { text: 'service' }, task)).toHaveLength(30);
  expect(await searchRepositories(api, { text: 'service', limit: 10 }, task)).toHaveLength(10);
});

test('a deleted repository is gone, and deleting it again changes nothing', async () => {
  const api = clientOf(await forgejo());
  expect(await deleteRepository(api, infrastructure, true, task)).toMatchObject({ changed: true, dryRun: true });
  expect(await getRepository(api, infrastructure, task)).toMatchObject({ fullName: 'kua/infrastructure' });
  expect(await deleteRepository(api, infrastructure, false, task)).toMatchObject({ changed: true });
  expect(await failureOf(getRepository(api, infrastructure, task))).toMatchObject({ code: 'not_found' });
  expect(await deleteRepository(api, infrastructure, false, task)).toMatchObject({ changed: false, before: null });
});

test('several files are written in one commit that holds only what differs', async () => {
  const api = clientOf(await forgejo());
  const wanted = { name: infrastructure, branch: '', message: 'Deploy' };
  const first = { ...wanted, files: files({ 'compose.yaml': 'one', 'env/prod/app.env': 'A=1', 'old file': 'x' }) };
  expect(await ensureFiles(api, first, true, task)).toMatchObject({ changed: true, commit: null });
  expect(await ensureFiles(api, first, false, task)).toMatchObject({
    changed: true,
    created: ['compose.yaml', 'env/prod/app.env', 'old file'],
  });
  expect(await ensureFiles(api, first, false, task)).toMatchObject({ changed: false, commit: null });
  const second = { ...wanted, files: files({ 'compose.yaml': 'two', 'env/prod/app.env': 'A=1', 'old file': null }) };
  expect(await ensureFiles(api, second, false, task)).toMatchObject({
    commit: expect.stringMatching(/^[0-9a-f]{40}$/),
    created: [],
    updated: ['compose.yaml'],
    deleted: ['old file'],
  });
  const place = { name: infrastructure, ref: 'main' };
  expect((await readFile(api, place, 'compose.yaml', task)).content.toString()).toBe('two');
  expect((await readFile(api, place, '/env/prod/app.env', task)).content.toString()).toBe('A=1');
  expect(await failureOf(readFile(api, place, 'old file', task))).toMatchObject({ code: 'not_found' });
  expect(await failureOf(readFile(api, place, 'env/prod', task))).toMatchObject({ code: 'not_a_file' });
});

test('a file that somebody changes in between is not overwritten', async () => {
  const standIn = await forgejo();
  const api = clientOf(standIn);
  const wanted = { name: infrastructure, branch: '', message: 'Deploy' };
  await ensureFiles(api, { ...wanted, files: files({ a: '1', b: '1' }) }, false, task);
  standIn.fail({ kind: 'late', method: 'GET', path: /contents\/b/, milliseconds: 1000 });
  const mine = ensureFiles(api, { ...wanted, files: files({ a: 'mine', b: 'mine' }) }, false, task);
  const asked = () => standIn.seen.filter(({ url }) => url.includes('contents/b')).length;
  await until('mine has read b', 10_000, () => (asked() >= 2 ? true : undefined));
  await ensureFiles(clientOf(standIn), { ...wanted, files: files({ a: 'theirs' }) }, false, task);
  const failure = await failureOf(mine);
  expect(failure).toMatchObject({ code: 'invalid_request' });
  expect((await readFile(api, { name: infrastructure, ref: '' }, 'a', task)).content.toString()).toBe('theirs');
});

test('a status is set once, and the last of each context counts', async () => {
  const api = clientOf(await forgejo({ largestPage: 2 }));
  await ensureFiles(api, { name: infrastructure, branch: '', message: 'One', files: files({ a: '1' }) }, false, task);
  const commit = { name: infrastructure, ref: 'main' };
  expect(await combinedStatus(api, commit, task)).toMatchObject({ state: null, statuses: [] });
  const wanted = { ...commit, context: 'deploy/bruno', description: '', targetUrl: '' };
  const pending = await ensureStatus(api, { ...wanted, state: 'pending' }, false, task);
  expect(pending).toMatchObject({ changed: true, before: null, after: { context: 'deploy/bruno', state: 'pending' } });
  expect(await ensureStatus(api, { ...wanted, state: 'pending' }, false, task)).toMatchObject({ changed: false });
  await ensureStatus(api, { ...wanted, state: 'success', targetUrl: 'https://n8n.example.test/1' }, false, task);
  for (const context of ['a', 'b', 'c']) await ensureStatus(api, { ...wanted, context, state: 'failure' }, false, task);
  expect(await listStatuses(api, commit, task)).toHaveLength(5);
  const combined = await combinedStatus(api, commit, task);
  expect(combined.state).toBe('failure');
  expect(Object.fromEntries(combined.statuses.map(({ context, state }) => [context, state]))).toEqual({
    'deploy/bruno': 'success',
    a: 'failure',
    b: 'failure',
    c: 'failure',
  });
});

test('waiting for a status ends when all wanted ones are decided, or says which are not', async () => {
  const api = clientOf(await forgejo());
  await ensureFiles(api, { name: infrastructure, branch: '', message: 'One', files: files({ a: '1' }) }, false, task);
  const commit = { name: infrastructure, ref: 'main' };
  const wanted = { ...commit, context: 'ci', description: '', targetUrl: '' };
  await ensureStatus(api, { ...wanted, state: 'pending' }, false, task);
  const late = await failureOf(
    waitForStatus(api, { ...commit, contexts: ['ci', 'lint'], timeoutMs: 60, intervalMs: 20 }, task),
  );
  expect(late).toMatchObject({ code: 'status_timeout', details: { pending: ['ci'], missing: ['lint'] } });
  const waiting = waitForStatus(api, { ...commit, contexts: ['ci'], timeoutMs: 10_000, intervalMs: 20 }, task);
  await ensureStatus(api, { ...wanted, state: 'failure' }, false, task);
  expect(await waiting).toMatchObject({ succeeded: false, state: 'failure' });
});

test('retention keeps the newest, latest, patterns and digests, over all pages, and says the bytes', async () => {
  const standIn = await forgejo({ largestPage: 10 });
  const add = (name: string, version: string, day: number, type = 'container') => {
    const created = new Date(Date.UTC(2026, 0, day)).toISOString();
    standIn.addPackage({ owner: 'kua', type, name, version, created, files: [{ name: 'blob', size: 1000 }] });
  };
  for (let day = 1; day <= 25; day += 1) add('app', `1.0.${day}`, day);
  add('app', 'latest', 1);
  add('app', 'v2-stable', 2);
  add('app', `sha256:${'a'.repeat(64)}`, 1);
  add('site', '0.1', 1);
  const places = placesOf(standIn);
  const { api } = places;
  const filter = { owner: 'kua', type: 'container', search: '' };
  const rules = { keepNewest: 3, keep: ['*-stable', '1.0.1?'], youngerThanDays: 0, untagged: 'keep' as const };
  const plan = await planRetention(places, filter, rules, Date.now(), task);
  const expected = [22, 21, 20, 9, 8, 7, 6, 5, 4, 3, 2, 1].map((day) => `1.0.${day}`);
  expect(plan.remove.map(({ version }) => version)).toEqual(expected);
  expect(plan).toMatchObject({ bytes: 12_000, kept: 17 });

  add('app', '1.0.26', 26);
  const later = await planRetention(places, filter, rules, Date.now(), task);
  expect(await failureOf(applyRetention(places, later, plan.hash, task))).toMatchObject({ code: 'plan_drifted' });
  expect(await listPackages(api, filter, task)).toHaveLength(30);
  expect(await applyRetention(places, later, later.hash, task)).toHaveLength(13);
  expect((await listPackages(api, filter, task)).map(({ version }) => version)).toEqual(
    expect.arrayContaining(['latest', 'v2-stable', `sha256:${'a'.repeat(64)}`, '0.1', '1.0.26', '1.0.25', '1.0.24']),
  );
  expect((await planRetention(places, filter, rules, Date.now(), task)).remove).toEqual([]);
});

test('young versions stay', async () => {
  const standIn = await forgejo();
  const version = (name: string, created: string) =>
    standIn.addPackage({ owner: 'kua', type: 'generic', name: 'x', version: name, created, files: [] });
  version('old', '2026-01-01T00:00:00Z');
  version('young', '2026-01-09T00:00:00Z');
  const rules = { keepNewest: 0, keep: [], youngerThanDays: 5, untagged: 'keep' as const };
  const now = Date.UTC(2026, 0, 10);
  const plan = await planRetention(placesOf(standIn), { owner: 'kua', type: '', search: '' }, rules, now, task);
  expect(plan.remove.map((one) => one.version)).toEqual(['old']);
});

test('what a server is too old for is said before anything is asked', async () => {
  const standIn = await forgejo({ version: '15.0.3+gitea-1.22.0' });
  const api = clientOf(standIn);
  const jobs = endpoint('GET', '/repos/{owner}/{repo}/actions/runs/{run_id}/jobs', (body) => body, {
    since: { forgejo: 16 },
  });
  const failure = await failureOf(api.call(jobs, { at: { ...infrastructure, run_id: 1 } }, task));
  expect(failure).toMatchObject({ code: 'server_too_old' });
  expect(failure.message).toContain('Forgejo 16');
  expect(standIn.seen.map(({ url }) => url)).toEqual(['/api/v1/version']);
});
