import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  composeConfig,
  composeDown,
  composeLogs,
  composeProcesses,
  composePull,
  composeRestart,
  composeUp,
  composeVersion,
  type Project,
} from '../../../../lib/docker/compose/compose';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';

jest.setTimeout(60_000);

const FILE = `
services:
  web:
    image: tiny:1
    command: sh -c "echo started; exec httpd -f -h /www"
    environment: { TOKEN: swordfish }
    healthcheck: { test: ["CMD", "test", "-f", "/www/index.html"], interval: 200ms, retries: 3 }
    volumes: [ "./data:/data" ]
    stop_grace_period: 0s
`;

describeAsRoot('Compose, over SSH', () => {
  let machine: DockerMachine;
  let project: Project;
  const task = quietTask();

  beforeAll(async () => {
    machine = await startDockerMachine();
    const directory = join(machine.docker.folder, 'shop');
    await mkdir(directory);
    await writeFile(join(directory, 'compose.yml'), FILE);
    project = { directory, files: ['compose.yml'] };
  });
  afterAll(() => machine.stop());

  test('version 2 is found', async () => {
    expect(await composeVersion(machine.access, task)).toMatch(/^2\.26/);
  });

  test('a project is read, brought up and healthy, restarted, listened to and taken down', async () => {
    const config = await composeConfig(machine.access, project, task);
    expect(config).toMatchObject({
      name: 'shop',
      services: [
        {
          name: 'web',
          image: 'tiny:1',
          environment: ['TOKEN'],
          mounts: [{ type: 'bind', source: join(project.directory, 'data'), target: '/data', writable: true }],
        },
      ],
    });
    expect(JSON.stringify(config)).not.toContain('swordfish');
    expect(await composeUp(machine.access, project, { waitSeconds: 20 }, task)).toMatchObject({
      changed: true,
      containers: [{ service: 'web', state: 'running', health: 'healthy' }],
    });
    expect(await composeUp(machine.access, project, { waitSeconds: 20 }, task)).toMatchObject({ changed: false });
    expect(await composeRestart(machine.access, project, ['web'], task)).toMatchObject([{ state: 'running' }]);
    expect((await composeLogs(machine.access, project, { tail: 10 }, task)).text.match(/started/g)).toHaveLength(2);
    expect(await composeDown(machine.access, project, {}, task)).toEqual({ changed: true, removed: ['shop-web-1'] });
    expect(await composeDown(machine.access, project, {}, task)).toEqual({ changed: false, removed: [] });
    expect(await composeProcesses(machine.access, project, task)).toEqual([]);
  });

  test('what is wrong is said in the words of Compose', async () => {
    await writeFile(join(project.directory, 'broken.yml'), 'services: { web: { imag: x } }\n');
    await expect(composeConfig(machine.access, { ...project, files: ['broken.yml'] }, task)).rejects.toMatchObject({
      code: 'compose_failed',
      message: expect.stringContaining('imag'),
    });
    await writeFile(join(project.directory, 'far.yml'), 'services: { web: { image: "127.0.0.1:1/far:1" } }\n');
    await expect(composePull(machine.access, { ...project, files: ['far.yml'] }, {}, task)).rejects.toMatchObject({
      code: 'compose_failed',
      message: expect.stringContaining('connection refused'),
    });
  });

  test('a Compose that is too old is refused, and told what to install', async () => {
    const plugin = join(machine.docker.folder, 'machine/root/.docker/cli-plugins/docker-compose');
    const about = '{"SchemaVersion":"0.1.0","Vendor":"lab","Version":"2.3.0"}';
    await writeFile(
      plugin,
      `#!/bin/sh\nif [ "$1" = docker-cli-plugin-metadata ]; then echo '${about}'; else echo 2.3.0; fi\n`,
    );
    await expect(composeVersion(machine.access, task)).rejects.toMatchObject({
      code: 'compose_missing',
      message: expect.stringContaining('it has Compose 2.3.0, and 2.17 is the oldest that will do'),
    });
  });
});
