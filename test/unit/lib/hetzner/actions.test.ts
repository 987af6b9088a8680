import { failure as answer } from '../../../../lab/standins/hetzner';
import { command, defaultManner } from '../../../../lib/hetzner/change';
import { servers } from '../../../../lib/hetzner/resources/compute';
import { type HetznerSetting, hetznerSetting } from '../../../shared/hetzner';
import { quietTask } from '../../../shared/task';
import { failureOf } from '../../../shared/failure';

const task = quietTask();
let setting: HetznerSetting;

beforeEach(async () => {
  setting = await hetznerSetting();
});
afterEach(() => setting.standIn.close());

function addServer(name = 'bruno'): number {
  return Number(setting.standIn.add('servers', { name, server_type: 'cx23', image: '101' })['id']);
}

const reboot = (id: number, manner = defaultManner, as = task) =>
  command(setting.api, servers, { place: { id }, command: 'reboot' }, manner, as);

test('an action is awaited until it has succeeded, and its progress is told', async () => {
  const told: unknown[] = [];
  const id = addServer();
  setting.standIn.plan({ command: 'reboot_server', ending: { kind: 'success' }, questions: 3 });
  const { actions } = await reboot(id, defaultManner, { ...task, progress: (progress) => told.push(progress) });
  expect(actions).toMatchObject([{ command: 'reboot_server', status: 'success', progress: 100 }]);
  expect(told).toEqual([
    { message: 'Waiting for reboot_server: 0 %', fraction: 0 },
    { message: 'Waiting for reboot_server: 50 %', fraction: 0.5 },
    { message: 'Waiting for reboot_server: 100 %', fraction: 1 },
  ]);
});

test('200 actions at once are asked about with 8 requests, whoever waits for them', async () => {
  const ids = Array.from({ length: 200 }, (_, index) => addServer(`s${index}`));
  const unfinished = await Promise.all(ids.map((id) => reboot(id, { ...defaultManner, wait: false })));
  const follow = setting.api.actions.cloud.follow;
  const ends = await Promise.all(
    unfinished.flatMap(({ actions }, owner) =>
      actions.map((one) => follow(one, 60_000, { ...task, owner: `${owner}` })),
    ),
  );
  expect(new Set(ends.map(({ status }) => status))).toEqual(new Set(['success']));
  const polls = setting.standIn.cloud.seen.filter(({ url }) => url.startsWith('/actions?'));
  expect(polls.map(({ url }) => url.split('id=').length - 1)).toEqual(Array(8).fill(25));
});

test('an action that failed is a failure with the code of the API', async () => {
  setting.standIn.plan({
    command: 'reboot_server',
    ending: { kind: 'error', code: 'server_error', message: 'the hypervisor does not answer' },
  });
  const failure = await failureOf(reboot(addServer()));
  expect(failure).toMatchObject({
    code: 'server_error',
    message: 'Hetzner could not finish reboot_server: the hypervisor does not answer',
    nextStep: 'Hetzner had a problem with the server. Look at it in the Cloud Console.',
  });
});

test('an action that vanished is a failure and not a success', async () => {
  setting.standIn.plan({ command: 'reboot_server', ending: { kind: 'vanishes' } });
  expect(await failureOf(reboot(addServer()))).toMatchObject({
    code: 'action_vanished',
    nextStep: 'Look whether it took effect before you do it again.',
  });
});

test('an action that does not end in time is a failure that says how far it was', async () => {
  setting.standIn.plan({ command: 'reboot_server', ending: { kind: 'never' } });
  const failure = await failureOf(reboot(addServer(), { ...defaultManner, timeoutMs: 60_000 }));
  expect(failure).toMatchObject({
    code: 'action_timeout',
    message: 'reboot_server was not finished after 60 s; it was at 0 %',
  });
});

test('trouble on the way to Hetzner does not end the waiting, and is told', async () => {
  const told: unknown[] = [];
  const id = addServer();
  setting.standIn.plan({ command: 'reboot_server', ending: { kind: 'success' }, questions: 2 });
  const away = answer(502, 'bad_gateway', 'bad gateway');
  setting.standIn.cloud.fail({ kind: 'answer', path: /^\/actions\?/, times: 9, reply: away });
  const { actions } = await reboot(id, defaultManner, { ...task, progress: ({ message }) => told.push(message) });
  expect(actions).toMatchObject([{ status: 'success' }]);
  expect(told).toContainEqual(
    expect.stringMatching(/^Waiting for reboot_server; asking again, as .* 502 .*bad gateway$/),
  );
});

test('trouble that lasts ends the waiting at its deadline', async () => {
  const away = answer(502, 'bad_gateway', 'bad gateway');
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'answer', path: /^\/actions\?/, times: 10_000, reply: away });
  expect(await failureOf(reboot(id, { ...defaultManner, timeoutMs: 60_000 }))).toMatchObject({ code: 'bad_gateway' });
});

test('a token that was withdrawn meanwhile ends the waiting at once', async () => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'answer', path: /^\/actions\?/, reply: answer(401, 'unauthorized', 'no') });
  expect(await failureOf(reboot(id))).toMatchObject({ code: 'unauthorized' });
});

test('Stop ends the waiting at once, and nobody is asked any more', async () => {
  const stop = new AbortController();
  setting.standIn.plan({ command: 'reboot_server', ending: { kind: 'never' } });
  const waiting = reboot(addServer(), defaultManner, {
    ...quietTask(stop.signal),
    progress: () => setImmediate(() => stop.abort()),
  });
  expect(await failureOf(waiting)).toMatchObject({ code: 'cancelled' });
  const asked = setting.standIn.cloud.seen.length;
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(setting.standIn.cloud.seen.length - asked).toBeLessThanOrEqual(1);
});

test('one who stops waiting does not end the waiting of others', async () => {
  const stop = new AbortController();
  setting.standIn.plan({ command: 'reboot_server', ending: { kind: 'never' } });
  setting.standIn.plan({ command: 'reboot_server', ending: { kind: 'success' }, questions: 6 });
  const first = failureOf(reboot(addServer('one'), defaultManner, quietTask(stop.signal)));
  const second = reboot(addServer('two'));
  setImmediate(() => stop.abort());
  expect(await first).toMatchObject({ code: 'cancelled' });
  expect((await second).actions).toMatchObject([{ status: 'success' }]);
});

test('without waiting, the action is given as it began', async () => {
  const { actions } = await reboot(addServer(), { ...defaultManner, wait: false });
  expect(actions).toMatchObject([{ command: 'reboot_server', status: 'running', finishedAt: null }]);
  expect(setting.standIn.cloud.seen).toHaveLength(1);
});
