import type { ILoadOptionsFunctions } from 'n8n-workflow';
import { coverageOf } from '../../../lab/standins/contract';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import { Forgejo } from '../../../nodes/Forgejo/Forgejo.node';
import { assertMatches } from '../../../nodes/declaration/schema';
import { credentialOf, runNode, server } from './node-setting';
import { coverageTable, pageShows } from './documented';
import { excluded } from './excluded';
import { contracts } from './standin';

type Parameters = Readonly<Record<string, unknown>>;

let standIn: ForgejoStandIn;
let ids: Readonly<Record<string, number>>;
let restore: () => void;
let touched = false;
let as: ReturnType<typeof credentialOf>;

const repository = '/repos/kua/infrastructure';

/** One of everything that an operation may be about. */
function furnish(): Readonly<Record<string, number>> {
  const add = (list: string, definition: string, value: Record<string, unknown> = {}) =>
    Number(standIn.add(list, definition, value)['id']);
  const issue = add(`${repository}/issues`, 'Issue', {
    number: 7,
    state: 'open',
    title: 'Disk full',
    pull_request: null,
  });
  const pull = add(`${repository}/pulls`, 'PullRequest', {
    number: 8,
    state: 'open',
    merged: false,
    title: 'Deploy immich',
    base: { ref: 'main' },
    head: { ref: 'deploy', sha: 'f'.repeat(40) },
    requested_reviewers: [],
  });
  add(`${repository}/pulls/8/files`, 'ChangedFile', { filename: 'compose.yaml', status: 'changed' });
  add(`${repository}/pulls/8/commits`, 'Commit', { sha: 'f'.repeat(40) });
  add(`${repository}/forks`, 'Repository', { name: 'infrastructure', full_name: 'daniel/infrastructure' });
  add(`${repository}/collaborators`, 'User', { login: 'daniel' });
  add('/users/search', 'User', { login: 'daniel', email: 'daniel@example.org' });
  add('/admin/users', 'User', { login: 'gone', email: 'gone@example.org' });
  add('/orgs', 'Organization', { name: 'kua', username: 'kua' });
  add('/orgs/kua/members', 'User', { login: 'daniel' });
  add('/admin/cron', 'Cron', { name: 'git_gc_repos' });
  add(`${repository}/actions/secrets`, 'Secret', { name: 'DEPLOY_KEY' });
  add(`${repository}/actions/variables`, 'ActionVariable', { name: 'DEPLOY_KEY', data: 'bruno' });
  add(`${repository}/branch_protections`, 'BranchProtection', { rule_name: 'main' });
  const team = add('/orgs/kua/teams', 'Team', { name: 'Deployers' });
  add(`/teams/${team}/members`, 'User', { login: 'gone' });
  add(`/teams/${team}/repos`, 'Repository', { name: 'infrastructure', full_name: 'kua/infrastructure' });
  const release = add(`${repository}/releases`, 'Release', { tag_name: 'v1.0.0' });
  const review = add(`${repository}/pulls/8/reviews`, 'PullReview', { state: 'APPROVED', dismissed: false });
  add(`${repository}/pulls/8/reviews/${review}/comments`, 'PullReviewComment');
  const label = add(`${repository}/labels`, 'Label', { name: 'bug', color: 'ff0000' });
  add(`${repository}/issues/7/labels`, 'Label', { id: label, name: 'bug', color: 'ff0000' });
  add(`${repository}/actions/runners/jobs`, 'ActionRunJob', { name: 'deploy', status: 'waiting' });
  add(`${repository}/actions/tasks`, 'ActionTask', { name: 'deploy' });
  add('/repos/issues/search', 'Issue', { number: 7, title: 'Disk full' });
  add('/orgs/kua/repos', 'Repository', { name: 'infrastructure', full_name: 'kua/infrastructure' });
  standIn.addPackage({
    owner: 'kua',
    type: 'container',
    name: 'app',
    version: '1.0',
    created: '2026-01-01T00:00:00Z',
    files: [{ name: 'blob', size: 1000 }],
  });
  return {
    issue,
    pull,
    label,
    release,
    review,
    team,
    comment: add(`${repository}/issues/7/comments`, 'Comment', { body: 'Seen' }),
    milestone: add(`${repository}/milestones`, 'Milestone', { title: 'Q1', state: 'open' }),
    asset: add(`${repository}/releases/${release}/assets`, 'Attachment', { name: 'old.tar', size: 3 }),
    key: add(`${repository}/keys`, 'DeployKey', { title: 'eva', key: 'ssh-ed25519 BBBB' }),
    ownKey: add('/user/keys', 'PublicKey', { title: 'eva', key: 'ssh-ed25519 BBBB' }),
    tagProtection: add(`${repository}/tag_protections`, 'TagProtection', { name_pattern: 'v*' }),
    artifact: add(`${repository}/actions/artifacts`, 'ActionArtifact', { name: 'image' }),
    runner: add(`${repository}/actions/runners`, 'ActionRunner', { name: 'bruno' }),
    thread: add('/notifications', 'NotificationThread', { unread: true }),
  };
}

