import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { copyIn, copyOut } from '../../../lib/docker/engine/archive';
import {
  changePower,
  createContainer,
  inspectContainer,
  listContainers,
  removeContainer,
  renameContainer,
  topContainer,
  updateContainer,
} from '../../../lib/docker/engine/containers';
import { execInContainer } from '../../../lib/docker/engine/exec';
import {
  imageHistory,
  inspectImage,
  listImages,
  pullImage,
  pushImage,
  removeImage,
  tagImage,
} from '../../../lib/docker/engine/images';
import { readLogs } from '../../../lib/docker/engine/logs';
import { createNetwork, inspectNetwork, listNetworks, removeNetwork } from '../../../lib/docker/engine/networks';
import {
  containerStats,
  diskUsage,
  engineVersion,
  events,
  ping,
  prune,
  systemInfo,
} from '../../../lib/docker/engine/system';
import { createVolume, inspectVolume, listVolumes, removeVolume } from '../../../lib/docker/engine/volumes';
import { quietTask } from '../../shared/task';
import { DIGEST, ID, IMAGE, VERSIONS } from './answers';
import { startEngine, type StandIn } from './standin';

const task = quietTask();
const summary = { id: ID, name: 'one', image: 'redis:7', imageId: IMAGE, state: 'running', project: 'shop' };
const container = {
  id: ID,
  name: 'one',
  health: 'healthy',
  healthOutput: 'PONG',
  restarts: 2,
  finishedAt: null,
  restartPolicy: 'unless-stopped',
  memoryBytes: 1024,
  cpus: 0.5,
  mounts: [{ type: 'volume', source: 'data', target: '/data', writable: true }],
  // Of the network, and not of the former default bridge, which 1.52 does not tell any more.
  networks: [{ name: 'proxy', address: '172.28.0.7' }],
};
const image = { id: IMAGE, tags: ['redis:7'], digests: [`redis@${DIGEST}`], sizeBytes: 4321, labels: { team: 'lab' } };

