import { actionsIn } from '../../../lib/hetzner/action';
import { pathOf } from '../../../lib/hetzner/api';
import { command, defaultManner, deleteItem, updateItem } from '../../../lib/hetzner/change';
import { readMetrics } from '../../../lib/hetzner/metrics';
import { readPrices } from '../../../lib/hetzner/pricing';
import { getItem, listItems } from '../../../lib/hetzner/read';
import type { Place, Resource } from '../../../lib/hetzner/resource';
import { servers } from '../../../lib/hetzner/resources/compute';
import { loadBalancers } from '../../../lib/hetzner/resources/network';
import { listFolders } from '../../../lib/hetzner/storage-boxes';
import { write } from '../../../lib/hetzner/write';
import { exportZone } from '../../../lib/hetzner/zones';
import { type HetznerSetting, hetznerSetting } from '../../shared/hetzner';
import { quietTask } from '../../shared/task';
import { commands, creations, resources, updates } from './samples';
import { contracts } from './standin';

const task = quietTask();
const { listening, takeViolations } = contracts();
let setting: HetznerSetting;

beforeAll(async () => {
  setting = await hetznerSetting({ limit: { requests: 100_000, perSecond: 10_000 }, ...listening });
});

afterAll(() => setting.standIn.close());

afterEach(() => {
  expect(takeViolations()).toEqual([]);
});

/** Something to work on, and where it stands. */
function put(resource: Resource): Place {
  const { standIn } = setting;
  const body = creations[resource.one];
  if (body === undefined) return { id: Number(standIn.state.things.get(resource.many)?.[0]?.['id']) };
  if (resource.one === 'rrset') {
    const zone = standIn.add('zones', { name: `z${standIn.state.nextId}.cl`, mode: 'primary' });
    standIn.add('rrsets', body, {}, zone);
    return { zone: Number(zone['id']), name: 'www', type: 'A' };
  }
  if (resource.collection.includes('{box}')) {
    const box = standIn.add('storage_boxes', creations['storage_box'] ?? {});
    const { id } = standIn.add(resource.many, body, {}, box);
    return { box: Number(box['id']), id: Number(id) };
  }
  return { id: Number(standIn.add(resource.many, body)['id']) };
}

const writable = resources.filter(({ one }) => creations[one] !== undefined);
const updatable = resources.filter(({ one }) => updates[one] !== undefined);

test.each(resources.map((resource) => [resource.label, resource] as const))(
  'a %s is read as the description says, alone and in a list',
  async (_, resource) => {
    const place = put(resource);
    const item = await getItem(setting.api, resource, place, task);
    const all = await listItems(
      setting.api,
      resource,
      { within: place, labelSelector: resource.one === 'rrset' ? 'a!=b' : undefined },
      task,
    );
    expect(all).toContainEqual(item);
  },
);

test.each(writable.map((resource) => [resource.label, resource] as const))(
  'a %s is created as the description says',
  async (_, resource) => {
    const place = put(resource);
    setting.standIn.state.things.get(resource.many)?.splice(0);
    const path = pathOf(resource.collection, place);
    const answer = await write(
      setting.api,
      { side: resource.side, method: 'POST', path, body: creations[resource.one] },
      task,
    );
    expect(answer).toHaveProperty(resource.one);
  },
);

test.each(updatable.map((resource) => [resource.label, resource] as const))(
  'a %s is updated and deleted as the description says',
  async (_, resource) => {
    const place = put(resource);
    const { changed } = await updateItem(
      setting.api,
      resource,
      place,
      () => updates[resource.one] ?? {},
      { dryRun: false, lockedMs: 0 },
      () => false,
      task,
    );
    const { changed: gone } = await deleteItem(setting.api, resource, place, defaultManner, task);
    expect([changed, gone]).toEqual([true, true]);
  },
);

const withCommands = resources.filter(({ one }) => commands[one] !== undefined);

test('every command of every resource is tried', () => {
  const known = resources
    .filter((resource) => Object.keys(resource.commands).length > 0)
    .map(({ one, commands: all }) => [one, Object.keys(all).sort()] as const);
  const tried = Object.entries(commands).map(([one, all]) => [one, Object.keys(all).sort()] as const);
  expect(Object.fromEntries(tried)).toEqual(Object.fromEntries(known));
});

test.each(
  withCommands.flatMap((resource) =>
    Object.keys(commands[resource.one] ?? {}).map((name) => [resource.label, name, resource] as const),
  ),
)('%s: %s is asked for as the description says, and awaited to its end', async (_, name, resource) => {
  const place = put(resource);
  const body = commands[resource.one]?.[name];
  const change = { place, command: name as never, ...(body !== undefined && { body }) };
  const { answer, actions } = await command(setting.api, resource, change, defaultManner, task);
  expect(actions.map(({ command: called, status }) => [called, status])).toEqual([
    [resource.commands[name], 'success'],
  ]);
  expect(actionsIn(answer)).toHaveLength(1);
});

test.each(withCommands.map((resource) => [resource.label, resource] as const))(
  'when the answer to a command on a %s is lost, it is found among the actions and not sent again',
  async (_, resource) => {
    const [name = ''] = Object.keys(commands[resource.one] ?? {});
    const place = put(resource);
    const side = setting.standIn[resource.side];
    side.forget();
    side.fail({ kind: 'break after', method: 'POST' });
    const body = commands[resource.one]?.[name];
    const change = { place, command: name as never, ...(body !== undefined && { body }) };
    const { actions } = await command(setting.api, resource, change, defaultManner, task);
    expect(actions.map(({ status }) => status)).toEqual(['success']);
    expect(side.seen.filter(({ method }) => method === 'POST')).toHaveLength(1);
  },
);

test('the rest is asked for as the descriptions say', async () => {
  const { api } = setting;
  const box = put(resources.find(({ one }) => one === 'storage_box') as Resource);
  const zone = put(resources.find(({ one }) => one === 'zone') as Resource);
  const server = put(servers);
  const balancer = put(loadBalancers);
  const times = { start: new Date('2026-11-20T00:00:00Z'), end: new Date('2026-11-20T01:00:00Z') };
  expect(await listFolders(api, Number(box['id']), 'backups', task)).toEqual(['backups', 'photos']);
  expect(await exportZone(api, Number(zone['id']), task)).toContain('$ORIGIN');
  expect(await readPrices(api, task)).not.toHaveLength(0);
  const series = [
    await readMetrics(
      api,
      servers,
      { ...times, id: Number(server['id']), types: ['cpu', 'disk'], stepSeconds: 60 },
      task,
    ),
    await readMetrics(api, loadBalancers, { ...times, id: Number(balancer['id']), types: ['bandwidth'] }, task),
  ];
  expect(series.map((points) => points.length)).toEqual([4, 2]);
});
