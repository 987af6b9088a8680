import { type ProcessHost, startProcessHost } from '../../../lab/hosts/process-host';
import { closeSessions } from '../../../lib/host/sessions';
import { Host } from '../../../nodes/Host/Host.node';
import { fakeExecute } from '../../unit/nodes/declaration/fakeExecute';
import { closeAndKeepContract, infisical } from './standin';

let host: ProcessHost;
beforeAll(async () => {
  host = await startProcessHost({ name: 'bruno' });
});
afterAll(async () => {
  await closeSessions();
  await host.stop();
});
afterEach(closeAndKeepContract);

test('a command on a host gets a secret of Infisical by its reference, and cannot show it', async () => {
  const standIn = await infisical();
  const project = standIn.addProject('homelab');
  standIn.put(project, 'prod', '/', { USER: 'immich' });
  standIn.put(project, 'prod', '/db', { URL: 'planted://${prod.USER}@db' });
  const { clientId, clientSecret } = standIn.addIdentity();
  const credentials: Readonly<Record<string, object>> = {
    selfhostHost: {
      user: host.user,
      login: 'key',
      privateKey: host.privateKey,
      sudo: 'none',
      hosts: host.pins.map(({ fingerprint }) => `bruno=127.0.0.1:${host.port} ${fingerprint}`).join('\n'),
    },
    selfhostInfisical: { siteUrl: standIn.url, login: 'universal', clientId, clientSecret },
  };
  const { execute, shown } = fakeExecute({
    parameters: [
      {
        resource: 'command',
        operation: 'runScript',
        host: 'bruno',
        script: 'printf "%s %s" "${#URL}" "$URL"; base64 -w0 <<< "$URL"; cat',
        options: {
          secretEnvironment: { URL: 'infisical:homelab/prod/db/URL' },
          secretInput: 'infisical:homelab/prod/db/URL',
        },
      },
    ],
  });
  const node = { ...execute.getNode(), credentials: { selfhostHost: {}, selfhostInfisical: {} } };
  Object.assign(execute, {
    getNode: () => node,
    getWorkflow: () => ({ id: 'w1' }),
    getCredentials: (name: string) => Promise.resolve(credentials[name]),
  });
  const output = await new Host().execute.call(execute);
  const json = Array.isArray(output) ? output[0]?.[0]?.json : undefined;
  const value = 'planted://immich@db';
  expect(json?.['stdout']).toMatch(new RegExp(`^${value.length} \\[secret\\]`));
  expect(JSON.stringify([json, shown, host.commands])).not.toContain('planted');
  expect(standIn.logins()).toBe(1);
});
