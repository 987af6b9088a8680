import { type HetznerStandIn, startHetznerStandIn } from '../../../lab/standins/hetzner';
import { build, credentialOf, type Estate, runNode, writesTo } from './node-setting';
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

const run = (parameters: Readonly<Record<string, unknown>>) =>
  runNode({ labels: {}, options: {}, ...parameters }, credentialOf(standIn));
const writes = () => writesTo(standIn);
const password = 'Correct-horse-9';
const check = {
  protocol: 'http',
  port: 80,
  interval: 20,
  timeout: 10,
  retries: 3,
  http: { domain: null, path: '/up' },
};
const serve = ({ loadBalancer }: Estate) =>
  void (loadBalancer['services'] = [
    { protocol: 'tcp', listen_port: 443, destination_port: 80, proxyprotocol: true, health_check: check },
  ]);

test.each<readonly [string, Readonly<Record<string, unknown>>, ((estate: Estate) => void) | undefined, string]>([
  [
    'a volume that would shrink',
    { resource: 'volume', operation: 'resize', volume: 'data', size: 10 },
    ({ volume }: Estate) => void (volume['size'] = 20),
    'data has 20 GB, and volumes cannot shrink to 10 GB',
  ],
  [
    'a volume without a place',
    { resource: 'volume', operation: 'create', name: 'new', size: 10 },
    undefined,
    'A volume is created at a server or in a location: exactly one of the two must be given',
  ],
  [
    'an empty label selector',
    { resource: 'firewall', operation: 'apply', firewall: 'web', servers: [], labelSelectors: [] },
    undefined,
    'Neither a server nor a label selector was given',
  ],
  [
    'a weak password',
    { resource: 'storageBox', operation: 'setPassword', storageBox: 'vault', password: 'secret' },
    undefined,
    'The password is too weak for Hetzner',
  ],
  [
    'a name of 10,000 characters',
    { resource: 'network', operation: 'create', name: 'x'.repeat(10_000), ipRange: '10.0.0.0/16' },
    undefined,
    'The name of the network has 10000 characters, and at most 255 are possible',
  ],
  [
    'a duplicate name',
    { resource: 'network', operation: 'create', name: 'inner', ipRange: '192.168.0.0/16' },
    undefined,
    'There is another network called inner already: its range is 10.0.0.0/16, not 192.168.0.0/16',
  ],
  [
    'an unknown server',
    { resource: 'server', operation: 'reboot', server: 'brno' },
    undefined,
    'There is no server called "brno" at Hetzner in this project',
  ],
  [
    'a storage box that would be too small',
    { resource: 'storageBox', operation: 'changeType', storageBox: 'vault', storageBoxType: 'bx11' },
    ({ storageBox }: Estate) =>
      void Object.assign(storageBox, {
        storage_box_type: standIn.state.things.get('storage_box_types')?.find(({ name }) => name === 'bx21'),
        stats: { size: 2 ** 41, size_data: 2 ** 41, size_snapshots: 0 },
      }),
    'vault holds 2199 GB, and bx11 has room for only 1100 GB',
  ],
  [
    'an unknown location',
    { resource: 'storageBox', operation: 'create', name: 'new', storageBoxType: 'bx11', location: 'mars', password },
    undefined,
    'There is no location called "mars" at Hetzner in this project',
  ],
  [
    'a storage box of the same name and another type',
    { resource: 'storageBox', operation: 'create', name: 'vault', storageBoxType: 'bx21', location: 'fsn1', password },
    undefined,
    'There is another storage box called vault already: its type is bx11, not bx21',
  ],
  [
    'a load balancer of the same name elsewhere',
    { resource: 'loadBalancer', operation: 'create', name: 'front', loadBalancerType: 'lb11', location: 'hel1' },
    undefined,
    'There is another load balancer called front already: its location is fsn1, not hel1',
  ],
  [
    'a firewall of the same name with other rules',
    {
      ...{ resource: 'firewall', operation: 'create', name: 'web' },
      rules: [{ protocol: 'tcp', port: 22, addresses: ['0.0.0.0/0'] }],
    },
    undefined,
    'There is another firewall called web already: its rules are others',
  ],
  [
    'a service on a port that another one has',
    {
      resource: 'loadBalancer',
      operation: 'addService',
      loadBalancer: 'front',
      listenPort: 443,
      destinationPort: 8443,
    },
    serve,
    'front has another service on port 443 already',
  ],
  [
    'a change of a service that is not there',
    {
      ...{ resource: 'loadBalancer', operation: 'updateService', loadBalancer: 'front', listenPort: 80 },
      changes: { destinationPort: 8080 },
    },
    serve,
    'front has no service on port 80',
  ],
  [
    'another address in a network where the server is',
    { resource: 'server', operation: 'attachNetwork', server: 'bruno', network: 'inner', privateIp: '10.0.0.9' },
    ({ server, network }: Estate) =>
      void (server['private_net'] = [{ network: network['id'], ip: '10.0.0.2', alias_ips: [], mac_address: '86:00' }]),
    'bruno is in this network already, at another address: 10.0.0.2',
  ],
  [
    'an image that is not there',
    { resource: 'server', operation: 'rebuild', server: 'bruno', image: 'debian-1' },
    undefined,
    'There is no image called "debian-1" at Hetzner in this project',
  ],
  [
    'a label selector of nothing but space',
    { resource: 'server', operation: 'list', returnAll: true, options: { labelSelector: ' ' } },
    undefined,
    'The label selector is empty, which would select everything',
  ],
])('%s gets a clear sentence, and nothing is sent', async (_, parameters, at, message) => {
  at?.(estate);
  await expect(run(parameters)).rejects.toThrow(message);
  expect(writes()).toEqual([]);
});

test('a change of a service leaves alone what was not given, and sends nothing when it is made already', async () => {
  serve(estate);
  const change = { resource: 'loadBalancer', operation: 'updateService', loadBalancer: 'front', listenPort: 443 };
  const changes = { destinationPort: 8443, checkRetries: 5 };
  expect(await run({ ...change, changes })).toMatchObject([{ changed: true }]);
  expect(await run({ ...change, changes })).toMatchObject([{ changed: false }]);
  const id = String(estate.loadBalancer['id']);
  const body = { listen_port: 443, destination_port: 8443, health_check: { ...check, port: 8443, retries: 5 } };
  expect(writes()).toEqual([[`/load_balancers/${id}/actions/update_service`, body]]);
});

test('a rebuild names the image, so that Hetzner takes the one for the architecture of the server', async () => {
  await run({ resource: 'server', operation: 'rebuild', server: 'bruno', image: 'debian-12' });
  const id = String(estate.server['id']);
  expect(writes()).toEqual([[`/servers/${id}/actions/rebuild`, { image: 'debian-12' }]]);
});
