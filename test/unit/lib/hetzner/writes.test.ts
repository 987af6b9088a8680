import { changeItem, command, defaultManner, deleteItem, updateItem } from '../../../../lib/hetzner/change';
import { createItem } from '../../../../lib/hetzner/create';
import { getItem } from '../../../../lib/hetzner/read';
import { servers } from '../../../../lib/hetzner/resources/compute';
import { volumes } from '../../../../lib/hetzner/resources/storage';
import { createSnapshot } from '../../../../lib/hetzner/storage-boxes';
import { failure as answer } from '../../../../lab/standins/hetzner';
import { beginAction } from '../../../../lab/standins/hetzner/state';
import { type HetznerSetting, hetznerSetting } from '../../../shared/hetzner';
import { quietTask } from '../../../shared/task';
import { failureOf } from '../../../shared/failure';

const task = quietTask();
let setting: HetznerSetting;

beforeEach(async () => {
  setting = await hetznerSetting();
});
afterEach(() => setting.standIn.close());

const addServer = () =>
  Number(setting.standIn.add('servers', { name: 'bruno', server_type: 'cx23', image: '101' })['id']);
const posts = () => setting.standIn.cloud.seen.filter(({ method }) => method === 'POST').map(({ url }) => url);
const conflict = answer(409, 'conflict', 'the resource has changed');

test('a conflict is tried again until it is over', async () => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'answer', method: 'POST', times: 3, reply: conflict });
  const { actions } = await command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
  expect(actions).toMatchObject([{ status: 'success' }]);
  expect(posts()).toHaveLength(4);
});

const passing = [
  [409, 'conflict'],
  [429, 'rate_limit_exceeded'],
  [502, 'bad_gateway'],
  [504, 'timeout'],
  [503, 'unavailable'],
] as const;

test.each(passing.slice(1))('%i %s to a read passes', async (status, code) => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'answer', method: 'GET', times: 2, reply: answer(status, code, 'later') });
  expect(await getItem(setting.api, servers, { id }, task)).toMatchObject({ name: 'bruno' });
  expect(setting.standIn.cloud.seen).toHaveLength(3);
});

test.each(passing.slice(0, 4))(
  '%i %s to a command, an update and a creation passes, and each is made once',
  async (status, code) => {
    const id = addServer();
    const trouble = (method: string) =>
      setting.standIn.cloud.fail({ kind: 'answer', method, reply: answer(status, code, 'later') });
    trouble('POST');
    await command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
    trouble('PUT');
    const labels = { env: 'test' };
    await updateItem(
      setting.api,
      servers,
      { id },
      () => ({ labels }),
      defaultManner,
      () => false,
      task,
    );
    trouble('POST');
    await createItem(setting.api, volumes, volumeWish, defaultManner, task);
    expect(setting.standIn.state.actions.map((action) => action.command)).toEqual(['reboot_server', 'create_volume']);
    expect(setting.standIn.state.things.get('servers')).toMatchObject([{ labels }]);
    expect(setting.standIn.state.things.get('volumes')).toHaveLength(1);
    const sent = setting.standIn.cloud.seen.filter(({ method }) => method !== 'GET').map(({ method }) => method);
    expect(sent).toEqual(['POST', 'POST', 'PUT', 'PUT', 'POST', 'POST']);
  },
);

test('a conflict that stays is a failure after a minute', async () => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'answer', method: 'POST', times: 1000, reply: conflict });
  const attempt = command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
  expect(await failureOf(attempt)).toMatchObject({ code: 'conflict' });
  expect(posts().length).toBeLessThan(20);
});

test('what is locked fails at once, or is waited for as long as was said', async () => {
  const id = addServer();
  const change = { place: { id }, command: 'reboot' } as const;
  setting.standIn.lock('servers', id, 1);
  expect(await failureOf(command(setting.api, servers, change, defaultManner, task))).toMatchObject({
    code: 'locked',
    nextStep: 'Another action still works on it. Wait for it, or set the option Wait When Locked.',
  });
  setting.standIn.lock('servers', id, 3);
  const patient = { ...defaultManner, lockedMs: 60_000 };
  expect((await command(setting.api, servers, change, patient, task)).actions).toMatchObject([{ status: 'success' }]);
  setting.standIn.lock('servers', id, 1000);
  expect(await failureOf(command(setting.api, servers, change, patient, task))).toMatchObject({ code: 'locked' });
});

