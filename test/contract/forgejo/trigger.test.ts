import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { freePort } from '../../../lab/ports';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import { type Trigger, triggerAt } from './trigger';
import { clientOf, closeAndKeepContract, closeLater, forgejo, task } from './standin';
import { failureOf } from '../../shared/failure';

afterEach(closeAndKeepContract);

const REPOSITORY = { scope: 'repository', repository: 'kua/infrastructure', events: ['push', 'create', 'delete'] };

async function published(
  standIn: ForgejoStandIn,
  parameters: Readonly<Record<string, unknown>> = REPOSITORY,
  user = 'daniel',
): Promise<Trigger> {
  const trigger = await triggerAt({ baseUrl: standIn.url, token: standIn.addToken(user) }, parameters);
  expect(await trigger.publish()).toBe('created');
  return trigger;
}

const run = promisify(execFile);

/** A clone with one commit, and how to run git in it. */
async function cloneOf(standIn: ForgejoStandIn, name = 'kua/infrastructure') {
  const folder = mkdtempSync(join(tmpdir(), 'forgejo-clone-'));
  closeLater(() => rmSync(folder, { recursive: true, force: true }));
  const url = new URL(`${standIn.url}/${name}.git`);
  url.username = 'daniel';
  url.password = standIn.addToken('daniel');
  const git = async (...args: readonly string[]) => {
    const who = ['-c', 'user.name=Daniel', '-c', 'user.email=daniel@example.test'];
    return (await run('git', ['-C', folder, ...who, ...args])).stdout.trim();
  };
  await git('clone', '--quiet', url.href, '.');
  await git('checkout', '--quiet', '-B', 'main');
  const commit = async (file: string, content: string) => {
    writeFileSync(join(folder, file), content);
    await git('add', '.');
    await git('commit', '--quiet', '-m', `Write ${file}`);
    return git('rev-parse', 'HEAD');
  };
  return { git, commit };
}

test('a real push starts the workflow with what changed', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  const { git, commit } = await cloneOf(standIn);
  const first = await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  const second = await commit('compose.yaml', 'two');
  await git('push', '--quiet', 'origin', 'main');
  expect(
    trigger.started.map(({ event, before, after, changedPaths }) => ({ event, before, after, changedPaths })),
  ).toEqual([
    { event: 'create', before: null, after: first, changedPaths: [] },
    { event: 'push', before: null, after: first, changedPaths: [] },
    { event: 'push', before: first, after: second, changedPaths: ['compose.yaml'] },
  ]);
  expect(trigger.started[2]).toMatchObject({ repo: 'kua/infrastructure', branch: 'main', pusher: 'daniel' });
  expect(trigger.started[2]?.compareUrl).toBe(`${standIn.url}/kua/infrastructure/compare/${first}...${second}`);
  expect(standIn.deliveries.map(({ status }) => status)).toEqual([200, 200, 200]);
});

test('a push that throws commits away is forced, and one that adds some is not', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push'] });
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  await commit('README.md', 'two');
  await git('tag', 'v1');
  await git('push', '--quiet', 'origin', 'main');
  await git('push', '--quiet', 'origin', 'v1');
  await git('reset', '--quiet', '--hard', 'HEAD~1');
  await commit('README.md', 'other');
  await git('push', '--quiet', '--force', 'origin', 'main');
  await git('tag', '--force', 'v1');
  await git('push', '--quiet', '--force', 'origin', 'v1');
  expect(trigger.started.map(({ ref, forced }) => [ref, forced])).toEqual([
    ['refs/heads/main', false],
    ['refs/heads/main', false],
    ['refs/tags/v1', false],
    ['refs/heads/main', true],
    ['refs/tags/v1', true],
  ]);
});

test('when the server does not say what a push threw away, the workflow starts without knowing', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push'] });
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  await commit('README.md', 'two');
  standIn.fail({ kind: 'answer', path: /compare/, reply: { status: 404, json: { message: 'gone', url: '' } } });
  await git('push', '--quiet', 'origin', 'main');
  expect(trigger.started.map(({ forced }) => forced)).toEqual([false, null]);
});

