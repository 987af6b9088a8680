import { defaultManner } from '../../../../lib/hetzner/change';
import {
  changeServerType,
  ensureServer,
  type ServerWish,
  shutDownServer,
  snapshotServer,
} from '../../../../lib/hetzner/servers';
import { parsePins } from '../../../../lib/host/pins';
import { handedKeys } from '../../../shared/cloud-init';
import { type HetznerSetting, hetznerSetting } from '../../../shared/hetzner';
import { quietTask } from '../../../shared/task';
import { failureOf } from '../../../shared/failure';

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
    'The user data has 40000 bytes, and at most 32768 are possible',
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

describe('the host key of a server', () => {
  const sent = () => writes().map(({ body }) => body as { user_data: string; labels: Record<string, string> });

  test('goes to the server by cloud-init, and is known again by its label when the server is there already', async () => {
    const first = await ensure({ hostKey: true });
    const second = await ensure({ hostKey: true });
    const { privateKey, publicKey } = handedKeys(sent()[0]?.user_data ?? '');
    const address = first.item?.ipv4 ?? '';
    expect(first.hostKey).toEqual({
      keyType: 'ssh-ed25519',
      publicKey,
      fingerprint: expect.stringMatching(/^SHA256:/) as string,
      pinLine: `bruno=${address}:22 ssh-ed25519 ${first.hostKey?.fingerprint}`,
      knownHosts: `${address} ${publicKey}`,
    });
    expect([first.hostPrivateKey, second.hostPrivateKey]).toEqual([privateKey, null]);
    expect([second.changed, second.hostKey]).toEqual([false, first.hostKey]);
    expect(sent()).toHaveLength(1);
    // Hetzner takes such a value for a label, and the private half is in none.
    expect(sent()[0]?.labels['ssh-host-key']).toMatch(/^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$/i);
  });

  test('is that of the server that was made, when the answer was lost', async () => {
    setting.standIn.cloud.fail({ kind: 'break after', method: 'POST' });
    const { hostKey, hostPrivateKey, item } = await ensure({ hostKey: true });
    expect(handedKeys(sent()[0]?.user_data ?? '')).toMatchObject({
      privateKey: hostPrivateKey,
      publicKey: hostKey?.publicKey,
    });
    // Its action is found and awaited, too.
    expect(item).toMatchObject({ status: 'running' });
    expect(sent()).toHaveLength(1);
  });

  test('is that of the other one, when somebody else made the server at the same moment and our answer was lost', async () => {
    setting.standIn.cloud.fail({ kind: 'break before', method: 'POST' });
    const [first, second] = await Promise.all([ensure({ hostKey: true }), ensure({ hostKey: true })]);
    expect(setting.standIn.state.things.get('servers')).toHaveLength(1);
    expect(first.hostKey).toEqual(second.hostKey);
    expect([first.hostPrivateKey, second.hostPrivateKey].filter((one) => one !== null)).toHaveLength(1);
  });

  test('of a server without IPv4 is pinned at its first IPv6 address', async () => {
    const { hostKey, item } = await ensure({ hostKey: true, publicIpv4: false });
    const address = item?.ipv6?.replace('::/64', '::1') ?? '';
    expect(hostKey?.pinLine).toBe(`bruno=[${address}]:22 ssh-ed25519 ${hostKey?.fingerprint}`);
    expect(parsePins(hostKey?.pinLine ?? '')).toMatchObject([{ name: 'bruno', address, port: 22 }]);
    expect(hostKey?.knownHosts).toBe(`${address} ${hostKey?.publicKey}`);
  });

  test('cannot be had for a server that was created without', async () => {
    await ensure();
    expect(await failureOf(ensure({ hostKey: true }))).toMatchObject({
      code: 'uniqueness_error',
      message:
        'There is another server called bruno already: its host key was not made here, as the label ssh-host-key is missing',
    });
  });

  test('is not made in a dry run', async () => {
    const dry = await ensure({ hostKey: true }, { ...defaultManner, dryRun: true });
    expect(dry).toMatchObject({ changed: true, item: undefined, hostKey: null, hostPrivateKey: null });
    expect(writes()).toEqual([]);
  });
});

test('a creation that was cut short is waited for by the next one', async () => {
  const begun = await ensure({}, { ...defaultManner, wait: false });
  const again = await ensure();
  expect([begun.item?.status, again.changed, again.item?.status]).toEqual(['initializing', false, 'running']);
  expect(writes()).toHaveLength(1);
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

test('a snapshot is known by its id, also when the answer with it was lost', async () => {
  const { id } = await server();
  const wish = { description: 'before the upgrade', labels: { app: 'immich' } };
  const snapshot = () => snapshotServer(setting.api, id, wish, defaultManner, task);
  const { imageId } = await snapshot();
  setting.standIn.cloud.fail({ kind: 'break after', method: 'POST' });
  const lost = await snapshot();
  const made = (setting.standIn.state.things.get('images') ?? []).filter(({ type }) => type === 'snapshot');
  expect(made.map((image) => image['id'])).toEqual([imageId, lost.imageId]);
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
