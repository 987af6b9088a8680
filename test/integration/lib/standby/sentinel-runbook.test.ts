import { existsSync, readFileSync } from 'node:fs';
import { copyFile, cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { composePlugin } from '../../../../lab/compose-plugin';
import { calledWorkflow, parseFlow } from '../../../../lib/flows/flow';
import { isObject } from '../../../../lib/json';
import { runCommand } from '../../../../lib/host/run';
import { takeTurn } from '../../../../lib/standby/turn';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';
import { type Machine, startMachine } from '../host/machine';

const root = join(__dirname, '../../../..');
const runbook = readFileSync(join(root, 'docs/runbooks/sentinel.md'), 'utf8');

/** The commands below a heading, as they stand there. */
function commandsOf(heading: string): readonly string[] {
  const [, part = ''] = new RegExp(`^## ${heading}$([^]*?)(?=^## |$(?![^]))`, 'm').exec(runbook) ?? [];
  const blocks = [...part.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, commands = '']) => commands);
  if (blocks.length === 0) throw new Error(`The runbook has no commands under "${heading}"`);
  return blocks;
}

const flowOf = (file: string) => parseFlow(file, readFileSync(join(root, 'workflows', file), 'utf8'));

test('the flows that a sentinel is given are all that its flows call, and the hold switch', () => {
  const [, list = ''] = /for flow in ([^;]+);/.exec(commandsOf('3. Give it its flows').join('')) ?? [];
  const given = list.split(' ').map((name) => flowOf(`${name}.json`));
  const ids = new Set(given.map(({ id }) => id));
  const called = given.flatMap(({ nodes }) => nodes.flatMap((node) => calledWorkflow(node) ?? []));
  expect(called.filter((id) => !ids.has(id))).toEqual([]);
  const wanted = new Set([...called, 'selfhostSentinel', 'selfhostHold', 'selfhostOnError']);
  expect([...ids].filter((id) => !wanted.has(id))).toEqual([]);
});

test('no other flow moves an n8n: it would stop itself in the middle', () => {
  for (const file of ['service-failover.json', 'service-failback.json']) {
    const { nodes } = flowOf(file);
    const services = nodes.find(({ name }) => name === 'Services');
    expect(JSON.stringify(services?.parameters)).toContain('!$json.instances.some(each => each.service === one.name)');
  }
});

describeAsRoot('the runbook of the sentinel, followed to the letter', () => {
  const task = quietTask();
  let machine: Machine;
  beforeAll(async () => {
    machine = await startMachine('eva');
    const plugins = join(machine.state, '..', 'root', '.docker', 'cli-plugins');
    await mkdir(plugins, { recursive: true });
    await copyFile(await composePlugin(), join(plugins, 'docker-compose'));
    // A /srv of its own, and a user 1000 who owns nothing else there.
    await byHand(
      'mkdir -p /root/srv && mount --bind /root/srv /srv && chmod 755 /root/.docker/cli-plugins/docker-compose',
    );
  }, 60_000);
  afterAll(() => machine.stop());

  const byHand = async (script: string) =>
    (await runCommand(machine.host, { script, environment: { USER: 'dana' } }, { timeoutMs: 60_000 }, task)).stdout;

  test('makes an n8n with a key and an address of its own, and keeps the key when it is done again', async () => {
    const [make = ''] = commandsOf('2. Make the second n8n, on its host');
    await byHand(make);
    const key = await byHand('stat -c %a /srv/sentinel/.env; cat /srv/sentinel/.env');
    expect(key).toMatch(/^600\nN8N_ENCRYPTION_KEY=[0-9a-f]{48}\n$/);
    await byHand(make);
    expect(await byHand('stat -c %a /srv/sentinel/.env; cat /srv/sentinel/.env')).toBe(key);
    const config: unknown = JSON.parse(await byHand('cd /srv/sentinel && docker compose config --format json'));
    const services = isObject(config) ? config['services'] : undefined;
    expect(services).toMatchObject({
      sentinel: {
        restart: 'unless-stopped',
        environment: { WEBHOOK_URL: 'https://sentinel.example/', N8N_ENCRYPTION_KEY: key.trim().split('=')[1] },
        ports: [{ host_ip: '127.0.0.1', published: '5678', target: 5678 }],
      },
    });
  }, 60_000);

  test('gives it the flows out of the package that it has installed', async () => {
    // As n8n lays it there. The machine does not see the home of this one.
    const data = join(machine.state, '..', 'root', 'srv', 'sentinel', 'data');
    const shipped = join(data, 'nodes', 'node_modules', 'n8n-nodes-selfhost', 'dist', 'workflows');
    await cp(join(root, 'workflows'), shipped, { recursive: true });
    const [give = ''] = commandsOf('3. Give it its flows');
    await byHand(give);
    expect((await byHand('ls /srv/sentinel/data/flows')).trim().split('\n')).toContain('sentinel.json');
  }, 60_000);

  test('says whose turn it is when neither is there, and its hold keeps both out', async () => {
    const [whose = ''] = commandsOf('Neither of them is there');
    const service = { name: 'n8n', directory: '/srv/n8n', home: machine.host, standby: machine.host };
    const wish = { by: 'sentinel', how: 'restore', automatic: true } as const;
    await takeTurn(service, { ...wish, to: 'standby' }, task);
    expect(await byHand(whose)).toContain('to=standby by=sentinel');
    await takeTurn(service, { ...wish, to: 'home' }, task);
    expect(await byHand(whose)).toContain('to=home by=sentinel');
    const [hold = ''] = commandsOf('Keep both out');
    await byHand(hold);
    await expect(takeTurn(service, { ...wish, to: 'standby' }, task)).rejects.toMatchObject({ code: 'held' });
    expect(existsSync(join(machine.state, 'hold'))).toBe(true);
  }, 60_000);
});