/** What the form holds, whatever the operation; each takes what it knows. */
function everyField(): Parameters {
  const id = (name: string) => ids[name];
  return {
    repository: 'kua/infrastructure',
    organization: 'kua',
    owner: 'kua',
    scope: 'repository',
    returnAll: true,
    branch: 'feature/one',
    newBranch: 'deploy/bruno',
    newName: 'renamed',
    rule: 'main',
    tag: 'v0.9.0',
    tagProtectionId: id('tagProtection'),
    namePattern: 'release-*',
    commit: 'main',
    baseRef: 'v0.9.0',
    headRef: 'main',
    context: 'deploy/bruno',
    state: 'success',
    timeoutSeconds: 10,
    intervalSeconds: 1,
    path: 'bruno/compose.yaml',
    files: { 'new.txt': 'new' },
    message: 'Deploy',
    issue: 7,
    title: 'New title',
    labels: ['bug'],
    commentId: id('comment'),
    body: 'Deployed',
    mark: 'deploy/bruno',
    label: 'bug',
    name: 'new-name',
    milestone: 'Q1',
    pullRequest: 8,
    headBranch: 'feature/one',
    baseBranch: 'main',
    reviewId: id('review'),
    release: 'v1.0.0',
    tagName: 'v1.1.0',
    assetId: id('asset'),
    binaryField: 'data',
    webhookId: standIn.hooksOf({ repository: 'kua/infrastructure' })[0]?.id,
    url: 'https://n8n.example.test/webhook/1',
    secret: 'credential:DEPLOY_TOKEN',
    runId: standIn.runs[0]?.id,
    jobId: 9,
    workflow: 'deploy.yaml',
    inputs: {},
    wait: true,
    artifactId: id('artifact'),
    secretName: 'DEPLOY_KEY',
    variableName: 'DEPLOY_KEY',
    variableValue: 'eva',
    value: 'credential:DEPLOY_TOKEN',
    runnerId: id('runner'),
    runnerName: 'eva',
    organizationName: 'new-one',
    team: 'Deployers',
    teamName: 'Readers',
    user: 'daniel',
    email: 'new@example.org',
    password: 'credential:DEPLOY_TOKEN',
    keyId: id('key'),
    key: 'ssh-ed25519 AAAA eva@kua',
    threadId: id('thread'),
    packageType: 'container',
    packageName: 'app',
    packageVersion: '1.0',
    linkedTo: 'infrastructure',
    cronTask: 'git_gc_repos',
    mirror: String(standIn.things.find(({ definition }) => definition === 'PushMirror')?.value['remote_name']),
    remoteAddress: 'https://github.com/kua/infrastructure.git',
    cloneAddress: 'https://github.com/kua/infrastructure.git',
    collaborator: 'daniel',
    permission: 'write',
    topics: ['deploy'],
    settings: {},
    options: {},
    youngerThanDays: 0,
    keepNewest: 0,
    reviewers: ['daniel'],
    teamReviewers: [],
  };
}