test('tags and deletions are what they are', async () => {
  const standIn = await forgejo();
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main', 'main:old');
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push', 'create', 'delete'] });
  await git('tag', 'v1');
  await git('push', '--quiet', 'origin', 'v1', ':old');
  expect(trigger.started).toMatchObject([
    { event: 'delete', branch: 'old', isTag: false, isDeletion: true },
    { event: 'push', branch: 'old', isTag: false, isDeletion: true, after: null, forced: false },
    { event: 'create', tag: 'v1', isTag: true, isCreation: true },
    { event: 'push', tag: 'v1', isTag: true, isCreation: true },
  ]);
});

test('the hook is active and asks for the chosen events only', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' })).toMatchObject([
    { active: true, contentType: 'json', events: ['push', 'create', 'delete'], url: trigger.url, branchFilter: '' },
  ]);
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' })[0]?.secret).toMatch(/^[0-9a-f]{64}$/);
});

test.each([
  ['organization', { scope: 'organization', organization: 'kua', events: ['push'] }, { organization: 'kua' }, 'daniel'],
  ['server', { scope: 'system', events: ['push'] }, 'system', 'root'],
] as const)('a hook of the whole %s hears a push to one repository', async (_, parameters, place, user) => {
  const standIn = await forgejo();
  const trigger = await published(standIn, parameters, user);
  expect(standIn.hooksOf(place)).toHaveLength(1);
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  expect(trigger.started).toMatchObject([{ event: 'push', repo: 'kua/infrastructure' }]);
  await trigger.unpublish();
  expect(standIn.hooksOf(place)).toEqual([]);
});

test('after a restart the hook is found and left alone', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  const [hook] = standIn.hooksOf({ repository: 'kua/infrastructure' });
  expect(await trigger.publish()).toBe('found');
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' })).toEqual([hook]);
});

test('hooks of others are never touched', async () => {
  const standIn = await forgejo();
  const api = await triggerAt({ baseUrl: standIn.url, token: standIn.addToken('daniel') }, REPOSITORY);
  await api.publish();
  const trigger = await published(standIn);
  await trigger.unpublish();
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' }).map(({ url }) => url)).toEqual([api.url]);
});

test.each([
  ['switched off', { active: false }],
  ['sends something else', { events: ['issues'] }],
  ['sends forms', { contentType: 'form' }],
  ['filters branches', { branchFilter: 'none' }],
])('a hook that somebody %s is put right', async (_, change) => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  Object.assign(standIn.hooksOf({ repository: 'kua/infrastructure' })[0] ?? {}, change);
  expect(await trigger.publish()).toBe('created');
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' })).toMatchObject([
    { active: true, contentType: 'json', events: ['push', 'create', 'delete'], branchFilter: '' },
  ]);
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  expect(trigger.started).toHaveLength(2);
});

test('a hook that was deleted is made again', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  standIn.hooksOf({ repository: 'kua/infrastructure' }).splice(0);
  expect(await trigger.publish()).toBe('created');
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' })).toHaveLength(1);
});

test('a hook that somebody led elsewhere belongs to them now', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  const elsewhere = 'http://127.0.0.1:9/elsewhere';
  Object.assign(standIn.hooksOf({ repository: 'kua/infrastructure' })[0] ?? {}, { url: elsewhere });
  expect(await trigger.publish()).toBe('created');
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' }).map(({ url }) => url)).toEqual([elsewhere, trigger.url]);
});

test('what n8n forgot is found by its address and replaced, as its secret is lost', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  trigger.staticData = {};
  expect(await trigger.publish()).toBe('created');
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' })).toHaveLength(1);
});

