import { chmod } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { startSshHost } from '../../../../lab/hosts/ssh-host';
import { until } from '../../../../lab/hosts/waiting';
import { copyIn, copyOut } from '../../../../lib/docker/engine/archive';
import {
  awaitContainer,
  changePower,
  createContainer,
  inspectContainer,
  listContainers,
  removeContainer,
  renameContainer,
  topContainer,
  updateContainer,
} from '../../../../lib/docker/engine/containers';
import { connectEngine, type Engine } from '../../../../lib/docker/engine/engine';
import { execInContainer } from '../../../../lib/docker/engine/exec';
import {
  imageHistory,
  inspectImage,
  listImages,
  pullImage,
  removeImage,
  tagImage,
} from '../../../../lib/docker/engine/images';
import { followLogs, readLogs, type LogWish } from '../../../../lib/docker/engine/logs';
import { createNetwork, inspectNetwork, removeNetwork } from '../../../../lib/docker/engine/networks';
import {
  containerStats,
  diskUsage,
  events,
  prune,
  systemInfo,
  type Prunable,
} from '../../../../lib/docker/engine/system';
import { createVolume, inspectVolume, removeVolume } from '../../../../lib/docker/engine/volumes';
import { hostOf } from '../../../../lab/hosts/as-host';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../../shared/docker-machine';

jest.setTimeout(120_000);