/** Where the ordinary values do not make the operation do something. */
const cases: Readonly<Record<string, () => Parameters>> = {
  'run.wait': () => {
    for (const run of standIn.runs) run.status = 'success';
    return {};
  },
  'run.cancel': () => {
    for (const run of standIn.runs) Object.assign(run, { status: 'running', ahead: [] });
    return {};
  },
  'review.undismiss': () => {
    for (const { definition, value } of standIn.things) if (definition === 'PullReview') value['dismissed'] = true;
    return {};
  },
  'branchProtection.ensure': () => ({ rule: 'release/*', settings: { requiredApprovals: 2 } }),
  'collaborator.delete': () => ({}),
  'issue.create': () => ({
    settings: { labels: ['bug'], milestone: 'Q1', assignees: ['daniel'], dueAt: '2026-12-31T00:00:00Z', body: 'x' },
  }),
  'issue.update': () => ({ settings: { state: 'closed', title: 'Done' } }),
  'issue.addLabels': () => ({ labels: [String(standIn.add(`${repository}/labels`, 'Label', { name: 'new' })['id'])] }),
  'issue.setLabels': () => ({ labels: [String(standIn.add(`${repository}/labels`, 'Label', { name: 'new' })['id'])] }),
  'label.ensure': () => ({ color: '#00ff00' }),
  'label.update': () => ({ settings: { name: 'renamed' } }),
  'milestone.update': () => ({ settings: { title: 'Q2' } }),
  'tagProtection.update': () => ({ settings: { whitelistUsernames: ['daniel'] } }),
  'pullRequest.update': () => ({ settings: { title: 'Renamed', labels: ['bug'] } }),
  'release.update': () => ({ settings: { name: 'First' } }),
  'repository.update': () => ({ settings: { archived: true, website: 'https://kua.cl' } }),
  'repository.ensure': () => ({ repository: 'kua/new', settings: { private: true } }),
  'repository.migrate': () => ({ repository: 'kua/copied', service: 'github', authToken: 'credential:DEPLOY_TOKEN' }),
  'repository.fork': () => ({ settings: { organization: 'kua', name: 'copy' } }),
  'repository.transfer': () => ({ owner: 'daniel' }),
  'repository.list': () => ({ of: 'organization', name: 'kua' }),
  'repository.archive': () => ({ ref: '' }),
  'team.update': () => ({ settings: { description: 'Those who deploy' } }),
  'team.removeMember': () => ({ user: 'gone' }),
  'team.addRepository': () => ({ repository: 'kua/other' }),
  'team.removeRepository': () => ({}),
  'user.create': () => ({ user: 'new' }),
  'user.update': () => ({ settings: { fullName: 'Daniel' } }),
  'user.delete': () => ({ user: 'gone' }),
  'sshKey.get': () => ({ keyId: ids['ownKey'] }),
  'sshKey.delete': () => ({ keyId: ids['ownKey'] }),
  'organization.ensure': () => ({ settings: { description: 'New' } }),
  'webhook.update': () => ({ settings: { active: false, events: ['push', 'release'] } }),
  'file.download': () => ({ lfs: true }),
  'file.read': () => ({ ref: '' }),
  'file.list': () => ({ folder: 'bruno' }),
  'branch.create': () => ({ from: 'main' }),
  'tag.create': () => ({ tag: 'v2.0.0', tagTarget: 'main' }),
  'release.ensure': () => ({ settings: { name: 'Second' } }),
};

const commandsWithoutChange = ['notification.count'];

