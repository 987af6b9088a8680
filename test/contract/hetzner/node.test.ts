import type { ICredentialTestFunctions, IDataObject, ILoadOptionsFunctions } from 'n8n-workflow';

import { type HetznerStandIn, startHetznerStandIn } from '../../../lab/standins/hetzner';
import type { Thing } from '../../../lab/standins/hetzner/state';
import { assertMatches } from '../../../nodes/declaration/schema';
import { Hetzner } from '../../../nodes/Hetzner/Hetzner.node';
import { hetznerCredentialTest } from '../../../nodes/Hetzner/methods/hetznerCredentialTest';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { creations } from './samples';
import { contracts } from './standin';

const { listening, takeViolations } = contracts();
let standIn: HetznerStandIn;
let estate: Estate;

beforeEach(async () => {
  standIn = await startHetznerStandIn({ ...listening, instant: true });
  estate = build(standIn);
});

afterEach(async () => {
  await standIn.close();
  expect(takeViolations()).toEqual([]);
});

/** One of everything. */
function build({ add }: HetznerStandIn) {
  const make = (list: string, one: string, changes: Thing = {}, within?: Thing) =>
    add(list, creations[one] ?? {}, changes, within);
  const storageBox = make('storage_boxes', 'storage_box', {
    stats: { size: 2 ** 39, size_data: 2 ** 39, size_snapshots: 0 },
  });
  const zone = make('zones', 'zone');
  return {
    server: add('servers', { name: 'bruno', server_type: 'cx23', image: '101' }),
    volume: add('volumes', { name: 'data', size: 10 }),
    network: make('networks', 'network', {
      subnets: [{ type: 'cloud', ip_range: '10.0.1.0/24', network_zone: 'eu-central', gateway: '10.0.0.1' }],
    }),
    firewall: add('firewalls', { name: 'web' }),
    floatingIp: make('floating_ips', 'floating_ip'),
    primaryIp: make('primary_ips', 'primary_ip'),
    loadBalancer: make('load_balancers', 'load_balancer'),
    certificate: make('certificates', 'certificate'),
    sshKey: make('ssh_keys', 'ssh_key'),
    placementGroup: make('placement_groups', 'placement_group'),
    zone,
    recordSet: make('rrsets', 'rrset', {}, zone),
    storageBox,
    snapshot: make('snapshots', 'snapshot', {}, storageBox),
    subaccount: make('subaccounts', 'subaccount', {}, storageBox),
  };
}

type Estate = ReturnType<typeof build>;
type Parameters = Readonly<Record<string, unknown>>;

const credential = (more: object = {}) => ({
  apiToken: 'good-token',
  cloudUrl: standIn.cloud.url,
  storageUrl: standIn.storage.url,
  ...more,
});

async function run(parameters: Parameters, as: object = credential()): Promise<IDataObject[]> {
  const { execute } = fakeExecute({ parameters: [parameters] });
  Object.assign(execute, { getCredentials: () => Promise.resolve(as) });
  const outputs = await new Hetzner().execute.call(execute);
  return Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [];
}

const writes = () =>
  [...standIn.cloud.seen, ...standIn.storage.seen]
    .filter(({ method }) => method !== 'GET')
    .map(({ url, body }) => [url, body]);

/** A value for every field there is. */
function everyField(): Parameters {
  const ids = Object.fromEntries(Object.entries(estate).map(([name, { id }]) => [name, String(id)]));
  return {
    ...ids,
    name: 'new-one',
    labels: { env: 'test' },
    image: '101',
    iso: 'debian-12.5.0-amd64-netinst.iso',
    serverType: 'cx33',
    location: 'fsn1',
    loadBalancerType: 'lb21',
    storageBoxType: 'bx21',
    rules: [{ protocol: 'tcp', port: 443, addresses: ['0.0.0.0/0'] }],
    records: ['203.0.113.8'],
    recordName: 'www',
    recordType: 'A',
    ip: '198.51.100.9',
    dnsName: 'bruno.kua.cl',
    imageDescription: 'before the upgrade',
    snapshotDescription: 'after the upgrade',
    labelSelector: 'app=immich',
    keep: 1,
    metricTypes: ['cpu'],
    start: '2026-11-20T00:00:00Z',
    end: '2026-11-20T01:00:00Z',
    publicKey: 'ssh-ed25519 AAAA other',
    password: 'Correct-horse-9',
    homeDirectory: 'backups/other',
    path: '',
    maxSnapshots: 7,
    hour: 3,
    minute: 30,
    access: { sshEnabled: false, sambaEnabled: true },
    size: 20,
    ipRange: '10.0.0.0/12',
    subnetRange: '10.0.2.0/24',
    networkZone: 'eu-central',
    destination: '10.100.1.0/24',
    gateway: '10.0.1.1',
    servers: [String(estate.server['id'])],
    labelSelectors: ['env=test'],
    listenPort: 443,
    destinationPort: 8443,
    service: { checkPath: '/health' },
    targetType: 'server',
    algorithm: 'round_robin',
    domainNames: ['kua.cl'],
    certificateType: 'managed',
    mode: 'primary',
    zonefile: '@ 3600 IN A 203.0.113.7',
    primaryNameservers: ['198.51.100.1:53'],
    ttl: 600,
    addressType: 'ipv4',
    values: { labels: { env: 'test' } },
    graceSeconds: 5,
    actionIds: ['1'],
    options: {},
  };
}

