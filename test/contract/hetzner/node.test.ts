import type { ICredentialTestFunctions, ILoadOptionsFunctions } from 'n8n-workflow';

import { type HetznerStandIn, startHetznerStandIn } from '../../../lab/standins/hetzner';
import { beginAction, type Thing } from '../../../lab/standins/hetzner/state';
import { assertMatches } from '../../../nodes/declaration/schema';
import { Hetzner } from '../../../nodes/Hetzner/Hetzner.node';
import { hetznerCredentialTest } from '../../../nodes/Hetzner/methods/hetznerCredentialTest';
import { coverageOf } from '../../../lab/standins/contract';
import { coverageTable, pageShows } from './documented';
import { cloudExcluded, storageExcluded } from './excluded';
import { build, credentialOf, type Estate, runNode, writesTo } from './node-setting';
import { contracts } from './standin';

const { cloud, storage, listening, takeViolations } = contracts();
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

type Parameters = Readonly<Record<string, unknown>>;

const credential = (more: object = {}) => ({ ...credentialOf(standIn), ...more });
const run = (parameters: Parameters, as: object = credential()) => runNode(parameters, as);
const writes = () => writesTo(standIn);

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
    changes: { destinationPort: 9443 },
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
    thing: String(estate.server['id']),
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
  'action.list': {
    at: () => void beginAction(standIn.state, 'reboot_server', [{ id: Number(estate.server['id']), type: 'server' }]),
  },
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
        hostKey: true,
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

test.each([
  ...['server', 'volume', 'network', 'firewall', 'floatingIp', 'primaryIp', 'loadBalancer', 'certificate', 'zone'],
  ...['storageBox', 'image'],
] as const)('the actions of a %s are listed, the newest first', async (kind) => {
  const thing = kind === 'image' ? '101' : String((estate as Record<string, Thing>)[kind]?.['id']);
  const type = kind.replace(/[A-Z]+/, (capital) => `_${capital.toLowerCase()}`);
  for (let count = 0; count < 60; count += 1)
    beginAction(standIn.state, `action_${count}`, [{ id: Number(thing), type }]);
  const all = await run({ resource: 'action', operation: 'list', kind, thing, returnAll: true, options: {} });
  expect(all.map(({ command }) => command)).toEqual(Array.from({ length: 60 }, (_, index) => `action_${59 - index}`));
  const one = { resource: 'action', operation: 'list', kind, thing, returnAll: false, limit: 1 };
  expect(await run({ ...one, options: { status: 'success' } })).toEqual(all.slice(0, 1));
  expect(await run({ ...one, options: { status: 'running' } })).toEqual([]);
});

test('actions of storage boxes are asked for at their own address', async () => {
  const { id } = beginAction(standIn.state, 'update_access_settings', [{ id: 1, type: 'storage_box' }]);
  const get = { resource: 'action', operation: 'get', actionIds: [String(id)], side: 'storage' };
  expect(await run(get)).toMatchObject([{ id, status: 'success' }]);
  expect(standIn.storage.seen.map(({ url }) => url)).toEqual([`/storage_boxes/actions?id=${id}`]);
});

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

test('passwords and keys come by reference, and only Hetzner sees them', async () => {
  const byName = { password: 'credential:BOX_PASSWORD', privateKey: 'credential:CERTIFICATE_KEY' };
  const box = { storageBox: 'vault', labels: {}, options: {}, ...byName };
  const certificate = { certificateType: 'uploaded', name: 'own', pem: 'a certificate', labels: {}, options: {} };
  const items = [
    ...(await run({ resource: 'storageBox', operation: 'setPassword', ...box })),
    ...(await run({ resource: 'storageBoxSubaccount', operation: 'create', name: 'a', homeDirectory: 'a', ...box })),
    ...(await run({ resource: 'certificate', operation: 'create', ...certificate, ...byName })),
  ];
  const sent = writes().map(([, body]) => body);
  expect(sent).toMatchObject([
    { private_key: 'a private key' },
    { password: 'Named-horse-8-Named' },
    { password: 'Named-horse-8-Named' },
  ]);
  expect(JSON.stringify(items)).not.toMatch(/Named-horse|a private key/);
});

test('a host key goes to the server alone: out comes what verifies it, and the private half only when asked for', async () => {
  const create = async (name: string, options: object) => {
    const parameters = { resource: 'server', operation: 'create', name, serverType: 'cx23', image: '101' };
    const [item] = await run({ ...parameters, location: '', labels: {}, options: { hostKey: true, ...options } });
    return item ?? {};
  };
  const quiet = await create('one', {});
  expect(quiet).toMatchObject({
    hostKeyFingerprint: expect.stringMatching(/^SHA256:[A-Za-z0-9+/]{43}$/) as string,
    hostKeyPin: `one=${quiet['ipv4'] as string}:22 ssh-ed25519 ${quiet['hostKeyFingerprint'] as string}`,
    knownHosts: expect.stringMatching(/^[0-9.]+ ssh-ed25519 AAAA[A-Za-z0-9+/]+$/) as string,
    hostPrivateKey: null,
    sensitiveFields: [],
  });
  const open = await create('two', { returnSecrets: true });
  expect(open).toMatchObject({
    hostPrivateKey: expect.stringMatching(/^-----BEGIN OPENSSH PRIVATE KEY-----\n/) as string,
    sensitiveFields: ['rootPassword', 'hostPrivateKey'],
  });
  expect(JSON.stringify(quiet)).not.toContain('PRIVATE KEY');
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

describe('coverage', () => {
  test('every operation of the cloud is reached by the node, or excluded with a reason', () => {
    const { reached, ...rest } = coverageOf(cloud, cloudExcluded);
    expect(rest).toEqual({ forgotten: [], reachedAnyway: [], unknown: [] });
    expect(reached.length + Object.keys(cloudExcluded).length).toBe(189);
  });

  test('every operation of the storage boxes is reached by the node, or excluded with a reason', () => {
    const { reached, ...rest } = coverageOf(storage, storageExcluded);
    expect(rest).toEqual({ forgotten: [], reachedAnyway: [], unknown: [] });
    expect(reached.length + Object.keys(storageExcluded).length).toBe(32);
  });

  test('the page of the node shows all of it; if it does not, run this file with REWRITE=coverage', () => {
    const tables = [
      coverageTable('Cloud and DNS', cloud, cloudExcluded),
      coverageTable('Storage boxes', storage, storageExcluded),
    ];
    expect(pageShows(tables)).toBe(true);
  });
});
