import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import type { Execution } from '../../../lab/n8n/api';
import type { QueueN8n } from '../../../lab/n8n/instance';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { signalGroup } from '../../../lab/processes';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import type { WorkTree } from '../../../lab/work-tree';
import { listJobs } from '../../../lib/host/jobs/read';
import type { JsonObject } from '../../../lib/json';
import { type Estate, startQueueEstate, tellAtOnce } from '../../e2e/estate';
import { webhookWorkflow } from '../../e2e/harness';
import { describeAsRoot } from '../../integration/lab/as-root';
import { filesBelow } from '../../integration/lib/backup/estate';
import { taskOf } from '../../integration/lib/host/machine';
import { type DockerMachine, startDockerMachine } from '../../shared/docker-machine';
import { shopOfHere } from '../../shared/shop';
import { owner, people } from '../../shared/people';
import { noInfisical, secretsCredential, stateCredential } from './credentials';
import { type Forge, startForge } from './forge';

jest.setTimeout(600_000);
const WITHIN = 240_000;

describeAsRoot('flows in queue mode: Redis, PostgreSQL, a main, two workers, a webhook processor', () => {
  let estate: Estate<QueueN8n>;
  let machine: DockerMachine;
  let forge: Forge;
  let forgejo: ForgejoStandIn;
  let tree: WorkTree;
  let state: PostgresServer;
  let site: { readonly server: Server; status: number; rounds: number; readonly url: string };
  let folder: string;
  const at = (...path: string[]) => join(folder, ...path);

  beforeAll(async () => {
    [estate, machine, state, site] = await Promise.all([
      startQueueEstate(),
      startDockerMachine(),
      startPostgres(),
      startSite(),
    ]);
    folder = join(machine.docker.folder, 'backed-up');
    mkdirSync(at('vault'), { recursive: true });
    mkdirSync(at('places'));
    writeFileSync(at('vault', 'note.md'), 'what must not be lost\n');
    writeFileSync(at('n8n-config'), '{"encryptionKey":"of-the-lab"}');
    hold();
    forge = await startForge('estate', () => estate.own.n8n.webhookUrl);
    ({ forgejo, tree } = forge);
    await tree.push('An estate', { 'README.md': 'What runs where\n' });
    const passwords = await Promise.all(
      ['a long crypt password', 'and its salt'].map(async (one) => (await run(['rclone', 'obscure', one])).trim()),
    );
    const vault = `[vault]\ntype = crypt\nremote = /nonexistent\npassword = ${passwords[0]}\npassword2 = ${passwords[1]}\n`;
    const credentials = {
      'Estate hosts': { type: 'selfhostHost', data: labCredential([machine.server]) },
      'Rclone remotes': {
        type: 'selfhostRclone',
        data: { place: 'here', configuration: `${vault}\n[disk]\ntype = local\n` },
      },
      ...forge.credentials,
      Secrets: secretsCredential('UNUSED=nothing'),
      State: stateCredential(state),
      Infisical: noInfisical,
    };
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...['backup-scatter.json', 'backup-ended.json', 'alerting.json'],
      ],
      inventory: inventory(),
      everySeconds: 10,
      credentials,
    });
    // A push starts these, and the end of a deploy: so each execution is there for one reason.
    await estate.install({
      files: ['rollback.json', 'deploy-service.json', 'gitops-deploy.json'],
      credentials,
    });
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([forge.stop(), state.stop()]);
    site.server.closeAllConnections();
    await new Promise((resolve) => site.server.close(resolve));
    await machine.stop();
  });
  afterEach(async () => {
    expect(estate.violations()).toEqual([]);
    while (workers().length < 2) await estate.own.n8n.startWorker();
  });

  const inventory = (): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [machine.described],
    git: forge.git,
    services: [
      {
        ...{ name: 'shop', host: 'bruno', project: join(machine.docker.folder, 'shop'), repository: 'root/estate' },
        // Long enough for a worker to die while it waits for it.
        ...{ folder: 'shop', watchSeconds: 8 },
      },
      { name: 'docs', host: 'bruno', url: `${site.url}/docs` },
    ],
    deadManUrl: `${site.url}/alive`,
    commands: [{ name: 'n8n-key', host: 'bruno', argv: ['cat', at('n8n-config')] }],
    folders: [{ name: 'vault', host: 'bruno', path: at('vault'), as: 'archive' }],
    destinations: [
      { name: 'one', remote: `disk:${at('places', 'one')}`, provider: 'ovh', attempts: 1, pauseSeconds: 1 },
      { name: 'two', remote: `disk:${at('places', 'two')}`, provider: 'google', attempts: 1, pauseSeconds: 1 },
    ],
    backups: { quorum: 2, spool: at('spool'), logFile: at('scatter.log') },
    ...people,
    automatic: { deploy: ['shop'] },
  });

  async function startSite() {
    const server = createServer((request, response) => {
      if (request.url === '/alive') made.rounds += 1;
      response.writeHead(request.url === '/alive' ? 200 : made.status).end('hello');
    });
    const made = { server, status: 200, rounds: 0, url: '' };
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    made.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return made;
  }

  const holdFile = () => join(machine.docker.folder, 'machine', 'state', 'hold');
  const hold = () => {
    mkdirSync(join(machine.docker.folder, 'machine', 'state'), { recursive: true });
    writeFileSync(holdFile(), 'who=Dana\nwhy=not yet\n');
  };

  const told = (chat: string, text: string) =>
    estate.telegram.messages.filter((one) => one.chat === chat && one.text.includes(text)).map((one) => one.text);
  const said = async (chat: string, text: string) => (await estate.told(chat, text, { within: WITHIN })).text;
  const jobs = (name: string) => listJobs(machine.access.host, { name }, taskOf('test'));
  const jobsFolder = () => join(machine.docker.folder, 'machine', 'state', 'jobs');

  const workers = () => estate.own.n8n.workers.filter((worker) => worker.isRunning());
  /** The worker that runs it: it took it from the queue, or the one that called it. */
  const workerOf = ({ id, stored }: Execution) => {
    const [, caller = 'none'] = /"parentExecution":\{"executionId":"(\d+)"/.exec(stored) ?? [];
    const took = new RegExp(`started execution (${id}|${caller})\\b`, 'i');
    return workers().find((worker) => took.test(worker.readLog()));
  };

  /**
   * Pulls the plug of the worker that runs an execution of this flow, begun after the execution `since`. They are
   * stopped first, so that what is seen to be running is surely in the middle when it dies.
   */
  async function killInTheMiddleOf(flow: string, since = 0): Promise<Execution> {
    return await until(`a worker dies in the middle of ${flow}`, WITHIN, async () => {
      const alive = workers();
      for (const { pid } of alive) signalGroup(pid, 'SIGSTOP');
      try {
        const running = await estate.own.api.executionsOf(flow, 'running');
        const found = running.find((one) => Number(one.id) > since && workerOf(one) !== undefined);
        if (found !== undefined) await workerOf(found)?.kill();
        return found;
      } finally {
        for (const { pid } of workers()) signalGroup(pid, 'SIGCONT');
      }
    });
  }

  /** Started by the queue. Of one that another one called, n8n finds out hours later that its worker is gone. */
  const ended = (id: string) =>
    until(`execution ${id} is over`, WITHIN, async () => {
      const one = await estate.own.api.execution(id);
      return ['running', 'new', 'waiting'].includes(one.status) ? undefined : one;
    });

  const successes = async (flow: string) =>
    (await estate.own.api.executionsOf(flow)).filter(({ status }: Execution) => status === 'success').length;

  test('a night is backed up once by two workers that look every ten seconds, also when one of them is killed at it', async () => {
    await said('777', 'bruno: waits, on hold by Dana (not yet)');
    expect(await jobs('Backup nightly')).toEqual([]);
    const [last] = await estate.own.api.executionsOf('selfhostBackupScatter');
    rmSync(holdFile());
    // The worst moment: it has begun on the host, and n8n has not heard so.
    for (const end = Date.now() + WITHIN; !existsSync(jobsFolder()) || readdirSync(jobsFolder()).length === 0;) {
      if (Date.now() > end) throw new Error('No backup was begun on the host');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const { id } = await killInTheMiddleOf('selfhostBackupScatter', Number(last?.id));
    expect(workers()).toHaveLength(1);
    await said('888', 'Backup nightly on bruno is good');
    const looked = await successes('selfhostBackupScatter');
    await until('it has looked three times more', WITHIN, async () =>
      (await successes('selfhostBackupScatter')) >= looked + 3 ? true : undefined,
    );
    expect(await jobs('Backup nightly')).toMatchObject([{ state: { kind: 'finished' } }]);
    expect(told('888', 'Backup nightly on bruno is good')).toHaveLength(1);
    const at1 = await filesBelow(at('places', 'one', 'bruno'));
    expect(at1.length).toBeGreaterThan(2);
    expect(await filesBelow(at('places', 'two', 'bruno'))).toHaveLength(at1.length);
    expect(readFileSync(at('scatter.log'), 'utf8').match(/vault@bruno: dump begins/g)).toHaveLength(1);
    expect((await ended(id)).status).not.toBe('success');
  });

  test('a push is deployed once, and told once, when the worker that waits for its deploy is killed', async () => {
    const commit = await tree.push('A shop', {
      'shop/compose.yml': shopOfHere({ round: 1 }),
      'shop/site/ok': '',
      'shop/site/index.html': 'one\n',
    });
    await until('its deploy runs on the host', WITHIN, async () =>
      (await jobs('Deploy shop')).length > 0 ? true : undefined,
    );
    const { id } = await killInTheMiddleOf('selfhostDeployOne');
    expect(workers()).toHaveLength(1);

    const statuses = async () => {
      const answer = await fetch(`${forgejo.url}/api/v1/repos/root/estate/commits/${commit}/statuses`, {
        headers: { authorization: `token ${forgejo.addToken('root')}` },
      });
      return ((await answer.json()) as { status: string; description: string }[]).map(
        (one) => `${one.status}: ${one.description}`,
      );
    };
    await until('the commit says that it is live', WITHIN, async () =>
      (await statuses()).includes('success: Release 1 is live on bruno') ? true : undefined,
    );
    const page = await fetch(`http://${machine.docker.address}:18090/index.html`);
    expect(await page.text()).toBe('one\n');
    await said('888', 'shop was deployed');
    expect((await estate.own.api.execution(id)).status).not.toBe('success');
    expect(await jobs('Deploy shop')).toHaveLength(1);
    expect(told('888', 'shop was deployed')).toHaveLength(1);
  });

  test('one tap leads back: the revert has the files as they were, and the service is held until it is merged', async () => {
    const auth = { authorization: `token ${forgejo.addToken('root')}` };
    const api = `${forgejo.url}/api/v1/repos/root/estate`;
    const faulty = await tree.push('Faulty', {
      'shop/compose.yml': shopOfHere({ round: 2 }),
      'shop/site/index.html': 'faulty\n',
      'shop/new.txt': 'was not there before\n',
      'elsewhere.txt': 'not of the shop\n',
    });
    const offer = await until('the way back is offered', WITHIN, () =>
      estate.telegram.messages.find(({ chat, text }) => chat === String(owner.id) && text.includes('Faulty')),
    );
    await until('the execution that offers it waits', WITHIN, async () =>
      (await estate.own.api.executionsOf('selfhostRollback')).find(
        ({ status, stored }) => status === 'waiting' && stored.includes(faulty),
      ),
    );
    expect(await estate.telegram.press(offer, 'Roll back', owner)).toBe(200);
    await said('777', 'shop was rolled back');
    // Between two releases nobody answers there.
    const page = async () =>
      await fetch(`http://${machine.docker.address}:18090/index.html`).then(
        (answer) => answer.text(),
        () => 'nobody answers',
      );
    expect(await page()).toBe('one\n');

    const pulls = () =>
      forgejo.things.filter(({ list }) => list === '/repos/root/estate/pulls').map(({ value }) => value as JsonObject);
    expect(pulls()).toMatchObject([{ state: 'open', head: { ref: 'revert/shop' }, base: { ref: 'main' } }]);
    const onBranch = async (path: string) => {
      const answer = await fetch(`${api}/contents/${path}?ref=revert%2Fshop`, { headers: auth });
      if (answer.status !== 200) return answer.status;
      return Buffer.from(((await answer.json()) as { content: string }).content, 'base64').toString();
    };
    expect(await onBranch('shop/compose.yml')).toBe(shopOfHere({ round: 1 }));
    expect(await onBranch('shop/site/index.html')).toBe('one\n');
    expect(await onBranch('shop/new.txt')).toBe(404);
    expect(await onBranch('elsewhere.txt')).toBe('not of the shop\n');

    // The next push waits, and is not lost.
    const next = await tree.push('Next', { 'shop/site/index.html': 'next\n' });
    await said('777', 'shop is not deployed');
    expect(await page()).toBe('one\n');
    Object.assign(pulls()[0] ?? {}, { state: 'closed' });
    await estate.own.api.runManually('selfhostDeploy', 'By hand');
    await until('the next release is live', WITHIN, async () => ((await page()) === 'next\n' ? true : undefined));
    const statuses = (await (await fetch(`${api}/commits/${next}/statuses`, { headers: auth })).json()) as {
      status: string;
    }[];
    expect(statuses.map(({ status }) => status)).toContain('pending');
  });

  test('an outage is told once, and its end once, by rounds of both workers, after one was killed in a round', async () => {
    await tellAtOnce(estate);
    await until('a round has ended', WITHIN, () => (site.rounds > 0 ? true : undefined));
    await killInTheMiddleOf('selfhostAlerting');
    await estate.own.n8n.startWorker();
    const rounds = site.rounds;
    await until('two rounds have ended since', WITHIN, () => (site.rounds >= rounds + 2 ? true : undefined));
    site.status = 502;
    await said('666', '<b>docs is failing');
    const after = site.rounds;
    await until('three more rounds have seen it', WITHIN, () => (site.rounds >= after + 3 ? true : undefined));
    site.status = 200;
    await until('its end is told', WITHIN, () => told('666', 'docs is failing').find((text) => /Resolved/.test(text)));
    const over = site.rounds;
    await until('two more rounds have seen that', WITHIN, () => (site.rounds >= over + 2 ? true : undefined));
    expect(told('666', 'docs is failing')).toEqual([
      expect.stringContaining('<b>docs is failing'),
      expect.stringMatching(/<b>Resolved after .+: docs is failing/),
    ]);
  });

  test('a lock of a host holds across the workers: of twelve starts at once one runs, and what may run again never overlaps', async () => {
    const hosts = await estate.own.api.createCredential('locks', 'selfhostHost', labCredential([machine.server]));
    const file = join(machine.home, 'locked');
    const start = async (jobName: string, script: string, options: JsonObject) => {
      const path = randomUUID();
      const node = {
        type: 'n8n-nodes-selfhost.host',
        parameters: {
          ...{ resource: 'job', operation: 'start', host: { __rl: true, mode: 'id', value: 'bruno' } },
          ...{ jobName, intent: 'the same', script, options },
        },
        credentials: { selfhostHost: hosts },
      };
      await estate.own.api.publish(await estate.own.api.createWorkflow(webhookWorkflow(jobName, path, node)));
      const answers = await Promise.all(
        Array.from({ length: 12 }, () => estate.own.api.callWebhook(path, {}, { url: estate.own.n8n.webhookUrl })),
      );
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 12 }, () => 200));
      return answers.map(({ body }) => (body as JsonObject)['changed']);
    };
    const before = workers().map((worker) => worker.readLog().match(/started execution/gi)?.length ?? 0);
    const changed = await start('Once', `echo begin >> ${file}; sleep 1; echo end >> ${file}`, {});
    expect(changed.filter(Boolean)).toHaveLength(1);
    await until(
      'it has ended',
      WITHIN,
      () => (existsSync(file) && /end/.test(readFileSync(file, 'utf8'))) || undefined,
    );
    expect(readFileSync(file, 'utf8')).toBe('begin\nend\n');
    rmSync(file);
    // Long enough that two at once would write between each other's lines.
    const again = await start('Again', `echo begin >> ${file}; sleep 0.3; echo end >> ${file}`, { again: true });
    const times = again.filter(Boolean).length;
    expect(times).toBeGreaterThan(0);
    await until('all have ended', WITHIN, () =>
      readFileSync(file, 'utf8').split('end\n').length - 1 >= times ? true : undefined,
    );
    expect(readFileSync(file, 'utf8')).toBe('begin\nend\n'.repeat(times));
    const shares = workers().map(
      (worker, index) => (worker.readLog().match(/started execution/gi)?.length ?? 0) - (before[index] ?? 0),
    );
    console.log(`starts by worker: ${shares.join(' and ')}; runs of the second job: ${times}`);
    expect(shares).toHaveLength(2);
    expect(Math.min(...shares)).toBeGreaterThan(0);
  });
});
