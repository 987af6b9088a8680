import { startDocker, type DockerHost } from '../../../../lab/docker';
import { makeAuthority } from '../../../../lab/certificates';
import { changePower, createContainer, removeContainer } from '../../../../lib/docker/engine/containers';
import { parseDockerCredential } from '../../../../lib/docker/engine/credential';
import { connectEngine } from '../../../../lib/docker/engine/engine';
import { execInContainer } from '../../../../lib/docker/engine/exec';
import { readLogs } from '../../../../lib/docker/engine/logs';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

jest.setTimeout(60_000);

describeAsRoot('a Docker that is reached without SSH', () => {
  let docker: DockerHost;
  const task = quietTask();
  const placeOf = (change: Readonly<Record<string, unknown>> = {}) =>
    parseDockerCredential({
      connection: 'tls',
      address: docker.address,
      port: 2376,
      authority: docker.tls?.authority.pem,
      certificate: docker.tls?.client.certificate,
      // As it looks when somebody pastes it into a field of one line.
      privateKey: docker.tls?.client.key.trim().replaceAll('\n', ' '),
      ...change,
    }).place;

  beforeAll(async () => {
    docker = await startDocker({ tls: true });
  });
  afterAll(() => docker.stop());

  test.each(['tls', 'socket'])('works over %s: containers, programs in them, logs', async (connection) => {
    const place = parseDockerCredential({ connection: 'socket', socketPath: docker.socket }).place;
    const engine = await connectEngine(connection === 'tls' ? placeOf() : place, task);
    const { id } = await createContainer(
      engine,
      { image: 'tiny:1', argv: ['sh', '-c', 'echo hello; sleep 600'] },
      task,
    );
    await changePower(engine, id, { action: 'start' }, task);
    expect(await execInContainer(engine, id, { argv: ['echo', 'over tls'] }, task)).toMatchObject({
      stdout: 'over tls\n',
    });
    expect((await readLogs(engine, id, {}, task)).text).toBe('hello\n');
    expect(await removeContainer(engine, id, { force: true }, task)).toMatchObject({ changed: true });
  });

  test('a server of another authority is not spoken to, and a client of another one is turned away', async () => {
    const foreign = await makeAuthority(docker.folder);
    const { certificate, key } = await foreign.sign('stranger');
    await expect(connectEngine(placeOf({ authority: foreign.pem }), task)).rejects.toMatchObject({
      code: 'docker_tls',
      message: expect.stringContaining('was not signed by the given authority'),
    });
    await expect(connectEngine(placeOf({ certificate, privateKey: key }), task)).rejects.toMatchObject({
      code: 'docker_tls',
      message: `Docker at ${docker.address}:2376 does not accept the certificate of the credential`,
    });
    await expect(connectEngine(placeOf({ port: 1 }), task)).rejects.toMatchObject({
      code: 'docker_unreachable',
      message: `Docker at ${docker.address}:1 cannot be reached: nobody listens there`,
    });
    await expect(connectEngine(placeOf({ privateKey: key }), task)).rejects.toMatchObject({ code: 'docker_tls' });
    await expect(connectEngine({ localSocket: '/run/nobody.sock' }, task)).rejects.toMatchObject({
      message: 'Docker at /run/nobody.sock cannot be reached: there is no such socket',
    });
  });
});