test('"Listen for test event" does not take the hook of production away', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  const kept = { ...trigger.staticData };
  await trigger.publish('manual');
  expect(trigger.staticData['forgejoHook']).toEqual(kept['forgejoHook']);
  expect(trigger.staticData['forgejoTestHook']).toBeDefined();
});

test('a secret is rotated, and no delivery is refused or counted twice', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push'] });
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  const [before] = standIn.hooksOf({ repository: 'kua/infrastructure' });
  const [old] = standIn.deliveries;

  const known = trigger.staticData['forgejoHook'] as { chain: { since: number } };
  known.chain.since -= 91 * 24 * 60 * 60 * 1000;
  const heardOfNothing = structuredClone(trigger.staticData);
  expect(await trigger.publish()).toBe('created');
  const [after] = standIn.hooksOf({ repository: 'kua/infrastructure' });
  expect(after?.secret).not.toBe(before?.secret);

  // A process that has not read the new state takes the new secret, too.
  const heard = trigger.staticData;
  trigger.staticData = heardOfNothing;
  await commit('README.md', 'two');
  await git('push', '--quiet', 'origin', 'main');
  trigger.staticData = heard;
  await commit('README.md', 'three');
  await git('push', '--quiet', 'origin', 'main');
  expect(standIn.deliveries.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(trigger.started).toHaveLength(3);

  // The old hook, had it been there still, would have sent the same event under another id.
  if (before === undefined || old === undefined) throw new Error('There was no hook');
  standIn.hooksOf({ repository: 'kua/infrastructure' }).push(before);
  const last = standIn.deliveries[2];
  if (last === undefined) throw new Error('There was no delivery');
  await standIn.repeat({ ...last, hook: before.id, id: '00000000-0000-4000-8000-000000000001' });
  expect(trigger.started).toHaveLength(3);
  expect(standIn.deliveries[3]?.status).toBe(200);
});

test('a delivery that is sent again starts nothing', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push'] });
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  const [delivery] = standIn.deliveries;
  if (delivery === undefined) throw new Error('There was no delivery');
  await standIn.repeat(delivery);
  expect(trigger.started).toHaveLength(1);
  expect(trigger.logged).toEqual([`Forgejo Trigger: delivery ${delivery.id} came again and starts nothing`]);
});

test('Replay in the settings of the hook is a new delivery, and starts the workflow again', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push'] });
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  const [delivery] = standIn.deliveries;
  if (delivery === undefined) throw new Error('There was no delivery');
  await standIn.replay(delivery);
  expect(trigger.started.map(({ after }) => after)).toEqual([trigger.started[0]?.after, trigger.started[0]?.after]);
  expect(new Set(standIn.deliveries.map(({ id }) => id)).size).toBe(2);
});

test('what the server had in its queue when it went down starts the workflow once it is up', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push'] });
  const { git, commit } = await cloneOf(standIn);
  standIn.stopSending();
  const id = await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  expect(trigger.started).toEqual([]);
  await standIn.sendAgain();
  expect(trigger.started.map(({ after }) => after)).toEqual([id]);
});

test('when the state that remembers deliveries is away, nothing starts, the server hears it, and the log says what to do', async () => {
  const standIn = await forgejo();
  const closed = await freePort();
  const database = { host: '127.0.0.1', port: closed, database: 'n8n', user: 'n8n', password: 'planted-password' };
  const trigger = await triggerAt(
    { baseUrl: standIn.url, token: standIn.addToken('daniel') },
    { ...REPOSITORY, events: ['push'], keepIn: 'postgres' },
    { selfhostState: database },
  );
  await trigger.publish();
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  expect(standIn.deliveries.map(({ status }) => status)).toEqual([503]);
  expect(trigger.started).toEqual([]);
  expect(trigger.logged).toHaveLength(1);
  expect(trigger.logged[0]).toContain(`delivery ${standIn.deliveries[0]?.id} starts nothing`);
  expect(trigger.logged[0]).toContain(`127.0.0.1:${closed}`);
  expect(trigger.logged[0]).not.toContain('planted-password');
});