describe.each(VERSIONS)('API %s', (version) => {
  let standIn: StandIn;
  beforeAll(async () => {
    standIn = await startEngine(version);
  });
  afterAll(() => standIn.stop());
  afterEach(() => {
    const violations = [...standIn.contract.violations];
    standIn.contract.forget();
    expect(violations).toEqual([]);
  });

  test('is agreed on, and asked under its own prefix', () => {
    expect(standIn.engine.apiVersion).toBe(version);
  });

  test('the engine', async () => {
    const { engine } = standIn;
    expect(await systemInfo(engine, task)).toMatchObject({ storageDriver: 'overlay2', running: 2, cpus: 2 });
    expect(await engineVersion(engine, task)).toMatchObject({
      newestApiVersion: version,
      components: { containerd: '1.6.20' },
    });
    expect(await ping(engine, task)).toMatchObject({ apiVersion: version });
    expect(await diskUsage(engine, task)).toEqual({
      imagesBytes: 1000,
      containersBytes: 42,
      volumesBytes: 7,
      buildCacheBytes: 3,
      images: 1,
      containers: 2,
      volumes: 1,
    });
    const told = [];
    for await (const event of events(engine, { since: '1', until: '2', types: ['container'], events: ['die'] }, task))
      told.push(event);
    expect(told).toMatchObject([
      { type: 'container', action: 'die', id: ID, name: 'one', attributes: { exitCode: '3' } },
    ]);
  });

  test('containers', async () => {
    const { engine, asked } = standIn;
    expect(await listContainers(engine, { all: true, labels: ['a=b'], status: ['running'] }, task)).toMatchObject([
      { ...summary, ports: [{ container: 6379, protocol: 'tcp', host: 16379, address: '127.0.0.1' }] },
    ]);
    expect(await inspectContainer(engine, 'one', task)).toMatchObject(container);
    const wish = {
      name: 'one',
      image: 'redis:7',
      argv: ['redis-server'],
      environment: { A: 'b' },
      labels: { team: 'lab' },
      binds: ['data:/data'],
      publish: ['127.0.0.1:16379:6379'],
      network: 'proxy',
      restartPolicy: 'no',
      memoryBytes: 1024,
      cpus: 0.5,
    };
    expect(await createContainer(engine, wish, task)).toMatchObject(container);
    expect(asked.find(([what]) => what === 'POST /containers/create?name=one')?.[1]).toEqual({
      Image: 'redis:7',
      Cmd: ['redis-server'],
      Env: ['A=b'],
      Labels: { team: 'lab' },
      ExposedPorts: { '6379/tcp': {} },
      HostConfig: {
        Binds: ['data:/data'],
        PortBindings: { '6379/tcp': [{ HostIp: '127.0.0.1', HostPort: '16379' }] },
        NetworkMode: 'proxy',
        RestartPolicy: { Name: 'no' },
        Memory: 1024,
        MemorySwap: 1024,
        NanoCpus: 500000000,
      },
    });
    for (const action of ['stop', 'restart', 'kill', 'pause'] as const) {
      expect(await changePower(engine, 'one', { action, graceSeconds: 3, signal: 'SIGHUP' }, task)).toMatchObject({
        changed: true,
      });
    }
    expect(await changePower(engine, 'one', { action: 'start' }, task)).toMatchObject({ changed: false });
    expect(await updateContainer(engine, 'one', { memoryBytes: 2048 }, task)).toMatchObject(container);
    expect(await renameContainer(engine, 'one', 'two', task)).toMatchObject({ changed: true, before: 'one' });
    expect(await removeContainer(engine, 'one', { force: true, volumes: true }, task)).toMatchObject({ changed: true });
    expect(await topContainer(engine, 'one', task)).toEqual([{ PID: '7', CMD: 'redis-server' }]);
    expect(await containerStats(engine, 'one', task)).toEqual({
      name: 'one',
      cpuPercent: 100,
      memoryBytes: 800,
      memoryLimitBytes: 1024,
      processes: 4,
      receivedBytes: 5,
      sentBytes: 6,
    });
    expect((await readLogs(engine, 'one', { tail: 5, since: '1', timestamps: false }, task)).text).toBe('out\nerr\n');
  });

  test('programs and files in containers', async () => {
    const { engine } = standIn;
    expect(
      await execInContainer(
        engine,
        'one',
        { argv: ['true'], user: 'redis', directory: '/', environment: { A: 'b' } },
        task,
      ),
    ).toEqual({
      stdout: 'out\n',
      stderr: 'err\n',
      exitCode: 0,
      truncated: false,
    });
    expect(await text(await copyOut(engine, 'one', '/data', task))).toBe('tar');
    await copyIn(
      engine,
      'one',
      { folder: '/tmp', name: 'x', content: Readable.from([Buffer.from('x')]), length: 1 },
      task,
    );
  });

  test('images', async () => {
    const { engine } = standIn;
    const login = { user: 'me', password: 'planted' };
    expect(await listImages(engine, { reference: 'redis*', dangling: false }, task)).toMatchObject([image]);
    expect(await inspectImage(engine, 'redis:7', task)).toMatchObject(image);
    expect(await imageHistory(engine, 'redis:7', task)).toMatchObject([{ id: IMAGE, createdBy: 'CMD', sizeBytes: 9 }]);
    expect(await pullImage(engine, 'redis:7', login, task)).toMatchObject({ changed: false, image });
    expect(await pushImage(engine, 'registry.example/redis:7', undefined, task)).toMatchObject(image);
    expect(await tagImage(engine, 'redis:7', 'redis:kept', task)).toMatchObject(image);
    expect(await removeImage(engine, 'redis:7', { force: true }, task)).toEqual({
      changed: true,
      removed: ['redis:7'],
    });
  });

  test('volumes and networks', async () => {
    const { engine } = standIn;
    const volume = { name: 'data', driver: 'local', labels: { team: 'lab' } };
    const network = { id: ID, name: 'proxy', driver: 'bridge', subnets: ['172.28.0.0/24'], labels: { team: 'lab' } };
    expect(await listVolumes(engine, { unused: true, labels: ['team'] }, task)).toMatchObject([volume]);
    expect(await inspectVolume(engine, 'data', task)).toMatchObject({ ...volume, usedBy: ['one'] });
    expect(await createVolume(engine, { name: 'data' }, task)).toMatchObject({ ...volume, changed: false });
    expect(await removeVolume(engine, 'data', {}, task)).toMatchObject({ changed: true });
    expect(await listNetworks(engine, { unused: true }, task)).toMatchObject([network]);
    expect(await inspectNetwork(engine, 'proxy', task)).toMatchObject({ ...network, usedBy: ['one'] });
    expect(
      await createNetwork(engine, { name: 'other', subnet: '172.28.1.0/24', internal: true, labels: {} }, task),
    ).toMatchObject(network);
    expect(await removeNetwork(engine, 'proxy', {}, task)).toMatchObject({ changed: true });
  });

  test('pruning', async () => {
    const { engine } = standIn;
    for (const what of ['containers', 'images', 'volumes', 'networks'] as const) {
      expect(await prune(engine, { what, all: true, labels: ['team'] }, task)).toMatchObject({ changed: true });
    }
  });

  test('every call that is made was held to the description', () => {
    const called = standIn.asked.map(([what]) => what.split('?')[0]);
    expect(new Set(called).size).toBeGreaterThan(40);
    expect([...standIn.contract.reached.values()].reduce((sum, count) => sum + count, 0)).toBe(standIn.asked.length);
  });
});
