import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { makeAuthority } from '../../lab/certificates';
import { labCredential } from '../../lab/estate';
import { startGitServer, type GitServer } from '../../lab/git-server';
import { until } from '../../lab/hosts/waiting';
import { startRegistry } from '../../lab/standins/registry';
import { history } from '../../lib/docker/deploy/history';
import { connectEngine } from '../../lib/docker/engine/engine';
import { pushImage } from '../../lib/docker/engine/images';
import type { JsonObject } from '../../lib/json';
import { describeAsRoot } from '../integration/lab/as-root';
import { startDockerMachine, type DockerMachine } from '../shared/docker-machine';
import { shop } from '../shared/shop';
import { quietTask } from '../shared/task';
import { visit, type Visits } from '../shared/visitor';
import { manualWorkflow, nodeUnderTest, sharedN8n, type NodeUnderTest } from './harness';

const registryLogin = { user: 'puller', password: 'planted-registry-password' };
const hostile = ['a b', `it's "q"`, '$(touch /pwned)', '`id`', '-n', '--', '*', '\\', 'ünï 🚀', ';', '|', '~'];
const HEALTH_SECONDS = 30;
const GOOD = { 'compose.yml': shop(), 'site/ok': '' };

describeAsRoot('the Docker Host node in n8n', () => {
  const { api } = sharedN8n();
  let machine: DockerMachine;
  let git: GitServer;
  let credentials: Record<string, { id: string; name: string }>;
  const task = quietTask();

  beforeAll(async () => {
    [machine, git] = await Promise.all([startDockerMachine({ tls: true }), startGitServer()]);
    credentials = {
      selfhostHost: await api.createCredential('docker machine', 'selfhostHost', labCredential([machine.server])),
      selfhostSecrets: await api.createCredential('docker secrets', 'selfhostSecrets', {
        secrets: `GIT_TOKEN=${git.password}\nSECRET=planted-in-env\nREGISTRY_TOKEN=${registryLogin.password}`,
      }),
    };
  });
  afterAll(async () => {
    await git.stop();
    await machine.stop();
  });

  const dockerNode = (
    resource: string,
    operation: string,
    { options, ...parameters }: JsonObject & { options?: JsonObject },
    more: Partial<NodeUnderTest> = {},
  ): NodeUnderTest => ({
    type: 'n8n-nodes-selfhost.dockerHost',
    parameters: {
      resource,
      operation,
      ...parameters,
      options: { socketPath: machine.docker.socket, ...options },
    },
    credentials,
    ...more,
  });
  const start = async (...nodes: NodeUnderTest[]) =>
    api.runManually(await api.createWorkflow(manualWorkflow('Docker', ...nodes)), 'By hand');
  const run = async (...nodes: NodeUnderTest[]) => api.waitForExecution(await start(...nodes));
  const deployNode = (commit: string, options: JsonObject = {}, more: Partial<NodeUnderTest> = {}) =>
    dockerNode(
      'stack',
      'deploy',
      {
        stack: 'shop',
        directory: join(machine.docker.folder, 'shop'),
        repository: git.url,
        commit,
        options: {
          gitUser: git.user,
          gitToken: 'credential:GIT_TOKEN',
          secretEnvironment: { pairs: [{ key: 'SECRET', value: 'credential:SECRET' }] },
          pull: 'missing',
          healthSeconds: HEALTH_SECONDS,
          graceSeconds: 0,
          ...options,
        },
      },
      more,
    );
  const address = () => `http://${machine.docker.address}:18090/index.html`;
  const page = async () => (await (await fetch(address())).text()).trim();
  const live = async () => (await history(machine.access, 'shop', task)).find((one) => one.live)?.release;

  it('puts an exact commit live, tells what runs, and stores no secret', async () => {
    const commit = await git.commit({ ...GOOD, 'site/index.html': 'one\n' });
    const { error, runs, stored } = await run(
      deployNode(commit, {}, { name: 'Deploy' }),
      dockerNode('container', 'list', {}, { name: 'List' }),
      dockerNode('container', 'logs', { container: '={{ $json.name }}' }),
    );
    expect(error).toBeUndefined();
    expect(runs.Deploy?.[0]?.outputs[0]).toEqual([
      {
        host: 'bruno',
        stack: 'shop',
        changed: true,
        dryRun: false,
        succeeded: true,
        tried: 1,
        live: 1,
        liveIsWell: true,
        rolledBack: false,
        reason: null,
        log: null,
        plan: {
          from: null,
          commit,
          files: [],
          envChanged: true,
          images: ['web: tiny:1'],
          overwrites: [],
          undoesUpdates: [],
          movedData: [],
          interrupted: null,
        },
      },
    ]);
    expect(runs.List?.[0]?.outputs[0]).toMatchObject([{ name: 'shop-web-1', project: 'shop', service: 'web' }]);
    expect(runs.Node?.[0]?.outputs[0]).toMatchObject([{ container: 'shop-web-1', truncated: false }]);
    expect(await page()).toBe('one');
    for (const secret of [git.password, 'planted-in-env']) expect(stored).not.toContain(secret);
  });

  it('good, then a bad image, then unhealthy, then a port clash: the service answers, and each report is true', async () => {
    // Another round: its container is made anew.
    const good = await git.commit({ 'compose.yml': shop({ round: 2 }), 'site/index.html': 'two\n', 'site/ok': '' });
    const badImage = await git.commit({ 'compose.yml': shop({ image: '127.0.0.1:1/none:1' }) });
    const unhealthy = await git.commit({
      'compose.yml': shop({ round: 3 }),
      'site/index.html': 'sick\n',
      'site/ok': null,
    });
    const clash = await git.commit({
      'compose.yml': shop({ port: '18091:80' }),
      'site/index.html': 'three\n',
      'site/ok': '',
    });
    await machine.docker.docker('run', '-d', '--name', 'thief', '-p', '18091:80', 'tiny:1');
    const executions = [];
    const visits: Visits[] = [];
    for (const commit of [good, badImage, unhealthy, clash]) {
      const visitor = visit(address());
      executions.push(await run(deployNode(commit)));
      visits.push(await visitor.end());
    }
    await machine.docker.docker('rm', '--force', 'thief');

    const reports = executions.map(({ runs }) => runs.Node?.[0]?.outputs[0]?.[0]);
    expect(reports[0]).toMatchObject({ succeeded: true, tried: 2, live: 2, liveIsWell: true });
    expect(executions[1]).toMatchObject({
      status: 'error',
      error: { message: expect.stringMatching(/^docker compose pull failed in .*127\.0\.0\.1:1/) },
    });
    const back = { succeeded: false, live: 2, liveIsWell: true, rolledBack: true };
    expect(reports[2]).toMatchObject({ ...back, tried: 3, reason: 'shop-web-1 is unhealthy' });
    expect(reports[3]).toMatchObject({
      ...back,
      tried: 4,
      reason: expect.stringContaining('port is already allocated'),
    });
    expect(await page()).toBe('two');

    // What was asked from outside: only recreating the one container costs answers, and what costs none costs none.
    const [toGood, toBadImage, toUnhealthy, toClash] = visits;
    expect(toBadImage).toMatchObject({ failures: 0, answers: { two: toBadImage?.requests } });
    // Forth; forth and back; away until the way back, since the port keeps the new container from starting.
    expect(visits.map(({ outages }, at) => outages <= [1, 0, 2, 2][at]!)).toEqual([true, true, true, true]);
    for (const { requests, failures, answers } of visits)
      expect(Object.values(answers).reduce((sum, one) => sum + one, failures)).toBe(requests);
    expect(Object.keys(toGood?.answers ?? {}).sort()).toEqual(['one', 'two']);
    const withinHealthTimeout = HEALTH_SECONDS * 1000;
    expect(toGood?.longestOutageMs).toBeLessThan(withinHealthTimeout);
    for (const back of [toUnhealthy, toClash]) expect(back?.longestWithoutMs('two')).toBeLessThan(withinHealthTimeout);
  });

  it('a host that loses its connection in mid-deploy: the execution goes on and its report is true', async () => {
    const commit = await git.commit({ ...GOOD, 'site/index.html': 'after the cut\n' });
    const execution = await start(deployNode(commit));
    await until(
      'the switch has begun',
      30_000,
      async () =>
        (await readFile(join(machine.docker.folder, 'shop/site/index.html'), 'utf8')) === 'after the cut\n' ||
        undefined,
    );
    machine.cut();
    const { error, runs } = await api.waitForExecution(execution);
    expect(error).toBeUndefined();
    expect(runs.Node?.[0]?.outputs[0]?.[0]).toMatchObject({ succeeded: true, live: await live(), liveIsWell: true });
    expect(await page()).toBe('after the cut');
  });

  it('Stop ends the waiting; the host ends what it has begun, and the next deploy finds it so', async () => {
    const before = await live();
    const commit = await git.commit({ ...GOOD, 'site/index.html': 'stopped\n', 'site/ok': null });
    const execution = await start(deployNode(commit));
    await until(
      'the switch has begun',
      30_000,
      async () =>
        (await readFile(join(machine.docker.folder, 'shop/site/index.html'), 'utf8')) === 'stopped\n' || undefined,
    );
    await api.stopExecution(execution);
    expect((await api.waitForExecution(execution)).status).toBe('canceled');
    const outcome = await until('the host has an outcome', 30_000, async () => {
      const [newest] = await history(machine.access, 'shop', task);
      return newest?.commit === commit && newest.outcome.kind !== 'unknown' ? newest.outcome : undefined;
    });
    expect(outcome).toMatchObject({ kind: 'failed', live: before, well: true });
    expect(await page()).toBe('after the cut');
  });

  it('hostile text goes through as it is, and hostile names are refused before anything happens', async () => {
    const code: NodeUnderTest = {
      type: 'n8n-nodes-base.code',
      typeVersion: 2,
      name: 'Items',
      parameters: { jsCode: `return ${JSON.stringify(hostile.map((text) => ({ json: { text } })))}` },
    };
    const spoken = await run(
      code,
      dockerNode('container', 'exec', {
        container: 'shop-web-1',
        program: 'test',
        arguments: '={{ [$json.text, "=", $json.text] }}',
      }),
    );
    expect(spoken.error).toBeUndefined();
    expect(spoken.runs.Node?.[0]?.outputs[0]?.map(({ exitCode }) => exitCode)).toEqual(hostile.map(() => 0));
    const named = await run(
      code,
      dockerNode(
        'container',
        'get',
        { container: '={{ $json.text }}' },
        { name: 'Get', onError: 'continueErrorOutput' },
      ),
      dockerNode('volume', 'list', {}),
    );
    expect(named.runs.Get?.[0]?.outputs[1]?.length).toBe(hostile.length);
    const stacks = await run(
      code,
      dockerNode(
        'stack',
        'deploy',
        { stack: '={{ $json.text }}', directory: '/srv/x', repository: git.url, commit: '0'.repeat(40) },
        { name: 'Deploy', onError: 'continueErrorOutput' },
      ),
    );
    const told = stacks.runs.Deploy?.[0]?.outputs[1]?.map(({ error }) => JSON.stringify(error));
    expect(told?.filter((one) => one.includes('its name may hold small letters'))).toHaveLength(hostile.length);
    expect(await machine.docker.docker('exec', 'shop-web-1', 'ls', '/')).not.toContain('pwned');
  });

  it('runs a container once, copies in and out, tells what has changed, and audits', async () => {
    const { error, runs } = await run(
      dockerNode(
        'container',
        'runOnce',
        {
          image: 'tiny:1',
          arguments: '={{ ["sh", "-c", "echo $GREETING; exit 3"] }}',
          options: {
            secretEnvironment: { pairs: [{ key: 'GREETING', value: 'credential:SECRET' }] },
            acceptExitCodes: '3',
          },
        },
        { name: 'Once' },
      ),
      dockerNode('container', 'copyOut', { container: 'shop-web-1', path: '/site/index.html' }, { name: 'Out' }),
      dockerNode('container', 'copyIn', { container: 'shop-web-1', folder: '/tmp' }, { name: 'In' }),
      dockerNode('compose', 'config', { directory: join(machine.docker.folder, 'shop') }, { name: 'Config' }),
      dockerNode('compose', 'images', { directory: join(machine.docker.folder, 'shop') }, { name: 'Images' }),
      dockerNode('stack', 'startInOrder', { stacks: 'shop' }, { name: 'Order' }),
      dockerNode('system', 'version', {}, { name: 'Version' }),
      dockerNode('system', 'ping', {}, { name: 'Ping' }),
      dockerNode('system', 'audit', { options: { backedUp: '/srv' } }),
    );
    expect(error).toBeUndefined();
    const first = (node: string) => runs[node]?.[0]?.outputs[0]?.[0];
    expect(first('Once')).toMatchObject({ exitCode: 3, stdout: '[secret]\n', stderr: '' });
    expect(await machine.docker.docker('ps', '--all', '--quiet', '--filter', 'status=exited')).toBe('');
    expect(first('In')).toMatchObject({ path: '/tmp/index.html.tar' });
    expect(first('Config')).toMatchObject({ name: 'shop', changes: [{ service: 'web', change: 'unchanged' }] });
    expect(first('Images')).toMatchObject({ container: 'shop-web-1', name: 'tiny', tag: '1' });
    expect(first('Order')).toMatchObject({
      succeeded: true,
      changed: false,
      stacks: [{ stack: 'shop', state: 'healthy' }],
    });
    expect(first('Version')).toMatchObject({ apiVersion: '1.41', version: expect.stringContaining('20.10') });
    expect(first('Ping')).toMatchObject({ apiVersion: '1.41' });
    expect(first('Node')).toMatchObject({
      host: 'bruno',
      critical: 0,
      high: 1,
      findings: expect.arrayContaining([
        expect.objectContaining({ check: 'not_backed_up', severity: 'high', service: 'web' }),
      ]),
    });
  });

  it('finds a newer image by rule, shows it first, makes it live, and stores no login', async () => {
    const registry = await startRegistry({ address: machine.docker.gateway, login: registryLogin });
    try {
      const engine = await connectEngine(machine.access, task);
      const image = (tag: string) => `${registry.name}/kiosk:${tag}`;
      for (const tag of ['1.0', '1.1', '2.0']) {
        await machine.docker.makeImage(image(tag), 'ENV PATH=/bin', `LABEL version=${tag}`);
        await pushImage(engine, image(tag), registryLogin, task);
      }
      const directory = join(machine.docker.folder, 'kiosk');
      await mkdir(directory);
      const service = `{ image: "${image('1.0')}", command: sleep 600, stop_grace_period: 0s }`;
      await writeFile(join(directory, 'compose.yml'), `services: { web: ${service} }\n`);
      const update = (name: string, dryRun: boolean) =>
        dockerNode(
          'stack',
          'update',
          {
            ...{ stack: 'kiosk', rules: { pairs: [{ key: 'web', value: '^1' }] }, dryRun },
            options: {
              ...{ directory, registryUser: 'puller', registryToken: 'credential:REGISTRY_TOKEN' },
              ...{ healthSeconds: HEALTH_SECONDS, graceSeconds: 0 },
            },
          },
          { name },
        );
      const { error, runs, stored } = await run(
        dockerNode('stack', 'startInOrder', { stacks: directory }, { name: 'Start' }),
        update('Preview', true),
        update('Update', false),
        update('Node', false),
      );
      expect(error).toBeUndefined();
      const first = (node: string) => runs[node]?.[0]?.outputs[0]?.[0];
      const found = {
        service: 'web',
        image: image('1.0'),
        state: 'newer',
        newImage: image('1.1'),
        scanner: 'no scanner',
      };
      const toWrite = [`web: ${image('1.0')} becomes ${image('1.1')}`];
      expect(first('Preview')).toMatchObject({
        ...{ host: 'bruno', changed: true, dryRun: true, tried: null, services: [found], changeInFiles: toWrite },
      });
      expect(first('Update')).toMatchObject({
        ...{ succeeded: true, changed: true, dryRun: false, tried: 2, live: 2, liveIsWell: true, services: [found] },
      });
      expect(first('Node')).toMatchObject({ changed: false, tried: null, live: 2, services: [{ state: 'current' }] });
      const label = '{{index .Config.Labels "version"}}';
      expect(await machine.docker.docker('inspect', '--format', label, 'kiosk-web-1')).toBe('1.1\n');
      expect(stored).not.toContain(registryLogin.password);
    } finally {
      await registry.stop();
    }
  });

  it('works over TLS without SSH, and says what that cannot do and whom it does not trust', async () => {
    const { tls } = machine.docker;
    const keys = {
      ...{ connection: 'tls', address: machine.docker.address, port: 2376, authority: tls?.authority.pem ?? '' },
      ...{ certificate: tls?.client.certificate ?? '', privateKey: tls?.client.key ?? '' },
    };
    const over = async (name: string, data: JsonObject) => ({
      credentials: { selfhostDocker: await api.createCredential(name, 'selfhostDocker', data) },
    });
    const trusted = await over('docker tls', keys);
    const { error, runs, stored } = await run(
      dockerNode(
        'container',
        'runOnce',
        { image: 'tiny:1', arguments: '={{ ["echo", "over tls"] }}' },
        { name: 'Once', ...trusted },
      ),
      dockerNode('container', 'get', { container: 'shop-web-1' }, { name: 'Get', ...trusted }),
      dockerNode('stack', 'history', { stack: 'shop' }, { ...trusted, onError: 'continueErrorOutput' }),
    );
    expect(error).toBeUndefined();
    const host = machine.docker.address;
    expect(runs.Once?.[0]?.outputs[0]).toMatchObject([{ host, exitCode: 0, stdout: 'over tls\n' }]);
    expect(runs.Get?.[0]?.outputs[0]).toMatchObject([{ host, name: 'shop-web-1', state: 'running' }]);
    expect(JSON.stringify(runs.Node?.[0]?.outputs[1])).toContain(
      `history of a stack is done on the host itself, and Docker at ${host}:2376 is reached without SSH`,
    );
    expect(stored).not.toContain('PRIVATE KEY');
    const foreign = await makeAuthority(join(machine.docker.folder, 'machine'));
    const refused = await run(
      dockerNode('system', 'ping', {}, await over('foreign tls', { ...keys, authority: foreign.pem })),
    );
    expect(refused.error?.message).toBe(
      `Docker at ${host}:2376 cannot be reached: its certificate was not signed by the given authority`,
    );
  });

  it('starts a workflow once for an event, with the last lines of the container', async () => {
    const trigger = nodeUnderTest({
      type: 'n8n-nodes-selfhost.dockerHostTrigger',
      name: 'Event',
      parameters: { actions: ['die'], options: { socketPath: machine.docker.socket, groupSeconds: 0, labels: 'e2e' } },
      credentials: { selfhostHost: credentials.selfhostHost ?? { id: '', name: '' } },
    });
    const note = nodeUnderTest({ type: 'n8n-nodes-base.noOp', name: 'Note', parameters: {} });
    const connections = { Event: { main: [[{ node: 'Note', type: 'main', index: 0 }]] } };
    const id = await api.createWorkflow({ name: 'Docker events', nodes: [trigger, note], connections });
    await api.publish(id);
    let count = 0;
    const die = () =>
      machine.docker.docker('run', '--name', `e2e-${(count += 1)}`, '--label', 'e2e', 'tiny:1', 'echo', 'the end');
    const execution = await until('an event has started it', 30_000, async () => {
      await die();
      return (await api.executionsOf(id)).find(({ status }) => status === 'success');
    });
    const { runs } = await api.execution(execution.id);
    expect(runs.Event?.[0]?.outputs[0]).toMatchObject([
      { host: 'bruno', action: 'die', image: 'tiny:1', count: 1, exitCodes: [0], log: 'the end\n' },
    ]);
    await api.unpublish(id);
  });
});
