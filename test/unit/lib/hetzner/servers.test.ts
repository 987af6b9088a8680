import { defaultManner } from '../../../../lib/hetzner/change';
import { changeServerType, ensureServer, type ServerWish, shutDownServer } from '../../../../lib/hetzner/servers';
import { failureOf, type HetznerSetting, hetznerSetting } from '../../../shared/hetzner';
import { quietTask } from '../../../shared/task';

const task = quietTask();
let setting: HetznerSetting;

beforeEach(async () => {
  setting = await hetznerSetting();
});
afterEach(() => setting.standIn.close());

const wish: ServerWish = {
  name: 'bruno',
  type: 'cx23',
  image: 'debian-12',
  location: 'fsn1',
  labels: { env: 'production' },
};
const writes = () => setting.standIn.cloud.seen.filter(({ method }) => method !== 'GET');
const ensure = (more: Partial<ServerWish> = {}, manner = defaultManner) =>
  ensureServer(setting.api, { ...wish, ...more }, manner, task);

test('a server is created once, with names turned into ids and the image of its architecture', async () => {
  const { standIn } = setting;
  const network = standIn.add('networks', { name: 'inner', ip_range: '10.0.0.0/16' });
  const firewall = standIn.add('firewalls', { name: 'web' });
  const key = standIn.add('ssh_keys', { name: 'daniel', public_key: 'ssh-ed25519 AAAA' });
  const more = {
    type: 'cax11',
    networks: ['inner'],
    firewalls: [String(firewall['id'])],
    sshKeys: ['daniel'],
    userData: '#cloud-config',
    publicIpv6: false,
  };
  const first = await ensure(more);
  const second = await ensure(more);
  expect(writes().map(({ body }) => body)).toEqual([
    {
      name: 'bruno',
      server_type: 'cax11',
      image: '102',
      location: 'fsn1',
      labels: { env: 'production' },
      ssh_keys: [String(key['id'])],
      networks: [network['id']],
      volumes: [],
      firewalls: [{ firewall: firewall['id'] }],
      user_data: '#cloud-config',
      start_after_create: true,
      public_net: { enable_ipv4: true, enable_ipv6: false },
    },
  ]);
  expect(first).toMatchObject({ changed: true, item: { name: 'bruno', status: 'running', privateIps: ['10.0.0.2'] } });
  expect(second).toMatchObject({ changed: false, item: { id: first.item?.id } });
});

test.each([
  [
    'an unknown location',
    { location: 'mars' },
    'There is no location called "mars" at Hetzner in this project',
    'Use one of these: ash, fsn1, hel1, nbg1.',
  ],
  [
    'an unknown type',
    { type: 'cx99' },
    'There is no server type called "cx99" at Hetzner in this project',
    'Use one of these: cax11, cx13, cx23, cx33.',
  ],
  [
    'a type that is not there',
    { type: 'cax11', location: 'ash' },
    'Hetzner does not offer cax11 in ash at the moment',
    'It can be had in fsn1, nbg1, hel1.',
  ],
  [
    'an image of another architecture',
    { type: 'cax11', image: '101' },
    'The image 101 is for x86, and the server type is arm',
    'Choose an image and a type of the same architecture.',
  ],
  [
    'a name that is no host name',
    { name: 'my server' },
    '"my server" cannot be the name of a server, as it becomes its host name',
    'Use letters, digits and hyphens, at most 63 between two dots, with no hyphen at an end.',
  ],
  [
    'a name of 10,000 characters',
    { name: 'x'.repeat(10_000) },
    'The name of the server has 10000 characters, and at most 255 are possible',
    'Give a shorter one.',
  ],
  [
    'an impossible label',
    { labels: { 'a b': 'c' } },
    '"a b" cannot be the name of a label',
    'Use at most 63 letters, digits, dots, hyphens and underscores, beginning and ending with a letter or digit.',
  ],
  [
    'user data that is too large',
    { userData: 'x'.repeat(40_000) },
    'The user data is larger than 32 KiB',
    'Let it fetch the rest from elsewhere.',
  ],
])('%s gets a clear sentence before anything is sent', async (_, more, message, nextStep) => {
  expect(await failureOf(ensure(more))).toMatchObject({ message, nextStep });
  expect(writes()).toEqual([]);
});

test('a server of the same name that is another one is not taken for it', async () => {
  await ensure();
  expect(await failureOf(ensure({ type: 'cx33' }))).toMatchObject({
    code: 'uniqueness_error',
    message: 'There is another server called bruno already: it is a cx23, not a cx33',
  });
});

async function server(labels: Record<string, string> = {}) {
  const made = setting.standIn.add('servers', { name: 'bruno', server_type: 'cx33', image: '101', labels });
  return { made, id: Number(made['id']) };
}

test('a shutdown waits until the server is off', async () => {
  const { id } = await server();
  const { changed, item, actions } = await shutDownServer(
    setting.api,
    id,
    { graceMs: 60_000, powerOff: false },
    defaultManner,
    task,
  );
  expect([changed, item.status, actions.map(({ command }) => command)]).toEqual([true, 'off', ['shutdown_server']]);
});

test('a server that does not stop by itself loses its power, when that is allowed', async () => {
  const { id } = await server({ deaf: '' });
  const shutDown = (powerOff: boolean) =>
    shutDownServer(setting.api, id, { graceMs: 60_000, powerOff }, defaultManner, task);
  expect(await failureOf(shutDown(false))).toMatchObject({
    code: 'still_running',
    message: 'The server bruno was asked to shut down and still runs after 60 s',
  });
  const { item, actions } = await shutDown(true);
  expect([item.status, actions.map(({ command }) => command)]).toEqual(['off', ['shutdown_server', 'stop_server']]);
});

test('a server that is off is left alone', async () => {
  const { made, id } = await server();
  made['status'] = 'off';
  const result = await shutDownServer(setting.api, id, { graceMs: 1000, powerOff: true }, defaultManner, task);
  expect(result).toMatchObject({ changed: false, actions: [] });
  expect(writes()).toEqual([]);
});

test('a type with less disk is refused, as disks cannot shrink', async () => {
  const { made, id } = await server();
  made['status'] = 'off';
  const wanted = { type: 'cx23', growDisk: false };
  expect(await failureOf(changeServerType(setting.api, id, wanted, defaultManner, task))).toMatchObject({
    message: 'bruno has a disk of 80 GB, and cx23 has only 40 GB: disks cannot shrink',
  });
  expect(writes()).toEqual([]);
});

test('the type of a running server is not changed', async () => {
  const { id, made } = await server();
  made['primary_disk_size'] = 40;
  const wanted = { type: 'cx23', growDisk: false };
  expect(await failureOf(changeServerType(setting.api, id, wanted, defaultManner, task))).toMatchObject({
    code: 'server_not_stopped',
    message: 'bruno is running, and its type can only be changed while it is off',
    nextStep: 'Shut it down first.',
  });
});

test('a stopped server changes its type', async () => {
  const { id, made } = await server();
  Object.assign(made, { primary_disk_size: 40, status: 'off' });
  const { changes } = await changeServerType(setting.api, id, { type: 'cx23', growDisk: false }, defaultManner, task);
  expect(changes).toEqual([
    { field: 'type', before: 'cx33', after: 'cx23' },
    { field: 'cores', before: 4, after: 2 },
    { field: 'memoryGb', before: 8, after: 4 },
  ]);
});
