import type { IDataObject } from 'n8n-workflow';

import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { type CloudflareStandIn, startCloudflare, type Zone } from '../../../lab/standins/cloudflare';
import { Approval } from '../../../nodes/Approval/Approval.node';
import { CloudflareDns } from '../../../nodes/CloudflareDns/CloudflareDns.node';
import { assertMatches } from '../../../nodes/declaration/schema';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';

let server: PostgresServer;
let standIn: CloudflareStandIn;
let zone: Zone;
let credentials: Readonly<Record<string, object>>;

beforeAll(async () => {
  server = await startPostgres();
  standIn = await startCloudflare();
});

afterAll(async () => {
  await standIn.close();
  await server.stop();
});

beforeEach(() => {
  zone = standIn.addZone(`kua-${standIn.zones.size}.cl`);
  const { host, port, user, password, database } = server;
  credentials = {
    selfhostCloudflare: { apiToken: standIn.addToken(), baseUrl: standIn.url },
    selfhostState: { host, port, user, password, database },
    selfhostPlanKey: { secretKey: 'planted-key-'.repeat(4) },
  };
  standIn.forget();
});

interface How {
  readonly tool?: boolean;
  readonly without?: string;
}

/** Runs a node as n8n does, for a workflow or for an AI agent. */
async function run(
  Node: typeof CloudflareDns,
  parameters: IDataObject,
  { tool = false, without = '' }: How = {},
): Promise<IDataObject[]> {
  const { execute } = fakeExecute({ parameters: [parameters], tool });
  const chosen = Object.fromEntries(Object.entries(credentials).filter(([name]) => name !== without));
  const node = { ...execute.getNode(), credentials: Object.fromEntries(Object.keys(chosen).map((name) => [name, {}])) };
  Object.assign(execute, {
    getNode: () => node,
    getCredentials: (name: string) => Promise.resolve(chosen[name]),
  });
  const outputs = await new Node().execute.call(execute);
  const items = Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [];
  const { resources } = Node.declaration;
  const operation = resources
    .find(({ name }) => name === parameters['resource'])
    ?.operations.find(({ name }) => name === parameters['operation']);
  for (const item of items) assertMatches(operation!.output, item);
  return items;
}

const dns = (operation: string, more: IDataObject, how?: How) =>
  run(CloudflareDns, { resource: 'zone', operation, zone: { mode: 'id', value: zone.name }, ...more }, how);
const request = (operation: string, more: IDataObject = {}, how?: How) =>
  run(Approval, { resource: 'request', operation, ...more }, how);

const wanted = (content = '203.0.113.7') => ({
  records: [{ name: 'www', type: 'A', content }],
  mode: 'full-sync',
  owner: 'n8n',
});
const agent = { tool: true };

function tokenOf([approved]: readonly IDataObject[]): string {
  const token = approved?.['token'];
  if (typeof token === 'string') return token;
  throw new Error('There is no token in what Approve put out');
}

interface Refused {
  readonly context: { readonly code: string; readonly details?: { readonly request?: string } };
  readonly message: string;
}

async function refused(attempt: Promise<unknown>): Promise<Refused> {
  return attempt.then(
    () => Promise.reject(new Error('It was to be refused')),
    (error: unknown) => error as Refused,
  );
}

test('an agent applies exactly what a person has looked at and approved, once', async () => {
  const first = await refused(dns('apply', wanted(), agent));
  expect(first.message).toBe('Refused: "Apply records to a zone" was called by an AI agent without an approval token');
  const requestId = first.context.details?.request ?? '';
  expect(standIn.writes()).toEqual([]);

  const [waiting] = await request('get', { requestId });
  expect(waiting).toMatchObject({
    ...{ id: requestId, node: 'cloudflareDns', operation: 'zone.apply', verdict: 'open', askedBy: 'execution-7' },
    input: { zone: zone.name, records: wanted().records, mode: 'full-sync', dryRun: false },
    preview: [{ zone: zone.name, create: 1, changed: true, dryRun: true }],
  });
  expect((await request('list', { verdict: 'open' })).map(({ id }) => id)).toContain(requestId);
  const approvalToken = tokenOf(await request('approve', { requestId, approver: 'daniel' }));

  expect(await dns('apply', { ...wanted(), approvalToken }, agent)).toMatchObject([{ changed: true, writes: 1 }]);
  expect(standIn.writes()).toHaveLength(1);
  const again = await refused(dns('apply', { ...wanted(), approvalToken }, agent));
  // The zone is as it was wanted by now, so the plan is another one: nothing of what was approved is left.
  expect(again.context.code).toBe('approval_for_other_plan');
  const kept = await server.sql('select key, value from selfhost_state');
  expect(kept).toContain('approval/');
  expect(kept).not.toContain(approvalToken);
  expect(kept).not.toContain('planted-key');
});