interface Case {
  /** What is different at Hetzner. */
  readonly at?: () => void;
  readonly fields?: () => Parameters;
}

const attach = () =>
  void (estate.server['private_net'] = [
    { network: estate.network['id'], ip: '10.0.0.2', alias_ips: [], mac_address: '86:00' },
  ]);
const addService = () =>
  void (estate.loadBalancer['services'] = [
    {
      protocol: 'tcp',
      listen_port: 443,
      destination_port: 80,
      proxyprotocol: false,
      health_check: { protocol: 'tcp', port: 80, interval: 15, timeout: 10, retries: 3 },
    },
  ]);
const anAction = () =>
  void standIn.state.actions.push({
    id: 1,
    command: 'start_server',
    started: '2026-11-20T00:00:00Z',
    resources: [{ id: 7, type: 'server' }],
    status: 'success',
    finished: '2026-11-20T00:00:01Z',
    progress: 100,
    error: null,
    left: 0,
    ending: { kind: 'success' },
    effect: () => undefined,
  });
const snapshots = () =>
  void standIn.state.things.get('images')?.push(
    ...[1, 2].map((id) => ({
      ...standIn.state.things.get('images')?.[0],
      id,
      type: 'snapshot',
      name: null,
      labels: { app: 'immich' },
      created: `2026-11-0${id}T00:00:00Z`,
    })),
  );

/** Where the ordinary estate is already as wanted, or not fit for it. */
const cases: Readonly<Record<string, Case>> = {
  'action.get': { at: anAction },
  'action.wait': { at: anAction },
  'server.powerOn': { at: () => void (estate.server['status'] = 'off') },
  'server.changeType': { at: () => void (estate.server['status'] = 'off') },
  'server.disableBackups': { at: () => void (estate.server['backup_window'] = '22-02') },
  'server.disableRescue': { at: () => void (estate.server['rescue_enabled'] = true) },
  'server.detachIso': { at: () => void (estate.server['iso'] = standIn.state.things.get('isos')?.[0]) },
  'server.detachNetwork': { at: attach },
  'server.setAliasIps': { at: attach, fields: () => ({ aliasIps: ['10.0.0.9'] }) },
  'server.leavePlacementGroup': { at: () => void (estate.server['placement_group'] = estate.placementGroup) },
  'server.enableRescue': { fields: () => ({ rescueSshKeys: [String(estate.sshKey['id'])] }) },
  'server.create': {
    fields: () => ({
      options: {
        sshKeys: ['daniel'],
        networks: ['inner'],
        volumes: ['data'],
        firewalls: ['web'],
        placementGroup: 'apart',
        userData: '#cloud-config',
        primaryIpv4: 'bruno-v4',
        publicIpv6: false,
      },
    }),
  },
  'image.keepNewest': { at: snapshots },
  'volume.create': { fields: () => ({ options: { server: 'bruno', format: 'ext4', automount: true } }) },
  'volume.detach': { at: () => void (estate.volume['server'] = estate.server['id']) },
  'firewall.removeRules': {
    at: () =>
      void (estate.firewall['rules'] = [
        {
          direction: 'in',
          protocol: 'tcp',
          port: '443',
          source_ips: ['0.0.0.0/0'],
          destination_ips: [],
          description: null,
        },
      ]),
  },
  'firewall.remove': {
    at: () =>
      void (estate.firewall['applied_to'] = [{ type: 'label_selector', label_selector: { selector: 'env=test' } }]),
  },
  'network.deleteSubnet': { fields: () => ({ subnetRange: '10.0.1.0/24' }) },
  'network.deleteRoute': {
    at: () => void (estate.network['routes'] = [{ destination: '10.100.1.0/24', gateway: '10.0.1.1' }]),
  },
  'floatingIp.create': { fields: () => ({ options: { location: 'hel1', description: 'The way in' } }) },
  'floatingIp.unassign': { at: () => void (estate.floatingIp['server'] = estate.server['id']) },
  'primaryIp.unassign': { at: () => void (estate.primaryIp['assignee_id'] = estate.server['id']) },
  'loadBalancer.updateService': { at: addService },
  'loadBalancer.deleteService': { at: addService },
  'loadBalancer.removeTarget': {
    at: () =>
      void (estate.loadBalancer['targets'] = [
        {
          type: 'server',
          server: { id: estate.server['id'], ip: '203.0.113.7' },
          use_private_ip: false,
          health_status: [],
        },
      ]),
  },
  'loadBalancer.detachNetwork': {
    at: () => void (estate.loadBalancer['private_net'] = [{ network: estate.network['id'], ip: '10.0.0.9' }]),
  },
  'loadBalancer.enablePublic': {
    at: () => void Object.assign(estate.loadBalancer['public_net'] as Thing, { enabled: false }),
  },
  'loadBalancer.metrics': { fields: () => ({ metricTypes: ['bandwidth'] }) },
  'recordSet.create': { fields: () => ({ recordName: 'new' }) },
  'recordSet.removeRecords': { fields: () => ({ records: ['203.0.113.7'] }) },
  'recordSet.updateRecords': { fields: () => ({ records: [{ value: '203.0.113.7', comment: 'new' }] }) },
  'storageBox.removeSnapshotPlan': {
    at: () =>
      void (estate.storageBox['snapshot_plan'] = {
        max_snapshots: 7,
        hour: 1,
        minute: 0,
        day_of_week: null,
        day_of_month: null,
      }),
  },
  'zone.create': { fields: () => ({ name: 'new.cl' }) },
};

