import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import { mergePullRequest } from '../../../lib/forgejo/merge';
import { ensurePullRequest } from '../../../lib/forgejo/pull-requests';
import { dispatchWorkflow, waitForRun } from '../../../lib/forgejo/runs';
import { failureOf } from '../../shared/failure';
import { credentialOf, runNode, server } from './node-setting';
import { clientOf, closeAndKeepContract, closeLater, task } from './standin';

const name = { owner: 'kua', repo: 'infrastructure' };
const base = { path: '/repos/{owner}/{repo}', at: name };
const deploy = { name, workflow: 'deploy.yaml', ref: 'main', inputs: { host: 'bruno' } };
const waiting = { timeoutMs: 10_000, intervalMs: 5 };

afterEach(closeAndKeepContract);

async function started(version: string): Promise<ForgejoStandIn> {
  const standIn = await server(version);
  closeLater(standIn.close);
  return standIn;
}

describe('a workflow is started', () => {
  test('and its run waited for, with its jobs from 16 on', async () => {
    const standIn = await started('16.0.0+gitea-1.22.0');
    standIn.runsWillGo('running', 'success');
    const api = clientOf(standIn);
    const run = await dispatchWorkflow(api, deploy, 0, task);
    expect(run).toMatchObject({ status: 'waiting', workflow: 'deploy.yaml', ref: 'main', startedAt: null });
    expect(standIn.runs).toMatchObject([{ inputs: { host: 'bruno' } }]);
    expect(await waitForRun(api, name, run?.id ?? 0, waiting, task)).toMatchObject({
      finished: true,
      succeeded: true,
      status: 'success',
      jobs: [{ name: 'deploy', status: 'success', runsOn: ['docker'] }],
    });
  });

  test('on 15 without a list of jobs; that it fails is an answer', async () => {
    const standIn = await started('15.0.3+gitea-1.22.0');
    standIn.runsWillGo('running', 'failure');
    const api = clientOf(standIn);
    const run = await dispatchWorkflow(api, deploy, 0, task);
    expect(await waitForRun(api, name, run?.id ?? 0, waiting, task)).toMatchObject({
      finished: true,
      succeeded: false,
      status: 'failure',
      jobs: null,
    });
  });

  test('on a server that does not say which run it is: the new one is found among the old ones', async () => {
    const standIn = await started('12.0.0+gitea-1.22.0');
    const api = clientOf(standIn);
    const first = await dispatchWorkflow(api, deploy, 0, task);
    const second = await dispatchWorkflow(api, deploy, 0, task);
    expect([first?.id, second?.id]).toEqual(standIn.runs.map(({ id }) => id));
  });

  test('and one that does not end in time says so, with its ID', async () => {
    const standIn = await started('16.0.0+gitea-1.22.0');
    standIn.runsWillGo();
    const api = clientOf(standIn);
    const run = await dispatchWorkflow(api, deploy, 0, task);
    const short = { timeoutMs: 20, intervalMs: 5 };
    expect(await failureOf(waitForRun(api, name, run?.id ?? 0, short, task))).toMatchObject({
      code: 'run_timeout',
      details: { run: run?.id, status: 'waiting' },
    });
  });
});

describe('what a server is too old for is said before it is asked', () => {
  const at = { repository: 'kua/infrastructure', scope: 'repository', returnAll: true, binaryField: 'data' };
  test.each([
    ['15.0.3+gitea-1.22.0', { resource: 'run', operation: 'jobLogs', jobId: 1 }, 'Forgejo 16'],
    ['15.0.3+gitea-1.22.0', { resource: 'artifact', operation: 'list' }, 'Forgejo 16'],
    ['1.21.11+0', { resource: 'variable', operation: 'list' }, 'Forgejo 7 and Gitea 1.22'],
    ['1.21.11+0', { resource: 'run', operation: 'list' }, 'Forgejo 11'],
    ['1.21.11+0', { resource: 'tagProtection', operation: 'list' }, 'Forgejo 9 and Gitea 1.23'],
  ])('%s: %j', async (version, operation, since) => {
    const standIn = await started(version);
    const running = runNode({ ...at, ...operation }, credentialOf(standIn));
    await expect(running).rejects.toThrow(`The server runs ${version}, which cannot do this`);
    await expect(running).rejects.toThrow(`exists from ${since}`);
    expect(standIn.seen.map(({ url }) => url)).toEqual(['/api/v1/version']);
  });
});

test('repositories, files, statuses and packages work with 1.21, which is never asked for what it has not', async () => {
  const standIn = await started('1.21.11+0');
  standIn.addPackage({
    owner: 'kua',
    type: 'container',
    name: 'app',
    version: '1.0',
    created: '2026-01-01T00:00:00Z',
    files: [{ name: 'blob', size: 1000 }],
  });
  const as = credentialOf(standIn);
  const at = { repository: 'kua/infrastructure', commit: 'main', path: 'a.txt', owner: 'kua', settings: {} };
  const run = async (resource: string, operation: string, more: object = {}) =>
    (await runNode({ ...at, ...more, resource, operation }, as)).items;
  await run('file', 'write', { files: { 'a.txt': 'one' }, message: 'One' });
  const status = { state: 'success', context: 'deploy' };
  expect(await run('file', 'read')).toMatchObject([{ content: 'one' }]);
  expect(await run('commitStatus', 'set', status)).toMatchObject([{ changed: true }]);
  expect(await run('commitStatus', 'wait', { timeoutSeconds: 5, intervalSeconds: 1 })).toMatchObject([
    { succeeded: true },
  ]);
  expect(await run('repository', 'get')).toMatchObject([{ fullName: 'kua/infrastructure', empty: false }]);
  expect(await run('repository', 'update', { settings: { archived: true } })).toMatchObject([{ changed: true }]);
  expect(await run('package', 'list')).toMatchObject([{ name: 'app', version: '1.0' }]);
  const one = { packageType: 'container', packageName: 'app', packageVersion: '1.0' };
  expect(await run('package', 'delete', one)).toMatchObject([{ changed: true, before: { name: 'app' } }]);
});