describeAsRoot('the engine of Docker, over SSH', () => {
  let machine: DockerMachine;
  let engine: Engine;
  const task = quietTask();

  beforeAll(async () => {
    machine = await startDockerMachine();
    engine = await connectEngine(machine.access, task);
  });
  afterAll(() => machine.stop());
  const onTestEnd: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const end of onTestEnd.splice(0)) await end();
  });

  test('agrees on the newest version that both sides know', async () => {
    expect(engine).toMatchObject({ apiVersion: '1.41', serverVersion: expect.stringContaining('20.10') });
    expect(await systemInfo(engine, task)).toMatchObject({ storageDriver: 'overlay2', apiVersion: '1.41' });
  });

  test('a container is made, started, measured, changed, renamed, stopped and removed, each once', async () => {
    const made = await createContainer(
      engine,
      {
        name: 'one',
        image: 'tiny:1',
        argv: ['httpd', '-f', '-h', '/www'],
        environment: { COLOR: 'blue' },
        labels: { team: 'lab' },
        publish: ['18081:80'],
        memoryBytes: 64 * 1024 * 1024,
      },
      task,
    );
    expect(made).toMatchObject({ name: 'one', state: 'created', health: null, memoryBytes: 67108864 });
    expect(await changePower(engine, 'one', { action: 'start', dryRun: true }, task)).toMatchObject({ changed: true });
    expect((await inspectContainer(engine, 'one', task)).state).toBe('created');
    expect(await changePower(engine, 'one', { action: 'start' }, task)).toMatchObject({
      changed: true,
      before: 'created',
    });
    expect(await changePower(engine, 'one', { action: 'start' }, task)).toMatchObject({ changed: false });
    const page = await fetch(`http://${machine.docker.address}:18081/index.html`);
    expect(await page.text()).toBe('tiny\n');
    expect(await listContainers(engine, { labels: ['team=lab'] }, task)).toMatchObject([
      { name: 'one', state: 'running', ports: [{ container: 80, protocol: 'tcp', host: 18081, address: '0.0.0.0' }] },
    ]);
    expect(await containerStats(engine, 'one', task)).toMatchObject({ name: 'one', memoryLimitBytes: 67108864 });
    expect(await topContainer(engine, 'one', task)).toMatchObject([{ CMD: 'httpd -f -h /www' }]);
    expect(await updateContainer(engine, 'one', { cpus: 0.5, restartPolicy: 'unless-stopped' }, task)).toMatchObject({
      cpus: 0.5,
      restartPolicy: 'unless-stopped',
    });
    expect(await renameContainer(engine, 'one', 'two', task)).toMatchObject({ changed: true, before: 'one' });
    expect(await renameContainer(engine, 'two', 'two', task)).toMatchObject({ changed: false });
    expect(await changePower(engine, 'two', { action: 'pause' }, task)).toMatchObject({ changed: true });
    expect(await changePower(engine, 'two', { action: 'unpause' }, task)).toMatchObject({
      container: { state: 'running' },
    });
    const { startedAt } = await inspectContainer(engine, 'two', task);
    const again = await changePower(engine, 'two', { action: 'restart', graceSeconds: 0 }, task);
    expect(again).toMatchObject({ changed: true, container: { state: 'running' } });
    expect(again.container.startedAt).not.toBe(startedAt);
    expect(await changePower(engine, 'two', { action: 'kill', signal: 'SIGKILL' }, task)).toMatchObject({
      changed: true,
      before: 'running',
    });
    expect(await awaitContainer(engine, 'two', { state: 'exited', timeoutMs: 10_000 }, task)).toMatchObject({
      exitCode: 137,
    });
    await changePower(engine, 'two', { action: 'start' }, task);
    expect(await changePower(engine, 'two', { action: 'stop', graceSeconds: 0 }, task)).toMatchObject({
      container: { state: 'exited' },
    });
    expect(await prune(engine, { what: 'containers', dryRun: true }, task)).toMatchObject({ removed: ['two'] });
    expect(await removeContainer(engine, 'two', {}, task)).toMatchObject({ changed: true, before: 'exited' });
    expect(await removeContainer(engine, 'two', {}, task)).toEqual({
      name: 'two',
      id: null,
      changed: false,
      before: 'missing',
    });
    await expect(inspectContainer(engine, 'two', task)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('No such container: two'),
    });
  });

  test('logs keep their two streams apart, are searched and followed, and a flood of them is cut', async () => {
    const script = `echo to out; echo to err >&2; echo grün; yes ${'0123456789abcdef'.repeat(32)} | head -c 17000000; echo; echo last; sleep 600`;
    const { id } = await createContainer(engine, { name: 'talker', image: 'tiny:1', argv: ['sh', '-c', script] }, task);
    await changePower(engine, id, { action: 'start' }, task);
    await until('it has said all', 20_000, async () =>
      (await readLogs(engine, id, { tail: 1 }, task)).text === 'last\n' ? true : undefined,
    );
    expect((await readLogs(engine, id, { stdout: false }, task)).text).toBe('to err\n');
    expect(await readLogs(engine, id, { grep: 'gr.n$' }, task)).toMatchObject({ text: 'grün\n', lines: 1 });
    const timed = await readLogs(engine, id, { stdout: false, timestamps: true }, task);
    expect(timed.text).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z to err\n$/);
    const from = String(Date.parse(timed.text.slice(0, 30)) / 1000 + 60);
    expect(await readLogs(engine, id, { since: from }, task)).toMatchObject({ text: '', lines: 0, bytes: 0 });
    const before = process.memoryUsage.rss();
    const flood = await readLogs(engine, id, { maxBytes: 64 * 1024 }, task);
    expect(flood).toMatchObject({ truncated: true, bytes: expect.any(Number) });
    expect(flood.bytes).toBeGreaterThan(17_000_000);
    expect(flood.text.endsWith('last\n')).toBe(true);
    expect(process.memoryUsage.rss() - before).toBeLessThan(100 * 1024 * 1024);

    const stop = new AbortController();
    const seen: string[] = [];
    const following = (async () => {
      for await (const { data } of followLogs(engine, id, { follow: true, tail: 1 }, quietTask(stop.signal))) {
        seen.push(data.toString());
        stop.abort();
      }
    })();
    await expect(following).rejects.toMatchObject({ code: 'cancelled' });
    expect(seen).toEqual(['last\n']);
    await removeContainer(engine, id, { force: true }, task);
  });

  test('logs are cut and searched on the host to the same text, and nothing else of them crosses the wire', async () => {
    const script = `echo to out; echo to err >&2; echo grün; yes ${'0123456789abcdef'.repeat(32)} | head -c 300000; echo; echo -n last`;
    const { id } = await createContainer(engine, { name: 'orator', image: 'tiny:1', argv: ['sh', '-c', script] }, task);
    await changePower(engine, id, { action: 'start' }, task);
    const { finishedAt } = await awaitContainer(engine, id, { state: 'exited', timeoutMs: 30_000 }, task);
    const after = String(Date.parse(finishedAt ?? '') / 1000 + 60);
    const wired = { ...engine, way: { kind: 'direct' as const } };
    const silent = { ...engine, stream: () => Promise.reject(new Error('The logs were asked of the engine')) };
    const wishes: readonly (LogWish & { maxBytes?: number; grep?: string })[] = [
      {},
      { maxBytes: 64 * 1024 },
      { maxBytes: 1_001, tail: 5_000 },
      { stdout: false },
      { stderr: false, maxBytes: 1_001, timestamps: true },
      { grep: 'grün|to err', timestamps: true },
      { grep: 'cdef|last', maxBytes: 1_000 },
      { grep: 'nowhere' },
      { since: after },
      { until: after, maxBytes: 10_000 },
    ];
    for (const wish of wishes) {
      const cut = await readLogs(silent, id, wish, task);
      expect([wish, cut]).toEqual([wish, await readLogs(wired, id, wish, task)]);
    }
    // What else than ASCII is in the lines, only we can search for an expression, and the host is asked for them all.
    await expect(readLogs(silent, id, { grep: '^to' }, task)).rejects.toThrow('asked of the engine');
    // Two pipes: which of them Docker reads first is its own business.
    const { text, lines } = await readLogs(engine, id, { grep: '^to (out|err)$' }, task);
    expect([text.trimEnd().split('\n').sort(), lines]).toEqual([['to err', 'to out'], 2]);
    await removeContainer(engine, id, {}, task);
    await expect(readLogs(engine, 'orator', {}, task)).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('No such container: orator'),
    });
  });

  test('expressions that mean the same there are searched for on the host, to the same lines', async () => {
    const lines = [
      'GET /api/photos 200',
      'GET /health 500',
      'error: (disk) [full]',
      '',
      '   ',
      'a.b',
      'aab',
      'x-y_z',
      '$5^2',
      '\t{tab}',
    ];
    const argv = ['sh', '-c', 'for line in "$@"; do echo "$line"; done; echo -n "the last error"', 'sh', ...lines];
    const { id } = await createContainer(engine, { name: 'plain', image: 'tiny:1', argv }, task);
    await changePower(engine, id, { action: 'start' }, task);
    await awaitContainer(engine, id, { state: 'exited', timeoutMs: 30_000 }, task);
    const wired = { ...engine, way: { kind: 'direct' as const } };
    const silent = { ...engine, stream: () => Promise.reject(new Error('The logs were asked of the engine')) };
    const expressions = [
      ...[
        '^$',
        '^\\s*$',
        '.',
        'error$',
        '^error',
        '\\berror\\b',
        'GET /(api|health)[^ ]* [45]\\d\\d',
        'a.b',
        '^a{2}b$',
        'a+?b',
      ],
      ...['[^\\w\\s]', '[.$^]', '[\\]\\[]', '\\$\\d\\^', '\\S+_\\w', '\\t\\{', '(?:x-)+y', 'a|', 'nowhere.'],
    ];
    for (const grep of expressions) {
      const there = await readLogs(silent, id, { grep }, task);
      expect([grep, there]).toEqual([grep, await readLogs(wired, id, { grep }, task)]);
    }
    // Left to us, and still found.
    expect(await readLogs(engine, id, { grep: '(?<=/)health' }, task)).toMatchObject({
      text: 'GET /health 500\n',
      lines: 1,
    });
    await removeContainer(engine, id, {}, task);
  });

  test('a program in a container gives its output and exit code, and Stop and time end it in there', async () => {
    const { id } = await createContainer(engine, { name: 'worker', image: 'tiny:1' }, task);
    await changePower(engine, id, { action: 'start' }, task);
    const script = 'echo $COLOR; echo oops >&2; exit $1';
    const wish = { argv: ['sh', '-c', script, 'sh', '3'] as const, environment: { COLOR: 'blue' }, directory: '/tmp' };
    expect(await execInContainer(engine, id, { ...wish, argv: [...wish.argv], acceptExitCodes: [3] }, task)).toEqual({
      stdout: 'blue\n',
      stderr: 'oops\n',
      exitCode: 3,
      truncated: false,
    });
    await expect(execInContainer(engine, id, { argv: ['false'] }, task)).rejects.toMatchObject({
      code: 'command_failed',
      details: { exitCode: 1 },
    });
    // This host does not see the processes of dockerd: what cannot be ended is not said to have been.
    await expect(execInContainer(engine, id, { argv: ['sleep', '600'], timeoutMs: 500 }, task)).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringContaining('it still runs'),
    });
    const seeing = await startSshHost({ name: 'rita' });
    onTestEnd.push(() => seeing.stop());
    const there = await connectEngine({ host: hostOf(seeing), socketPath: machine.docker.socket }, task);
    await expect(execInContainer(there, id, { argv: ['sleep', '601'], timeoutMs: 500 }, task)).rejects.toMatchObject({
      code: 'timeout',
      message: expect.stringMatching(/did not end within 0.5 s; it (was|has) ended$/),
    });
    const stop = new AbortController();
    const stopped = execInContainer(there, id, { argv: ['sleep', '602'] }, quietTask(stop.signal));
    const programs = async () => (await topContainer(engine, id, task)).map(({ CMD }) => CMD);
    const refused = expect(stopped).rejects.toMatchObject({
      code: 'cancelled',
      message: expect.stringMatching(/it (was|has) ended/),
    });
    await until('it runs', 20_000, async () => (await programs()).includes('sleep 602') || undefined);
    stop.abort();
    await refused;
    expect(await programs()).toEqual(['sleep 3600', 'sleep 600']);
    await removeContainer(engine, id, { force: true }, task);
  });

  test('files go in and out whole', async () => {
    const { id } = await createContainer(engine, { name: 'files', image: 'tiny:1' }, task);
    const content = Buffer.alloc(3_000_001, 'x');
    await copyIn(
      engine,
      id,
      { folder: '/tmp', name: 'big', content: Readable.from([content]), length: content.length },
      task,
    );
    const archive = await buffer(await copyOut(engine, id, '/tmp/big', task));
    expect(archive.subarray(512, 512 + content.length).equals(content)).toBe(true);
    await removeContainer(engine, id, {}, task);
  });

  test('waiting for a state ends when it comes, and at once when it cannot come any more', async () => {
    const { id } = await createContainer(
      engine,
      { name: 'short', image: 'tiny:1', argv: ['sh', '-c', 'exit 4'] },
      task,
    );
    await changePower(engine, id, { action: 'start' }, task);
    expect(await awaitContainer(engine, id, { state: 'exited', timeoutMs: 10_000 }, task)).toMatchObject({
      exitCode: 4,
    });
    await expect(awaitContainer(engine, id, { state: 'healthy', timeoutMs: 60_000 }, task)).rejects.toMatchObject({
      code: 'container_not_ready',
      message: expect.stringContaining('has exited with code 4'),
    });
    await removeContainer(engine, id, {}, task);
  });

  test('waiting for health ends when it comes, and says what the check said where it never does', async () => {
    const start = async (name: string, ...options: string[]) => {
      await machine.docker.docker('run', '-d', '--name', name, ...options, 'tiny:1');
      onTestEnd.push(async () => {
        await removeContainer(engine, name, { force: true }, task);
      });
    };
    const check = (command: string) => [
      ...['--health-cmd', command, '--health-interval', '200ms', '--health-retries', '2'],
    ];
    await start('well', ...check('test -f /tmp/ready'));
    const waiting = awaitContainer(engine, 'well', { state: 'healthy', timeoutMs: 60_000 }, task);
    await machine.docker.docker('exec', 'well', 'touch', '/tmp/ready');
    expect(await waiting).toMatchObject({ name: 'well', state: 'running', health: 'healthy' });
    await start('never', ...check('echo the database is away; exit 1'));
    await until('it is unhealthy', 30_000, async () =>
      (await inspectContainer(engine, 'never', task)).health === 'unhealthy' ? true : undefined,
    );
    await expect(awaitContainer(engine, 'never', { state: 'healthy', timeoutMs: 700 }, task)).rejects.toMatchObject({
      code: 'timeout',
      message: 'Container never is running and unhealthy after 0.7 s, and not healthy',
      details: { health: 'unhealthy', healthOutput: 'the database is away\n' },
    });
    await start('unchecked');
    await expect(
      awaitContainer(engine, 'unchecked', { state: 'healthy', timeoutMs: 60_000 }, task),
    ).rejects.toMatchObject({
      code: 'container_not_ready',
      message: 'Container unchecked has no health check, and not healthy',
    });
  });

  test('pruning takes what nothing uses, and leaves the rest', async () => {
    const { docker } = machine;
    await docker.docker('run', '-d', '--name', 'in-use', '--network', 'bridge', '-v', 'used:/used', 'tiny:1');
    await docker.docker('run', '--name', 'ended', '--label', 'team=lab', 'tiny:1', 'true');
    await docker.docker('run', '--name', 'kept', 'tiny:1', 'true');
    const prunes = async (what: Prunable, more: object = {}) => {
      const wish = { what, ...more };
      const preview = await prune(engine, { ...wish, dryRun: true }, task);
      const made = await prune(engine, wish, task);
      expect(preview.changed).toBe(true);
      return { preview: preview.removed, made: made.removed, again: (await prune(engine, wish, task)).changed };
    };
    const names = async (...list: string[]) => (await docker.docker(...list)).trim().split('\n').sort();
    const containers = await prunes('containers', { labels: ['team=lab'] });
    expect(containers).toMatchObject({
      preview: ['ended'],
      made: [expect.stringMatching(/^[0-9a-f]{64}$/)],
      again: false,
    });
    expect(await names('ps', '--all', '--format', '{{.Names}}')).toEqual(['in-use', 'kept']);
    await removeContainer(engine, 'kept', {}, task);

    await docker.docker('volume', 'create', 'unused');
    expect(await prunes('volumes', { all: true })).toEqual({ preview: ['unused'], made: ['unused'], again: false });
    expect(await names('volume', 'ls', '--quiet')).toEqual(['used']);

    await docker.docker('network', 'create', 'nobody');
    expect(await prunes('networks')).toEqual({ preview: ['nobody'], made: ['nobody'], again: false });
    expect(await names('network', 'ls', '--format', '{{.Name}}')).toEqual(['bridge', 'host', 'none']);

    await docker.makeImage('other:1', 'LABEL other=1');
    const nameless = (await inspectImage(engine, 'other:1', task)).id;
    await docker.makeImage('other:1', 'LABEL other=2');
    const images = await prunes('images');
    expect(images).toMatchObject({ preview: [nameless], again: false });
    expect(images.made).toContain(nameless);
    expect(await names('images', '--format', '{{.Repository}}:{{.Tag}}')).toEqual(['other:1', 'tiny:1']);
    const unused = await prunes('images', { all: true });
    expect(unused).toMatchObject({ preview: ['other:1'], again: false });
    expect(unused.made).toContain('other:1');
    expect(await names('images', '--format', '{{.Repository}}:{{.Tag}}')).toEqual(['tiny:1']);
    await removeContainer(engine, 'in-use', { force: true }, task);
    await removeVolume(engine, 'used', {}, task);
  });

  test('images are listed, tagged, told the history of, and removed; a pull that fails says why', async () => {
    const tagged = await tagImage(engine, 'tiny:1', 'lab.example/tiny:2', task);
    expect(tagged.tags.toSorted()).toEqual(['lab.example/tiny:2', 'tiny:1']);
    expect(await listImages(engine, { reference: 'lab.example/*' }, task)).toMatchObject([{ id: tagged.id }]);
    expect((await imageHistory(engine, 'tiny:1', task)).length).toBe(1);
    expect(await removeImage(engine, 'lab.example/tiny:2', { dryRun: true }, task)).toMatchObject({ changed: true });
    expect(await removeImage(engine, 'lab.example/tiny:2', {}, task)).toEqual({
      changed: true,
      removed: ['lab.example/tiny:2'],
    });
    expect(await removeImage(engine, 'lab.example/tiny:2', {}, task)).toEqual({ changed: false, removed: [] });
    expect((await inspectImage(engine, 'tiny:1', task)).tags).toEqual(['tiny:1']);
    await expect(pullImage(engine, '127.0.0.1:1/nobody:1', undefined, task)).rejects.toMatchObject({
      message: expect.stringContaining('connection refused'),
    });
  });

  test('volumes and networks are made once and removed once', async () => {
    expect(await createVolume(engine, { name: 'data' }, task)).toMatchObject({ name: 'data', changed: true });
    expect(await createVolume(engine, { name: 'data' }, task)).toMatchObject({ changed: false });
    await createContainer(engine, { name: 'user', image: 'tiny:1', binds: ['data:/data'] }, task);
    expect(await inspectVolume(engine, 'data', task)).toMatchObject({ usedBy: ['user'] });
    await removeContainer(engine, 'user', {}, task);
    expect(await prune(engine, { what: 'volumes', all: true, dryRun: true }, task)).toMatchObject({
      removed: ['data'],
    });
    await expect(prune(engine, { what: 'volumes' }, task)).rejects.toMatchObject({ code: 'docker_version' });
    expect(await removeVolume(engine, 'data', {}, task)).toEqual({ name: 'data', changed: true });
    expect(await removeVolume(engine, 'data', {}, task)).toEqual({ name: 'data', changed: false });
    const wish = { name: 'lab', subnet: '172.29.9.0/24' };
    expect(await createNetwork(engine, wish, task)).toMatchObject({ subnets: ['172.29.9.0/24'], changed: true });
    expect(await createNetwork(engine, wish, task)).toMatchObject({ changed: false });
    expect(await inspectNetwork(engine, 'lab', task)).toMatchObject({ usedBy: [] });
    expect(await removeNetwork(engine, 'lab', {}, task)).toEqual({ name: 'lab', changed: true });
    expect(await diskUsage(engine, task)).toMatchObject({ images: 1, volumes: 0 });
  });

  test('events tell what happened in a window of time', async () => {
    const since = String(Math.floor(Date.now() / 1000) - 1);
    const { id } = await createContainer(engine, { name: 'noted', image: 'tiny:1' }, task);
    await removeContainer(engine, id, {}, task);
    const told: string[] = [];
    const until = String(Math.ceil(Date.now() / 1000));
    for await (const { action, name } of events(engine, { since, until, containers: [id] }, task))
      told.push(`${action} ${name}`);
    expect(told).toEqual(['create noted', 'destroy noted']);
  });

  test('where the login may not open the socket, sudo and the docker program reach it; without sudo it says what to do', async () => {
    await chmod(machine.docker.socket, 0o600);
    const plain = await startSshHost({ name: 'eva', user: 'sudo' });
    try {
      const asSudo = { host: hostOf(plain, { sudo: { mode: 'passwordless' } }), socketPath: machine.docker.socket };
      const through = await connectEngine(asSudo, task);
      expect((await listImages(through, {}, task)).length).toBe(1);
      const without = { ...asSudo, host: hostOf(plain) };
      await expect(connectEngine(without, task)).rejects.toMatchObject({ code: 'docker_forbidden' });
      const nowhere = { ...asSudo, socketPath: '/run/nobody.sock' };
      await expect(connectEngine(nowhere, task)).rejects.toMatchObject({
        code: 'docker_unreachable',
        message: expect.stringContaining('there is no socket at /run/nobody.sock'),
      });
    } finally {
      await plain.stop();
    }
  });
});