test('a delivery that is to be remembered in a state without a credential starts nothing', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push'], keepIn: 'host' });
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  expect(standIn.deliveries.map(({ status }) => status)).toEqual([503]);
  expect(trigger.logged.join()).toContain('The node has no Host (SSH) credential, and its state is kept there');
});

test('a server of version 1.21 is heard', async () => {
  const standIn = await forgejo({ version: '1.21.11+0' });
  const trigger = await published(standIn, { ...REPOSITORY, events: ['push', 'release', 'package', 'issues'] });
  const { git, commit } = await cloneOf(standIn);
  const id = await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  expect(trigger.started).toMatchObject([{ event: 'push', after: id }]);
  expect(await trigger.publish()).toBe('found');
});

test('what is not signed, forged or too large is refused and logged without its content', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn, { ...REPOSITORY, options: { largestBodyKib: 1 } });
  const post = async (body: string, headers: Record<string, string> = {}) =>
    (await fetch(trigger.url, { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } }))
      .status;
  expect(await post('{"ref":"hidden"}')).toBe(401);
  expect(await post('{"ref":"hidden"}', { 'x-forgejo-signature': '0'.repeat(64) })).toBe(401);
  expect(await post('hidden'.repeat(1000))).toBe(413);
  expect(trigger.started).toEqual([]);
  expect(trigger.logged).toHaveLength(3);
  expect(trigger.logged.join()).not.toContain('hidden');
});

test('before the trigger has a secret, nothing is accepted', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  trigger.staticData = {};
  const { git, commit } = await cloneOf(standIn);
  await commit('README.md', 'one');
  await git('push', '--quiet', 'origin', 'main');
  expect(standIn.deliveries.map(({ status }) => status)).toEqual([401, 401]);
  expect(trigger.started).toEqual([]);
});

test('an error while removing the hook is said, and the hook is found again', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  standIn.fail({ kind: 'answer', method: 'DELETE', reply: { status: 403, json: { message: 'no', url: '' } } });
  await expect(trigger.unpublish()).rejects.toThrow('403');
  expect(await trigger.publish()).toBe('found');
});

test('when the repository is gone, its hook is too', async () => {
  const standIn = await forgejo();
  const trigger = await published(standIn);
  const admin = clientOf(standIn);
  await admin.call(
    { name: '', method: 'DELETE', template: '/repos/kua/infrastructure', read: () => null },
    { at: {} },
    task,
  );
  await trigger.unpublish();
  expect(trigger.staticData).toEqual({});
});

test('an old server that does not know runs says so, and keeps no half a hook', async () => {
  const standIn = await forgejo({ version: '1.21.11+0' });
  const trigger = await triggerAt(
    { baseUrl: standIn.url, token: standIn.addToken('daniel') },
    { ...REPOSITORY, events: ['push', 'action_run_failure'] },
  );
  await expect(trigger.publish()).rejects.toThrow('it does not send action_run_failure');
  expect(standIn.hooksOf({ repository: 'kua/infrastructure' })).toEqual([]);
});

test('a read-only credential makes no hook', async () => {
  const standIn = await forgejo();
  const trigger = await triggerAt(
    { baseUrl: standIn.url, token: standIn.addToken('daniel'), readOnly: true },
    REPOSITORY,
  );
  await expect(trigger.publish()).rejects.toThrow('read-only');
  expect(standIn.seen.filter(({ method }) => method !== 'GET')).toEqual([]);
});

test('a token without the right scope is told which one', async () => {
  const standIn = await forgejo();
  const api = clientOf(standIn, standIn.addToken('daniel', ['read:repository']));
  const failure = await failureOf(
    api.call({ name: '', method: 'DELETE', template: '/repos/kua/infrastructure', read: () => null }, { at: {} }, task),
  );
  expect(failure).toMatchObject({ code: 'scope_missing' });
  expect(failure.nextStep).toContain('write:repository');
});