/** Those of the records of a whole zone have a file of their own: dns-node.test.ts. */
const elsewhere = ['plan', 'apply', 'applyPlan', 'sync', 'undo', 'point'].map((name) => `zone.${name}`);
const operations = Hetzner.declaration.resources
  .flatMap((resource) => resource.operations)
  .filter(({ resource, name }) => !elsewhere.includes(`${resource}.${name}`));

test.each(operations.map((one) => [`${one.resource}.${one.name}`, one] as const))(
  '%s sends and gives what it declares',
  async (name, { resource, name: operation, effect, output }) => {
    cases[name]?.at?.();
    const parameters = { ...everyField(), ...cases[name]?.fields?.(), resource, operation };
    const dry = effect === 'reads' ? [] : await run({ ...parameters, dryRun: true });
    expect(writes()).toEqual([]);
    const items = await run(parameters);
    for (const item of [...dry, ...items]) assertMatches(output, item);
    expect(items).not.toEqual([]);
    if (effect === 'reads' || name === 'image.keepNewest') return;
    expect([...dry, ...items].map(({ changed, dryRun }) => [changed, dryRun])).toEqual([
      [true, true],
      [true, false],
    ]);
    expect(writes()).not.toEqual([]);
  },
);

test('a read-only credential changes nothing, and may look and try', async () => {
  const id = String(estate.server['id']);
  const as = credential({ readOnly: true });
  const reboot = { resource: 'server', operation: 'reboot', server: id, options: {} };
  await expect(run(reboot, as)).rejects.toThrow('Refused: "Reboot a server" changes something');
  expect(await run({ ...reboot, dryRun: true }, as)).toMatchObject([{ changed: true, dryRun: true }]);
  expect(writes()).toEqual([]);
});

test('a root password is put out only when that was asked for, and is marked then', async () => {
  const parameters = { resource: 'server', operation: 'resetPassword', server: 'bruno' };
  expect(await run({ ...parameters, options: {} })).toMatchObject([{ rootPassword: null, sensitiveFields: [] }]);
  expect(await run({ ...parameters, options: { returnSecrets: true } })).toMatchObject([
    { rootPassword: 'YItygq1v3GYjjMomLaKc', sensitiveFields: ['rootPassword'] },
  ]);
  expect(JSON.stringify(await run({ ...parameters, options: {} }))).not.toContain('YItygq1v3GYjjMomLaKc');
});

