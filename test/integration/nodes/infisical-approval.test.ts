import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IDataObject } from 'n8n-workflow';
import { type ProcessHost, startProcessHost } from '../../../lab/hosts/process-host';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { type InfisicalStandIn, type Project, startInfisical } from '../../../lab/standins/infisical';
import { closeSessions } from '../../../lib/host/sessions';
import { forgetSessions } from '../../../lib/infisical/session';
import { Approval } from '../../../nodes/Approval/Approval.node';
import { Infisical } from '../../../nodes/Infisical/Infisical.node';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';

const OLD = 'planted-$old-password';

let postgres: PostgresServer;
let standIn: InfisicalStandIn;
let host: ProcessHost;
let folder: string;
let project: Project;
let credentials: Readonly<Record<string, object>>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'infisical-approval-'));
  [postgres, host] = await Promise.all([startPostgres(), startProcessHost({ name: 'bruno' })]);
  standIn = await startInfisical();
  project = standIn.addProject('homelab');
  const { clientId, clientSecret } = standIn.addIdentity();
  const { port, user, password, database } = postgres;
  credentials = {
    selfhostInfisical: { siteUrl: standIn.url, login: 'universal', clientId, clientSecret },
    selfhostHost: {
      ...{ user: host.user, login: 'key', privateKey: host.privateKey, sudo: 'none' },
      hosts: host.pins.map(({ fingerprint }) => `bruno=127.0.0.1:${host.port} ${fingerprint}`).join('\n'),
    },
    selfhostState: { host: '127.0.0.1', port, user, password, database },
    selfhostPlanKey: { secretKey: 'planted-key-'.repeat(4) },
  };
}, 60_000);

afterAll(async () => {
  forgetSessions();
  await closeSessions();
  await standIn.close();
  await host.stop();
  await postgres.stop();
  rmSync(folder, { recursive: true, force: true });
});

async function run(Node: typeof Infisical, parameters: IDataObject, tool = false): Promise<IDataObject[]> {
  const { execute } = fakeExecute({ parameters: [parameters], tool });
  const node = {
    ...execute.getNode(),
    credentials: Object.fromEntries(Object.keys(credentials).map((name) => [name, { id: name, name }])),
  };
  Object.assign(execute, { getNode: () => node, getCredentials: (name: string) => Promise.resolve(credentials[name]) });
  const outputs = await new Node().execute.call(execute);
  return Array.isArray(outputs) ? outputs.flat().map(({ json }) => json) : [];
}

interface Refused {
  readonly context: { readonly code: string; readonly details?: { readonly request?: string } };
}

const refused = (attempt: Promise<unknown>): Promise<Refused> =>
  attempt.then(
    () => Promise.reject(new Error('It was to be refused')),
    (error: unknown) => error as Refused,
  );

const request = (operation: string, parameters: IDataObject) =>
  run(Approval, { resource: 'request', operation, ...parameters });

const place = { project: 'homelab', environment: 'prod', path: '/' };

/** Each operation that an agent may not call by itself: a call, another that was not approved, and what it has done. */
const guarded: Readonly<Record<string, () => Promise<{ call: IDataObject; other: IDataObject; done: () => unknown }>>> =
  {
    'secret.delete': () => {
      standIn.put(project, 'prod', '/', { OLD, KEPT: OLD });
      return Promise.resolve({
        call: { keys: 'OLD' },
        other: { keys: 'KEPT' },
        done: () => standIn.value(project, 'prod', '/', 'OLD') ?? 'gone',
      });
    },
    'kms.decrypt': async () => {
      const keyId = standIn.addKey();
      standIn.put(project, 'prod', '/', { PLAIN: OLD });
      const [encrypted] = await run(Infisical, {
        ...{ resource: 'kms', operation: 'encrypt', ...place, keyId },
        valueFrom: 'infisical:homelab/prod/PLAIN',
      });
      const file = join(folder, 'plain');
      const call = { keyId, ciphertext: encrypted?.['ciphertext'], host: 'bruno', file };
      return {
        call,
        other: { ...call, file: join(folder, 'elsewhere') },
        done: () => {
          try {
            return readFileSync(file, 'utf8');
          } catch {
            return 'no file';
          }
        },
      };
    },
    'rotation.rotate': async () => {
      await postgres.sql(`create role immich login password '${OLD}'; create role other login password '${OLD}'`);
      standIn.put(project, 'prod', '/', { ROLE: OLD });
      const { port } = postgres;
      const call = { key: 'ROLE', host: 'bruno', valueOwner: 'postgres', role: 'immich', address: `127.0.0.1:${port}` };
      return {
        call: { ...call, usedBy: '[]' },
        other: { ...call, usedBy: '[]', role: 'other' },
        done: () => standIn.value(project, 'prod', '/', 'ROLE') !== OLD,
      };
    },
  };

const outcomes: Readonly<Record<string, readonly [unknown, unknown]>> = {
  'secret.delete': [OLD, 'gone'],
  'kms.decrypt': ['no file', OLD],
  'rotation.rotate': [false, true],
};

test('the operations of the table are all that need an approval', () => {
  const marked = Infisical.declaration.resources
    .flatMap(({ operations }) => operations)
    .filter(({ needsApproval }) => needsApproval)
    .map(({ resource, name }) => `${resource}.${name}`);
  expect(marked.sort()).toEqual(Object.keys(guarded).sort());
});

test.each(Object.keys(guarded))(
  'an agent may call %s once, after a person has looked at exactly that call',
  async (name) => {
    const { call, other, done } = await guarded[name]!();
    const [before, after] = outcomes[name]!;
    const [resource = '', operation = ''] = name.split('.');
    const asAgent = (parameters: IDataObject) => run(Infisical, { resource, operation, ...place, ...parameters }, true);

    const first = await refused(asAgent(call));
    expect([first.context.code, done()]).toEqual(['approval_needed', before]);
    const requestId = first.context.details?.request ?? '';
    const [waiting] = await request('get', { requestId });
    expect(waiting).toMatchObject({ node: 'infisical', operation: name, verdict: 'open' });
    // Who decides sees what would be done, and no value.
    expect((waiting?.['preview'] as readonly unknown[]).length).toBe(1);
    expect(JSON.stringify(waiting)).not.toContain('planted');

    const [approved] = await request('approve', { requestId, approver: 'daniel' });
    const approvalToken = approved?.['token'] as string;
    expect((await refused(asAgent({ ...other, approvalToken }))).context.code).toBe('approval_for_other_plan');
    expect(done()).toEqual(before);
    await asAgent({ ...call, approvalToken });
    expect(done()).toEqual(after);
    expect((await refused(asAgent({ ...call, approvalToken }))).context.code).toMatch(/^approval_used$/);
    expect(await postgres.sql('select key, value from selfhost_state')).not.toContain('planted');
  },
);
