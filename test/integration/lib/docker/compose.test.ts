import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  composeConfig,
  composeChanges,
  composeDown,
  composeImages,
  composeLogs,
  composeProcesses,
  composePull,
  composeRestart,
  composeUp,
  composeVersion,
  type Project,
} from '../../../../lib/docker/compose/compose';
import { describeDocker } from '../../../../lib/docker/engine/access';
import { listContainers } from '../../../../lib/docker/engine/containers';
import { connectEngine } from '../../../../lib/docker/engine/engine';
import { runCommand } from '../../../../lib/host/run';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';

jest.setTimeout(120_000);

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

  test('only what is named is brought up, built before, made anew or taken away, and what has changed is told', async () => {
    const { access, docker } = machine;
    const directory = join(docker.folder, 'built');
    await mkdir(directory);
    const file = (web: string, more = '') =>
      `services:\n  web: { build: ., image: "built:1", command: ${web}, stop_grace_period: 0s }\n  job: { image: "tiny:1", command: sleep 600, stop_grace_period: 0s, volumes: ["kept:/kept"] }\n${more}volumes: { kept: {} }\n`;
    const write = (compose: string, page: string) =>
      Promise.all([
        writeFile(join(directory, 'compose.yml'), compose),
        writeFile(join(directory, 'Dockerfile'), 'FROM tiny:1\nCOPY page.html /www/index.html\n'),
        writeFile(join(directory, 'page.html'), `${page}\n`),
      ]);
    const built = { directory, files: ['compose.yml'] };
    const up = (wish: Parameters<typeof composeUp>[2]) => composeUp(access, built, { waitSeconds: 20, ...wish }, task);
    const served = () => docker.docker('exec', 'built-web-1', 'cat', '/www/index.html');
    const changes = async () => {
      const config = await composeConfig(access, built, task);
      const engine = await connectEngine(access, task);
      const containers = await listContainers(engine, { all: true }, task);
      const found = await composeChanges(access, built, config, containers, task);
      return found.map(({ service, change }) => `${service} ${change}`).sort();
    };

    await write(file('sleep 600', '  extra: { image: "tiny:1", command: sleep 600, stop_grace_period: 0s }\n'), 'one');
    expect(await changes()).toEqual(['extra new', 'job new', 'web new']);
    expect(await up({ services: ['web', 'extra'], build: true })).toMatchObject({ changed: true });
    expect((await composeProcesses(access, built, task)).map(({ service }) => service).sort()).toEqual([
      'extra',
      'web',
    ]);
    expect(await served()).toBe('one\n');

    await write(file('sleep 600'), 'two');
    expect(await changes()).toEqual(['extra gone', 'job new', 'web unchanged']);
    expect(await up({ services: ['web'] })).toMatchObject({ changed: false });
    expect(await served()).toBe('one\n');
    expect(await up({ services: ['web'], build: true })).toMatchObject({ changed: true });
    expect(await served()).toBe('two\n');
    const idOf = async (of: string) =>
      (await composeProcesses(access, built, task)).find(({ service }) => service === of)?.id;
    const before = await idOf('web');
    expect(await up({ services: ['web'], recreate: true })).toMatchObject({ changed: true });
    expect(await idOf('web')).not.toBe(before);

    await write(file('sleep 601'), 'two');
    expect(await changes()).toEqual(['extra gone', 'job new', 'web changed']);
    expect(await up({ removeOrphans: true })).toMatchObject({ changed: true });
    expect(await changes()).toEqual(['job unchanged', 'web unchanged']);
    expect((await composeImages(access, built, task)).map(({ name, tag }) => `${name}:${tag}`).sort()).toEqual([
      'built:1',
      'tiny:1',
    ]);
    const volumes = async () => (await docker.docker('volume', 'ls', '--quiet')).trim();
    expect(await volumes()).toBe('built_kept');
    expect((await composeDown(access, built, {}, task)).removed.toSorted()).toEqual(['built-job-1', 'built-web-1']);
    expect(await volumes()).toBe('built_kept');
    await composeDown(access, built, { removeVolumes: true }, task);
    expect(await volumes()).toBe('');
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

  test('Compose v1 alone is refused, and told what to install', async () => {
    const plugins = join(machine.home, '.docker/cli-plugins');
    await rename(join(plugins, 'docker-compose'), join(plugins, 'away'));
    // In front of one that the machine may have for all users.
    await writeFile(join(plugins, 'docker-compose'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });
    const bin = join(machine.docker.folder, 'bin');
    await mkdir(bin);
    await writeFile(join(bin, 'docker-compose'), '#!/bin/sh\necho docker-compose version 1.29.2\n', { mode: 0o755 });
    // In the machine's own mounts only.
    await runCommand(machine.access.host, { argv: ['mount', '--bind', bin, '/usr/local/sbin'] }, {}, task);
    const refusal = {
      code: 'compose_missing',
      message: `${describeDocker(machine.access)} has no Compose v2: it has only Compose v1 (docker-compose), which has had no updates since 2023`,
      nextStep: 'Install the plugin docker-compose-plugin (Docker) or docker-compose-v2 (Ubuntu) on that host.',
    };
    await expect(composeVersion(machine.access, task)).rejects.toMatchObject(refusal);
    await expect(composeUp(machine.access, project, {}, task)).rejects.toMatchObject(refusal);
    await rename(join(plugins, 'away'), join(plugins, 'docker-compose'));
    expect(await composeVersion(machine.access, task)).toMatch(/^2\.26/);
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