test.each(['break before', 'break after'] as const)(
  'a command whose connection breaks (%s it is done) is done exactly once',
  async (kind) => {
    const id = addServer();
    setting.standIn.cloud.fail({ kind, method: 'POST' });
    const { actions } = await command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
    expect(actions).toMatchObject([{ command: 'reboot_server', status: 'success' }]);
    expect(setting.standIn.state.actions.map((action) => action.command)).toEqual(['reboot_server']);
  },
);

test('a command whose gateway gave up is looked for before it is sent again', async () => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'answer', method: 'POST', reply: answer(504, 'timeout', 'timeout') });
  await command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
  expect(setting.standIn.cloud.seen.slice(0, 3).map(({ method, url }) => `${method} ${url}`)).toEqual([
    `POST /servers/${id}/actions/reboot`,
    `GET /servers/${id}/actions?sort=id%3Adesc&per_page=25`,
    `POST /servers/${id}/actions/reboot`,
  ]);
});

test('the action of another call is never taken for the one whose answer was lost', async () => {
  const id = addServer();
  await command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
  setting.standIn.cloud.fail({ kind: 'break before', method: 'POST' });
  await command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
  expect(setting.standIn.state.actions).toHaveLength(2);
});

test('an action of somebody else that looks alike is found out by how things are afterwards', async () => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'break before', method: 'POST' });
  beginAction(setting.standIn.state, 'stop_server', [{ id, type: 'server' }]);
  const change = {
    place: { id },
    command: 'poweroff',
    isDone: ({ status }: { status: string }) => status === 'off',
  } as const;
  expect(await failureOf(changeItem(setting.api, servers, change, defaultManner, task))).toMatchObject({
    code: 'outcome_unknown',
    message: 'The answer to poweroff was lost, and the server does not look as if it had been done',
  });
});

test('when looking fails as well, nobody is told that the command can be repeated', async () => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'break after', method: 'POST' });
  setting.standIn.cloud.fail({ kind: 'answer', method: 'GET', times: 100, reply: answer(503, 'unavailable', 'away') });
  const attempt = command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task);
  expect(await failureOf(attempt)).toMatchObject({
    code: 'outcome_unknown',
    message: expect.stringMatching(/is not known: .*; and it could not be looked up: .*away$/) as string,
    nextStep: 'Look whether it took effect before you do it again: repeating it may do it twice.',
  });
  expect(posts()).toHaveLength(1);
});

test('a password that was lost with its answer is said to be lost, and not asked for twice', async () => {
  const id = addServer();
  setting.standIn.cloud.fail({ kind: 'break after', method: 'POST' });
  const attempt = command(
    setting.api,
    servers,
    { place: { id }, command: 'reset_password', secret: true },
    defaultManner,
    task,
  );
  expect(await failureOf(attempt)).toMatchObject({
    code: 'secret_lost',
    nextStep: 'Reset the password: that gives a new one.',
  });
  expect(posts()).toHaveLength(1);
});

const volumeWish = {
  name: 'data',
  labels: { env: 'production' },
  body: () => ({ name: 'data', size: 10, location: 'fsn1', labels: { env: 'production' } }),
};

test.each(['break before', 'break after'] as const)(
  'a creation whose connection breaks (%s it is done) makes exactly one thing',
  async (kind) => {
    setting.standIn.cloud.fail({ kind, method: 'POST' });
    const { changed, item } = await createItem(setting.api, volumes, volumeWish, defaultManner, task);
    expect({ changed, item }).toMatchObject({ changed: true, item: { name: 'data', sizeGb: 10 } });
    expect(setting.standIn.state.things.get('volumes')).toHaveLength(1);
  },
);

test('what is there with the same name and labels is not made again', async () => {
  const first = await createItem(setting.api, volumes, volumeWish, defaultManner, task);
  const second = await createItem(setting.api, volumes, volumeWish, defaultManner, task);
  expect(second).toMatchObject({ changed: false, item: { id: first.item?.id } });
  expect(posts()).toHaveLength(1);
});