async function prepare() {
  standIn = await server();
  ids = furnish();
  as = credentialOf(standIn);
  const run = (parameters: Parameters) => runNode(parameters, as);
  await run({
    ...{ resource: 'file', operation: 'write', repository: 'kua/infrastructure', message: 'One' },
    files: { 'bruno/compose.yaml': 'services: {}', '.forgejo/workflows/deploy.yaml': 'on: push' },
  });
  const at = { repository: 'kua/infrastructure' };
  await run({ ...at, resource: 'branch', operation: 'create', newBranch: 'feature/one' });
  await run({ ...at, resource: 'tag', operation: 'create', tag: 'v0.9.0' });
  await run({ ...at, resource: 'commitStatus', operation: 'set', commit: 'main', context: 'ci', state: 'success' });
  await run({
    ...at,
    resource: 'webhook',
    operation: 'create',
    scope: 'repository',
    url: 'https://n8n.example.test/1',
  });
  await run({ ...at, resource: 'pushMirror', operation: 'create', remoteAddress: 'https://example.org/a.git' });
  await run({ ...at, resource: 'run', operation: 'dispatch', workflow: 'deploy.yaml', ref: 'main', wait: false });
  const [started] = standIn.runs;
  standIn.add(`${repository}/actions/runs/${started?.id ?? 0}/artifacts`, 'ActionArtifact', { name: 'build' });
  standIn.runsWillGo('success');
}

beforeAll(async () => {
  await prepare();
  restore = standIn.snapshot();
});
afterAll(() => standIn.close());
afterEach(() => {
  if (touched) restore();
  touched = false;
  const violations = Object.entries(contracts).flatMap(([version, contract]) =>
    contract.violations.map((violation) => `${version}: ${violation}`),
  );
  for (const contract of Object.values(contracts)) contract.forget();
  expect(violations).toEqual([]);
});

const operations = Forgejo.declaration.resources.flatMap((resource) => resource.operations);

function writes(from: number) {
  return standIn.seen.slice(from).filter(({ method }) => method !== 'GET');
}

test.each(operations.map((one) => [`${one.resource}.${one.name}`, one] as const))(
  '%s sends and gives what it declares',
  async (name, { resource, name: operation, effect, dryRun, output }) => {
    touched = effect !== 'reads' || name in cases;
    const parameters = { ...everyField(), ...cases[name]?.(), resource, operation };
    const from = standIn.seen.length;
    const dry = dryRun ? await runNode({ ...parameters, dryRun: true }, as) : { items: [] };
    expect(writes(from)).toEqual([]);
    const { items } = await runNode(parameters, as);
    for (const item of [...dry.items, ...items]) assertMatches(output, item);
    expect(items).not.toEqual([]);
    if (effect === 'reads' || !dryRun || commandsWithoutChange.includes(name)) return;
    expect([...dry.items, ...items].map(({ changed, dryRun: tried }) => [changed, tried])).toEqual([
      [true, true],
      [true, false],
    ]);
    expect(writes(from)).not.toEqual([]);
  },
);

test('hooks, runners, secrets and variables are those of the scope that was chosen', async () => {
  touched = true;
  const inScope = async (scope: string, resource: string, operation: string, more: Parameters = {}) => {
    const { items } = await runNode({ ...everyField(), ...more, scope, resource, operation }, as);
    return items;
  };
  const paths: Readonly<Record<string, string>> = { organization: '/orgs/kua', user: '/user', system: '/admin' };
  for (const [scope, path] of Object.entries(paths)) {
    const [hook] = await inScope(scope, 'webhook', 'create', { settings: {} });
    const webhookId = (hook?.['after'] as { id: number }).id;
    await inScope(scope, 'webhook', 'list');
    await inScope(scope, 'webhook', 'update', { webhookId, settings: { active: false } });
    await inScope(scope, 'webhook', 'delete', { webhookId });
    const runnerId = Number(standIn.add(`${path}/actions/runners`, 'ActionRunner', { name: scope })['id']);
    for (const name of ['list', 'get', 'register', 'registrationToken', 'waitingJobs', 'delete']) {
      await inScope(scope, 'runner', name, { runnerId });
    }
    if (scope === 'system') continue;
    const variable = { variableName: `OF_${scope.toUpperCase()}` };
    expect(await inScope(scope, 'variable', 'set', variable)).toMatchObject([
      { before: null, after: { value: 'eva' } },
    ]);
    expect(await inScope(scope, 'variable', 'set', { ...variable, variableValue: 'bruno' })).toMatchObject([
      { before: { value: 'eva' }, changed: true },
    ]);
    for (const name of ['list', 'get', 'delete']) await inScope(scope, 'variable', name, variable);
    await inScope(scope, 'secret', 'set', { secretName: 'A' });
    if (scope === 'organization') expect(await inScope(scope, 'secret', 'list')).toMatchObject([{ name: 'A' }]);
    expect(await inScope(scope, 'secret', 'delete', { secretName: 'A' })).toMatchObject([{ changed: true }]);
  }
});

