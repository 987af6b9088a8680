import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { freePort } from '../../../../lab/ports';
import { look } from '../../../../lib/health/probes/probe';
import { ssh } from '../../../../lib/health/probes/ssh';
import { tcp } from '../../../../lib/health/probes/tcp';
import { fromHost } from '../../../../lib/health/vantage';
import { closeSessions } from '../../../../lib/host/sessions';
import { hostOf } from '../../../../lab/hosts/as-host';
import { quietTask } from '../../../shared/task';

let lab: SshHost;

beforeAll(async () => {
  lab = await startSshHost();
});

afterAll(async () => {
  await closeSessions();
  await lab.stop();
});

test('a host looks at what it can reach itself', async () => {
  const own = { host: '127.0.0.1', port: lab.port };
  expect(await look(ssh, own, fromHost(hostOf(lab)), quietTask())).toMatchObject({
    outcome: 'ok',
    says: expect.stringMatching(/^SSH-2.0-/) as string,
  });
});

test('that nothing listens there is news of the target', async () => {
  const closed = { host: '127.0.0.1', port: await freePort() };
  expect(await look(tcp, closed, fromHost(hostOf(lab)), quietTask())).toEqual({
    outcome: 'wrong',
    says: `${lab.name} cannot connect to it`,
  });
});

test('a host that does not answer itself has seen nothing', async () => {
  const host = hostOf(lab);
  const gone = { ...host, target: { ...host.target, name: 'gone', port: await freePort() } };
  const own = { host: '127.0.0.1', port: lab.port };
  expect(await look(tcp, own, fromHost(gone), quietTask())).toMatchObject({
    outcome: 'unknown',
    says: expect.stringMatching(/^not looked at from gone: /) as string,
  });
});
