import { actionShape } from '../../../lib/hetzner/action';
import { refuse } from '../../../lib/hetzner/checks';
import { followActions, getActions, listActions } from '../../../lib/hetzner/get-action';
import { images, servers } from '../../../lib/hetzner/resources/compute';
import { zones } from '../../../lib/hetzner/resources/dns';
import {
  certificates,
  firewalls,
  floatingIps,
  loadBalancers,
  networks,
  primaryIps,
} from '../../../lib/hetzner/resources/network';
import { storageBoxes, volumes } from '../../../lib/hetzner/resources/storage';
import { choice, list, number, optional, schema, text, when } from '../../declaration';
import { idOf } from '../build';
import { limitField, returnAllField } from '../../shared/listFields';
import { operation } from '../operation';
import { fieldsOf } from '../../shared/shapeSchema';

const actionFields = {
  actionIds: list({ label: 'Action IDs', required: true }),
  side: choice({
    label: 'Of',
    options: { cloud: 'Cloud and DNS', storage: 'Storage Boxes' },
    default: 'cloud',
  }),
};

function idsOf(texts: readonly string[]): readonly number[] {
  return texts.map((text) => {
    if (/^\d+$/.test(text)) return Number(text);
    throw refuse(
      `action ${text.slice(0, 40)}`,
      `"${text.slice(0, 40)}" is not the id of an action`,
      'Ids are numbers.',
    );
  });
}

const actionSchema = schema.lazy(() => schema.object(fieldsOf(actionShape)));

const getAction = operation({
  resource: 'action',
  name: 'get',
  action: 'Get actions',
  description: 'Tells how far actions are that were not waited for, or how they ended',
  effect: 'reads',
  input: actionFields,
  output: actionSchema,
  run: async ({ input, api, task }): Promise<readonly Record<string, unknown>[]> =>
    (await getActions(api, input.side, idsOf(input.actionIds), task)).map((action) => ({ ...action })),
});

const awaitAction = operation({
  resource: 'action',
  name: 'wait',
  label: 'Wait For',
  action: 'Wait for actions',
  description: 'Waits until actions have succeeded, 25 with one request. One that fails is an error.',
  effect: 'reads',
  input: {
    ...actionFields,
    timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 600, min: 1, max: 86_400 }),
  },
  output: actionSchema,
  run: async ({ input, api, task }): Promise<readonly Record<string, unknown>[]> => {
    const manner = { wait: true, timeoutMs: input.timeoutSeconds * 1000 };
    const ended = await followActions(api, input.side, idsOf(input.actionIds), manner, task);
    return ended.map((action) => ({ ...action }));
  },
});

const owners = {
  server: servers,
  volume: volumes,
  image: images,
  network: networks,
  firewall: firewalls,
  floatingIp: floatingIps,
  primaryIp: primaryIps,
  loadBalancer: loadBalancers,
  certificate: certificates,
  zone: zones,
  storageBox: storageBoxes,
} as const;

const listOfActions = operation({
  resource: 'action',
  name: 'list',
  action: 'List the actions of something',
  description: 'Tells what was done to a server, volume or the like, by whomever, the newest first',
  effect: 'reads',
  input: {
    kind: choice({
      label: 'Kind',
      options: {
        certificate: 'Certificate',
        zone: 'DNS Zone',
        firewall: 'Firewall',
        floatingIp: 'Floating IP',
        image: 'Image',
        loadBalancer: 'Load Balancer',
        network: 'Network',
        primaryIp: 'Primary IP',
        server: 'Server',
        storageBox: 'Storage Box',
        volume: 'Volume',
      },
      default: 'server',
    }),
    thing: text({ label: 'ID or Name', required: true }),
    returnAll: returnAllField,
    limit: when('returnAll', [false], limitField),
    options: optional({
      status: choice({
        label: 'Status',
        options: { running: 'Running', success: 'Success', error: 'Error' },
        default: 'running',
      }),
    }),
  },
  output: actionSchema,
  run: async ({ input, api, task }): Promise<readonly Record<string, unknown>[]> => {
    const owner = owners[input.kind];
    const place = await idOf(api, owner, input.thing, task);
    const found = await listActions(api, owner, place, { limit: input.limit, ...input.options }, task);
    return found.map((action) => ({ ...action }));
  },
});

export const actionOperations = [getAction, listOfActions, awaitAction];