test('what is there is changed by the address of its own, and what is not is made', async () => {
  touched = true;
  const run = async (resource: string, operation: string, more: Parameters) =>
    (await runNode({ ...everyField(), ...more, resource, operation }, as)).items;
  const changed = [{ changed: true, before: expect.anything() as unknown }];
  expect(await run('branchProtection', 'ensure', { settings: { requiredApprovals: 2 } })).toMatchObject(changed);
  expect(
    await run('organization', 'ensure', { organizationName: 'kua', settings: { location: 'Santiago' } }),
  ).toMatchObject(changed);
  const added = { variableName: 'NEW_ONE' };
  expect(await run('variable', 'set', added)).toMatchObject([{ before: null, after: { name: 'NEW_ONE' } }]);
  expect(await run('repository', 'ensure', { repository: 'root/own' })).toMatchObject([{ before: null }]);
  expect(await run('repository', 'list', { of: 'own' })).toMatchObject([{ fullName: 'root/own' }]);
  standIn.add('/users/daniel/repos', 'Repository', { name: 'site', full_name: 'daniel/site' });
  expect(await run('repository', 'list', { of: 'user', name: 'daniel' })).toMatchObject([{ fullName: 'daniel/site' }]);
  standIn.add('/repos/kua/infrastructure/contents', 'ContentsResponse', { path: 'bruno', type: 'dir' });
  expect(await run('file', 'list', { folder: '' })).toMatchObject([{ path: 'bruno', type: 'dir' }]);
  expect((await runNode({ ...everyField(), resource: 'file', operation: 'download', lfs: false }, as)).files).toEqual([
    'services: {}',
  ]);
});

test('lists offer everything, from all pages', async () => {
  for (let index = 0; index < 60; index += 1) standIn.add('/orgs', 'Organization', { name: `org-${index}` });
  touched = true;
  const asker = {
    getCredentials: () => Promise.resolve(as),
    getNode: () => ({ name: 'Forgejo' }),
    getCurrentNodeParameter: () => ({ mode: 'list', value: 'kua/infrastructure' }),
  };
  const search = async (name: string, filter = '') => {
    const found = await new Forgejo().methods?.listSearch?.[name]?.call(
      asker as unknown as ILoadOptionsFunctions,
      filter,
    );
    return (found?.results ?? []).map(({ value }) => value);
  };
  expect(await search('searchOrganizations', 'ORG-')).toHaveLength(60);
  expect(await search('searchRepositories')).toEqual(['kua/infrastructure']);
  expect(await search('searchOwners')).toEqual(['root']);
  expect(await search('searchBranches', 'feat')).toEqual(['feature/one']);
  expect(await search('searchWorkflows')).toEqual(['deploy.yaml']);
});

describe('coverage', () => {
  test.each(Object.entries(contracts))(
    'every operation of Forgejo %s is reached by the node, or excluded with a reason',
    (version, contract) => {
      const known = Object.entries(excluded).filter(([name]) => contract.operations.includes(name));
      const { reached, ...rest } = coverageOf(contract, Object.fromEntries(known));
      expect(rest).toEqual({ forgotten: [], reachedAnyway: [], unknown: [] });
      expect(reached.length + known.length).toBe(version === '15' ? 491 : 506);
    },
  );

  test('nothing is excluded that no version has', () => {
    expect(Object.keys(excluded).filter((name) => !contracts[16].operations.includes(name))).toEqual([]);
  });

  test('the page of the node shows what is reached, and why the rest is not', () => {
    const since = (name: string) => (contracts[15].operations.includes(name) ? '' : ' (from 16)');
    expect(pageShows(coverageTable('Forgejo 15 and 16', contracts[16], excluded, since))).toBe(true);
  });
});