test('without waiting, an item tells which action still runs, and it can be waited for later', async () => {
  await standIn.close();
  standIn = await startHetznerStandIn(listening);
  estate = build(standIn);
  const [started] = await run({ resource: 'server', operation: 'reboot', server: 'bruno', options: { wait: false } });
  expect(started).toMatchObject({ actions: [{ command: 'reboot_server', status: 'running' }] });
  const ids = (started?.['actions'] as { id: number }[]).map(({ id }) => String(id));
  const waited = await run({
    resource: 'action',
    operation: 'wait',
    actionIds: ids,
    side: 'cloud',
    timeoutSeconds: 60,
  });
  expect(waited).toMatchObject([{ status: 'success', progress: 100 }]);
});

test.each([
  [
    'a volume that would shrink',
    { resource: 'volume', operation: 'resize', volume: 'data', size: 10 },
    { at: 20 },
    'data has 20 GB, and volumes cannot shrink to 10 GB',
  ],
  [
    'a volume without a place',
    { resource: 'volume', operation: 'create', name: 'new', size: 10 },
    {},
    'A volume is created at a server or in a location: exactly one of the two must be given',
  ],
  [
    'an empty label selector',
    { resource: 'firewall', operation: 'apply', firewall: 'web', servers: [], labelSelectors: [] },
    {},
    'Neither a server nor a label selector was given',
  ],
  [
    'a weak password',
    { resource: 'storageBox', operation: 'setPassword', storageBox: 'vault', password: 'secret' },
    {},
    'The password is too weak for Hetzner',
  ],
  [
    'a name of 10,000 characters',
    { resource: 'network', operation: 'create', name: 'x'.repeat(10_000), ipRange: '10.0.0.0/16' },
    {},
    'The name of the network has 10000 characters, and at most 255 are possible',
  ],
  [
    'a duplicate name',
    { resource: 'network', operation: 'create', name: 'inner', ipRange: '192.168.0.0/16' },
    {},
    'There is another network called inner already: its range is 10.0.0.0/16, not 192.168.0.0/16',
  ],
  [
    'an unknown server',
    { resource: 'server', operation: 'reboot', server: 'brno' },
    {},
    'There is no server called "brno" at Hetzner in this project',
  ],
])('%s gets a clear sentence, and nothing is sent', async (_, parameters, { at }: { at?: number }, message) => {
  if (at !== undefined) estate.volume['size'] = at;
  await expect(run({ labels: {}, options: {}, ...parameters })).rejects.toThrow(message);
  expect(writes()).toEqual([]);
});

test('lists offer everything, from all pages, with what it is', async () => {
  for (let index = 0; index < 120; index += 1)
    standIn.add('servers', { name: `s${index}`, server_type: 'cx23', image: '101' });
  const asker = { getCredentials: () => Promise.resolve(credential()), getNode: () => ({ name: 'Hetzner' }) };
  const search = (name: string, filter: string) =>
    new Hetzner().methods?.listSearch?.[name]?.call(asker as unknown as ILoadOptionsFunctions, filter);
  expect((await search('searchServers', ''))?.results).toHaveLength(121);
  expect((await search('searchServers', 'BRUNO'))?.results).toEqual([
    {
      name: expect.stringMatching(/^bruno · cx23 · fsn1 · 203\.0\.113\.\d+$/) as string,
      value: String(estate.server['id']),
    },
  ]);
  const names = Object.keys(new Hetzner().methods?.listSearch ?? {});
  const found = await Promise.all(
    names.map(async (name) => [name, (await search(name, ''))?.results.length ?? 0] as const),
  );
  expect(found.filter(([, count]) => count === 0)).toEqual([]);
  expect(names).toHaveLength(18);
});

describe('the test of the credential', () => {
  const check = (more: object) =>
    hetznerCredentialTest.call(
      {} as ICredentialTestFunctions,
      { id: '1', name: 'Hetzner', type: 'selfhostHetzner', data: credential(more) } as never,
    );

  test('tells a good token, a wrong one, and one without permission to write', async () => {
    expect(await check({})).toEqual({ status: 'OK', message: 'The token may read and write' });
    expect(await check({ apiToken: 'read-only-token' })).toEqual({
      status: 'Error',
      message: 'The token is valid, but may only read: make one with Read & Write, or switch Read Only on',
    });
    expect(await check({ apiToken: 'read-only-token', readOnly: true })).toEqual({
      status: 'OK',
      message: 'The token may read',
    });
    expect(await check({ apiToken: 'wrong' })).toEqual({
      status: 'Error',
      message: 'Hetzner Cloud answered 401 to GET /locations: unable to authenticate',
    });
    expect(await check({ apiToken: ' ' })).toEqual({
      status: 'Error',
      message: 'The Hetzner credential has no API token',
    });
  });
});
