import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { startGitServer, type GitServer } from '../../../lab/git-server';
import { until } from '../../../lab/hosts/waiting';
import { logIn } from '../../../lab/n8n/api';
import type { N8n } from '../../../lab/n8n/instance';
import { history } from '../../../lib/docker/deploy/history';
import type { JsonObject } from '../../../lib/json';
import { manualWorkflow, nodeUnderTest, owner, ownN8n, type Owned } from '../../e2e/harness';
import { startDockerMachine, type DockerMachine } from '../../shared/docker-machine';
import { shop } from '../../shared/shop';
import { quietTask } from '../../shared/task';
import { visit } from '../../shared/visitor';

jest.setTimeout(600_000);

const HEALTH_SECONDS = 30;

/** An n8n that is killed with SIGKILL in the middle of a deploy, and while containers die. */
describe('n8n is killed', () => {
  let machine: DockerMachine;
  let git: GitServer;
  let owned: Owned<N8n>;
  let credentials: Record<string, { id: string; name: string }>;
  const task = quietTask();
  const shopFile = (name: string) => join(machine.docker.folder, 'shop', name);

  beforeAll(async () => {
    [machine, git, owned] = await Promise.all([startDockerMachine(), startGitServer(), ownN8n()]);
    credentials = {
      selfhostHost: await owned.api.createCredential('machine', 'selfhostHost', labCredential([machine.server])),
      selfhostSecrets: await owned.api.createCredential('secrets', 'selfhostSecrets', {
        secrets: `GIT_TOKEN=${git.password}`,
      }),
    };
  });
  afterAll(async () => {
    await owned.remove();
    await git.stop();
    await machine.stop();
  });

  const deployNode = (commit: string) => ({
    type: 'n8n-nodes-selfhost.dockerHost',
    parameters: {
      ...{ resource: 'stack', operation: 'deploy', stack: 'shop', directory: join(machine.docker.folder, 'shop') },
      ...{ repository: git.url, commit },
      options: {
        ...{ socketPath: machine.docker.socket, gitUser: git.user, gitToken: 'credential:GIT_TOKEN', pull: 'missing' },
        ...{ healthSeconds: HEALTH_SECONDS, graceSeconds: 2, environment: { pairs: [{ key: 'SECRET', value: 'x' }] } },
      },
    } satisfies JsonObject,
    credentials,
  });
  const deploy = async (commit: string) =>
    (await owned.api.runToEnd(await owned.api.createWorkflow(manualWorkflow('Deploy', deployNode(commit))), 'By hand'))
      .runs.Node?.[0]?.outputs[0]?.[0];

  test.each([
    ['bad', null, 'failed', 'good'],
    ['better', '', 'ok', 'better'],
  ])(
    'in the middle of a %s deploy: the host ends it, and everybody is told the truth',
    async (text, health, outcome, served) => {
      const before = await deploy(
        await git.commit({ 'compose.yml': shop(), 'site/index.html': 'good\n', 'site/ok': '' }),
      );
      expect(before).toMatchObject({ succeeded: true });
      const visitor = visit(`http://${machine.docker.address}:18090/index.html`);
      const commit = await git.commit({ 'site/index.html': `${text}\n`, 'site/ok': health });
      const workflow = await owned.api.createWorkflow(manualWorkflow('Deploy', deployNode(commit)));
      await owned.api.runManually(workflow, 'By hand');
      await until('the switch has begun', 60_000, async () =>
        (await readFile(shopFile('site/index.html'), 'utf8')) === `${text}\n` ? true : undefined,
      );
      const killed = performance.now();
      await owned.n8n.kill();
      const newest = await until('the host has an outcome', HEALTH_SECONDS * 2_000 + 30_000, async () => {
        const [release] = await history(machine.access, 'shop', task);
        return release?.commit === commit && release.outcome.kind !== 'unknown' ? release : undefined;
      });
      const seconds = (performance.now() - killed) / 1000;
      expect(newest.outcome).toMatchObject({ kind: outcome, well: true });
      const { answers, failures, longestOutageMs } = await visitor.end();
      console.log(
        `${text}: settled ${seconds.toFixed(1)} s after the kill; ${JSON.stringify(answers)} answers, ${failures} failures, longest outage ${longestOutageMs} ms`,
      );
      expect(longestOutageMs).toBeLessThan(HEALTH_SECONDS * 1000);
      expect((await (await fetch(`http://${machine.docker.address}:18090/index.html`)).text()).trim()).toBe(served);

      owned.n8n = await owned.n8n.restart();
      Object.assign(owned, { api: await logIn(owned.n8n.url, owner) });
      // What crashed is told as crashed, and the next deploy sees what is live.
      expect(['crashed', 'error']).toContain((await owned.api.executionsOf(workflow))[0]?.status);
      const live = (await history(machine.access, 'shop', task)).find((one) => one.live);
      expect(live?.release).toBe(newest.outcome.kind === 'unknown' ? -1 : newest.outcome.live);
      expect(await deploy(live?.commit ?? '')).toMatchObject({ succeeded: true, changed: false, live: live?.release });
    },
  );

  test('while containers die: the trigger starts its workflow once for each, also for those of the time between', async () => {
    const trigger = nodeUnderTest({
      type: 'n8n-nodes-selfhost.dockerHostTrigger',
      name: 'Event',
      parameters: {
        actions: ['die'],
        options: { socketPath: machine.docker.socket, groupSeconds: 0, labels: 'survival' },
      },
      credentials: { selfhostHost: credentials.selfhostHost ?? { id: '', name: '' } },
    });
    const note = nodeUnderTest({ type: 'n8n-nodes-base.noOp', name: 'Note', parameters: {} });
    const connections = { Event: { main: [[{ node: 'Note', type: 'main', index: 0 }]] } };
    const id = await owned.api.createWorkflow({ name: 'Events', nodes: [trigger, note], connections });
    await owned.api.publish(id);
    const die = async (name: string) => {
      await machine.docker.docker('run', '--name', name, '--label', 'survival', 'tiny:1', 'echo', name);
    };
    const names = async () => {
      const executions = await owned.api.executionsOf(id);
      const ended = executions.filter(({ status }) => status === 'success');
      const all = await Promise.all(
        ended.map(async (one) => (await owned.api.execution(one.id)).runs.Event?.[0]?.outputs[0]),
      );
      return all.flat().map((item) => JSON.stringify(item?.name).slice(1, -1));
    };
    // Its health check is 15 events a second, and Docker remembers 256: what is forgotten is told as a gap, elsewhere.
    await machine.docker.docker('rm', '--force', 'shop-web-1').catch(() => undefined);
    let warm = 0;
    await until('it listens', 60_000, async () => {
      await die(`warm-${(warm += 1)}`);
      return (await names()).length > 0 || undefined;
    });
    for (const round of [1, 2]) {
      await die(`before-${round}`);
      // An execution that dies with n8n is crashed, and stays so: this is about those that have not begun.
      await until('it is told', 60_000, async () => (await names()).includes(`before-${round}`) || undefined);
      await owned.n8n.kill();
      for (const count of [1, 2, 3]) await die(`between-${round}-${count}`);
      owned.n8n = await owned.n8n.restart();
      Object.assign(owned, { api: await logIn(owned.n8n.url, owner) });
      await die(`after-${round}`);
    }
    const wanted = [1, 2].flatMap((round) => [
      ...[`before-${round}`, `between-${round}-1`, `between-${round}-2`, `between-${round}-3`, `after-${round}`],
    ]);
    const missing = async () => {
      const told = await names();
      return wanted.filter((name) => !told.includes(name));
    };
    await until('all have started it', 120_000, async () => (await missing()).length === 0 || undefined).catch(
      async () => {
        expect(await missing()).toEqual([]);
      },
    );
    const told = (await names()).filter((name) => !name.startsWith('warm'));
    console.log(`${told.length} executions for ${wanted.length} deaths over two kills`);
    expect(told.sort()).toEqual(wanted.sort());
  });
});