test('a pull request of two branches is opened once, and merged only at the commit that was looked at', async () => {
  const standIn = await started('16.0.0+gitea-1.22.0');
  const api = clientOf(standIn);
  const open = (title: string) =>
    ensurePullRequest(api, base, { head: 'deploy/one', base: 'main' }, { title }, false, task);
  const first = await open('Deploy');
  expect(first).toMatchObject({ changed: true, before: null, after: { title: 'Deploy', state: 'open' } });
  expect(await open('Deploy')).toMatchObject({ changed: false });
  expect(await open('Deploy immich')).toMatchObject({ changed: true, after: { title: 'Deploy immich' } });
  const index = first.after?.number ?? 0;
  const wanted = { index, style: 'merge', headCommit: 'a'.repeat(40) } as const;
  expect(await failureOf(mergePullRequest(api, base, wanted, false, task))).toMatchObject({ code: 'not_mergeable' });
  await mergePullRequest(api, base, { index, style: 'squash' }, false, task);
  const merges = standIn.seen.filter(({ url }) => url.endsWith('/merge'));
  expect(merges.map(({ body }) => body)).toEqual([{ Do: 'squash', head_commit_id: 'f'.repeat(40) }]);

  // The closed one of the same branches hides the open one.
  Object.assign(standIn.things.find(({ list }) => list.endsWith('/pulls'))?.value ?? {}, { state: 'closed' });
  const second = await open('Deploy again');
  expect(second).toMatchObject({ changed: true, before: null });
  expect(await open('Deploy again')).toMatchObject({ changed: false, after: { number: second.after?.number } });
});

test('an asset is uploaded as it streams in, once, and replaced when that is wanted', async () => {
  const standIn = await started('16.0.0+gitea-1.22.0');
  standIn.add('/repos/kua/infrastructure/releases', 'Release', { tag_name: 'v1' });
  const as = credentialOf(standIn);
  const upload = async (options: object = {}) => {
    const at = { resource: 'releaseAsset', operation: 'upload', repository: 'kua/infrastructure', release: 'v1' };
    return (await runNode({ ...at, binaryField: 'data', options }, as)).items;
  };
  expect(await upload()).toMatchObject([{ changed: true }]);
  const [sent] = standIn.seen.filter(({ method }) => method === 'POST');
  expect(sent?.url).toMatch(/\/assets\?name=release\.tar$/);
  expect(String(sent?.body)).toContain('filename="release.tar"');
  expect(String(sent?.body)).toContain('\r\n\r\ntarball\r\n');
  const kept = standIn.things.find(({ definition }) => definition === 'Attachment');
  Object.assign(kept?.value ?? {}, { name: 'release.tar', size: 7 });
  expect(await upload()).toMatchObject([{ changed: false }]);
  Object.assign(kept?.value ?? {}, { size: 3 });
  await expect(upload()).rejects.toThrow('has an asset release.tar of 3 bytes already, and the new file has 7');
  expect(await upload({ replace: true })).toMatchObject([{ changed: true, before: { size: 3 } }]);
  expect(standIn.things).not.toContain(kept);
});

test('secrets come by reference, and no item or error shows them', async () => {
  const standIn = await started('16.0.0+gitea-1.22.0');
  const as = credentialOf(standIn);
  const set = { resource: 'secret', operation: 'set', scope: 'repository', repository: 'kua/infrastructure' };
  const { items } = await runNode({ ...set, secretName: 'DEPLOY_KEY', value: 'credential:DEPLOY_TOKEN' }, as);
  expect(items).toMatchObject([{ changed: true, after: { name: 'DEPLOY_KEY' } }]);
  expect(standIn.seen.filter(({ method }) => method === 'PUT').map(({ body }) => body)).toEqual([
    { data: 'Named-horse-8' },
  ]);
  expect(JSON.stringify(items)).not.toContain('Named-horse-8');
});

test('a name that is not there is answered with those that are', async () => {
  const standIn = await started('16.0.0+gitea-1.22.0');
  for (const label of ['bug', 'deploy']) standIn.add('/repos/kua/infrastructure/labels', 'Label', { name: label });
  const get = { resource: 'label', operation: 'get', repository: 'kua/infrastructure', label: 'feature' };
  await expect(runNode(get, credentialOf(standIn))).rejects.toMatchObject({
    message: "There is no label called 'feature'",
    description: expect.stringContaining('Choose one that is there: bug, deploy.') as string,
  });
});