test('two that create the same at the same moment make one thing, and neither fails', async () => {
  // Both have looked before either has sent.
  let looking = 0;
  let bothLooked: () => void = () => undefined;
  const both = new Promise<void>((resolve) => (bothLooked = resolve));
  const wish = {
    ...volumeWish,
    body: async () => {
      looking += 1;
      if (looking === 2) bothLooked();
      await both;
      return volumeWish.body();
    },
  };
  const create = () => createItem(setting.api, volumes, wish, defaultManner, task);
  const [one, other] = await Promise.all([create(), create()]);
  expect([one.changed, other.changed].sort()).toEqual([false, true]);
  expect(one.item?.id).toBe(other.item?.id);
  expect(posts()).toHaveLength(2);
});

test('a thing of the same name with other labels is another thing, and nothing is sent', async () => {
  setting.standIn.add('volumes', { name: 'data', size: 10, labels: { env: 'test' } });
  expect(await failureOf(createItem(setting.api, volumes, volumeWish, defaultManner, task))).toMatchObject({
    code: 'uniqueness_error',
    message: 'There is another volume called data already: it does not carry the label env=production',
  });
  expect(posts()).toEqual([]);
});

test('a dry run of a creation sends nothing', async () => {
  const { changed, item } = await createItem(
    setting.api,
    volumes,
    volumeWish,
    { ...defaultManner, dryRun: true },
    task,
  );
  expect([changed, item, posts()]).toEqual([true, undefined, []]);
});

test('a snapshot of a storage box whose answer was lost is found by its description', async () => {
  const box = setting.standIn.add('storage_boxes', { name: 'vault', storage_box_type: 'bx11' });
  setting.standIn.storage.fail({ kind: 'break after', method: 'POST' });
  const wish = { description: 'before the upgrade', labels: {} };
  const { item } = await createSnapshot(setting.api, Number(box['id']), wish, defaultManner, task);
  expect(item).toMatchObject({ description: 'before the upgrade' });
  expect(setting.standIn.state.things.get('snapshots')).toHaveLength(1);
});

test('a change that is made already sends nothing', async () => {
  const id = addServer();
  const change = {
    place: { id },
    command: 'poweron',
    isDone: ({ status }: { status: string }) => status === 'running',
  } as const;
  expect(await changeItem(setting.api, servers, change, defaultManner, task)).toMatchObject({ changed: false });
  expect(posts()).toEqual([]);
});

test('a change says which fields it changed', async () => {
  const id = addServer();
  const change = { place: { id }, command: 'poweroff' } as const;
  const { changes } = await changeItem(setting.api, servers, change, defaultManner, task);
  expect(changes).toEqual([{ field: 'status', before: 'running', after: 'off' }]);
});

test('what is gone is deleted; what is protected is not, and no request is made for it', async () => {
  const volume = setting.standIn.add('volumes', { name: 'data', size: 10 }, { protection: { delete: true } });
  const place = { id: Number(volume['id']) };
  expect(await failureOf(deleteItem(setting.api, volumes, place, defaultManner, task))).toMatchObject({
    code: 'protected',
    message: 'The volume data is protected, so it was not deleted',
  });
  volume['protection'] = { delete: false };
  setting.standIn.cloud.fail({ kind: 'break after', method: 'DELETE' });
  expect(await deleteItem(setting.api, volumes, place, defaultManner, task)).toMatchObject({ changed: true });
  expect(await deleteItem(setting.api, volumes, place, defaultManner, task)).toMatchObject({ changed: false });
});

test('200 writes with a small budget cause no storm of refusals', async () => {
  await setting.standIn.close();
  setting = await hetznerSetting({ limit: { requests: 180, perSecond: 300 }, realTime: true });
  const ids = Array.from({ length: 200 }, addServer);
  await Promise.all(
    ids.map((id) => command(setting.api, servers, { place: { id }, command: 'reboot' }, defaultManner, task)),
  );
  const refused = setting.standIn.cloud.exchanges.filter((exchange) => exchange.answer.status === 429);
  expect(refused.length).toBeLessThan(10);
  expect(setting.standIn.state.actions.filter(({ status }) => status === 'success')).toHaveLength(200);
});