test('what is approved is what was shown: other records, and a zone that has changed, are refused', async () => {
  const { details } = (await refused(dns('apply', wanted(), agent))).context;
  const approvalToken = tokenOf(await request('approve', { requestId: details?.request ?? '', approver: 'daniel' }));
  const other = await refused(dns('apply', { ...wanted('203.0.113.66'), approvalToken }, agent));
  expect(other.context.code).toBe('approval_for_other_plan');
  standIn.addRecord(zone, { name: 'mail', type: 'A', content: '203.0.113.1' });
  standIn.forget();
  const drifted = await refused(dns('apply', { ...wanted(), approvalToken }, agent));
  expect(drifted.context.code).toBe('approval_for_other_plan');
  expect(standIn.writes()).toEqual([]);
});

test('an agent cannot approve its own calls, and without the credentials nothing is allowed', async () => {
  const { details } = (await refused(dns('sync', wanted(), agent))).context;
  const requestId = details?.request ?? '';
  for (const operation of ['approve', 'deny']) {
    const { context } = await refused(
      request(operation, { requestId, approver: 'daniel', approvalToken: 'x' }, { tool: true }),
    );
    expect(context.code).toBe('approval_not_possible');
  }
  const call = { ...wanted(), approvalToken: tokenOf(await request('approve', { requestId, approver: 'daniel' })) };
  for (const without of ['selfhostState', 'selfhostPlanKey']) {
    expect((await refused(dns('sync', call, { tool: true, without }))).context.code).toBe('approval_not_possible');
    expect((await refused(dns('sync', wanted(), { tool: true, without }))).context).toMatchObject({
      code: 'approval_needed',
    });
  }
  expect(standIn.writes()).toEqual([]);
  expect(await dns('sync', call, agent)).toMatchObject([{ changed: true }]);
});

test('a denied call needs a new look', async () => {
  const { details } = (await refused(dns('sync', wanted(), agent))).context;
  const requestId = details?.request ?? '';
  expect(await request('deny', { requestId, approver: 'daniel' })).toMatchObject([
    { verdict: 'denied', decidedBy: 'daniel' },
  ]);
  const late = await refused(request('approve', { requestId, approver: 'eva' }));
  expect([late.context.code, late.message.split(' at ')[0]]).toEqual([
    'approval_request_decided',
    '"Sync records to a zone" was already denied by daniel',
  ]);
});

test('a sealed plan goes through hands that cannot change it, and is refused with the differences when the zone drifts', async () => {
  const [planned] = await dns('plan', { ...wanted(), options: { returnPlan: true } });
  const plan = planned?.['plan'] as IDataObject;
  const forged = { ...plan, changes: [] };
  expect((await refused(dns('applyPlan', { plan: JSON.stringify(forged) }))).context.code).toBe('plan_tampered');
  expect((await refused(dns('applyPlan', { plan }, { without: 'selfhostPlanKey' }))).context.code).toBe(
    'plan_key_missing',
  );
  standIn.addRecord(zone, { name: 'mail', type: 'A', content: '203.0.113.1' });
  standIn.forget();
  const drifted = await refused(dns('applyPlan', { plan: JSON.stringify(plan) }));
  expect(drifted).toMatchObject({
    message: `The zone ${zone.name} is no longer as it was when the plan was made: the record mail.${zone.name} A 203.0.113.1 has appeared`,
    context: {
      code: 'dns_drift',
      details: { differences: [{ kind: 'appeared', content: '203.0.113.1' }] },
    },
  });
  expect(standIn.writes()).toEqual([]);
  const [anew] = await dns('plan', { ...wanted(), options: { returnPlan: true } });
  expect(await dns('applyPlan', { plan: anew?.['plan'] })).toMatchObject([{ changed: true, writes: 1 }]);
  const elsewhere = standIn.addZone('other.cl');
  const wrong = { zone: { mode: 'id', value: elsewhere.name }, plan: anew?.['plan'] as IDataObject };
  expect((await refused(dns('applyPlan', wrong))).context.code).toBe('dns_wrong_zone');
});

test('the newest apply is undone without its output, from what the state has kept', async () => {
  const before = standIn.exported(zone);
  expect((await refused(dns('undo', { undo: '' }))).message).toBe(
    `There is nothing to undo in ${zone.name}: the state knows of no apply in the last 30 days`,
  );
  await dns('apply', wanted());
  expect(standIn.exported(zone)).not.toBe(before);
  expect((await refused(dns('undo', {}, { without: 'selfhostState' }))).context.code).toBe('dns_no_undo');
  expect(await dns('undo', {})).toMatchObject([{ changed: true, delete: 1 }]);
  expect(standIn.exported(zone)).toBe(before);
});
