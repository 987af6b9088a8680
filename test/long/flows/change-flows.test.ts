import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { repository } from '../../../lab/folders';
import { run } from '../../../lab/hosts/programs';
import type { Execution } from '../../../lab/n8n/api';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { type Registry, startRegistry } from '../../../lab/standins/registry';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import { type InfisicalStandIn, type Project, startInfisical } from '../../../lab/standins/infisical';
import type { SentMessage } from '../../../lab/standins/telegram';
import type { WorkTree } from '../../../lab/work-tree';
import { deployStack } from '../../../lib/docker/deploy/deploy';
import { startInOrder } from '../../../lib/docker/deploy/start-order';
import { history } from '../../../lib/docker/deploy/history';
import { connectEngine } from '../../../lib/docker/engine/engine';
import { pushImage, registryDigest } from '../../../lib/docker/engine/images';
import { runCommand } from '../../../lib/host/run';
import type { JsonObject } from '../../../lib/json';
import { type Estate, startEstate } from '../../e2e/estate';
import { describeAsRoot } from '../../integration/lab/as-root';
import { startDockerMachine, type DockerMachine } from '../../shared/docker-machine';
import { type SilentServer, startSilentServer } from '../../shared/silent-server';
import { quietTask } from '../../shared/task';
import { owner, people } from '../../shared/people';
import { runBySchedule } from './schedule';
import { infisicalCredential } from './credentials';
import { type Forge, startForge } from './forge';

const OLD = 'old-password-of-shop';

/** Well as long as its secret is not "bad", and a file of the host is there. */
const SHOP = `
services:
  web:
    image: tiny:1
    pull_policy: never
    command: sleep 3600
    environment: { SECRET: "\${SECRET}", DB_PASSWORD: "\${DB_PASSWORD}" }
    volumes: [ "./flags:/flags:ro" ]
    stop_grace_period: 0s
    labels: { selfhost.update: named }
    healthcheck: { test: ["CMD-SHELL", 'test -f /flags/ok && test "$$SECRET" != bad'], interval: 200ms, timeout: 5s, retries: 2 }
`;
const PLAIN = `
services:
  web: { image: "tiny:1", pull_policy: never, command: sleep 3600, environment: { WORD: "\${WORD}" }, stop_grace_period: 0s, labels: { selfhost.update: named } }
`;
/** An image that is there, of a registry that is silent. */
const lost = (name: string, registry: string) =>
  `  ${name}: { image: "${registry}/lost:1", pull_policy: never, command: sleep 3600, stop_grace_period: 0s }\n`;

jest.setTimeout(600_000);

/** Each changes something that is hard to change back, so each is asked about, and seen by what it did. */
describeAsRoot('the flows that change secrets and infrastructure, in n8n', () => {
  let estate: Estate;
  let machine: DockerMachine;
  let forge: Forge;
  let forgejo: ForgejoStandIn;
  let infisical: InfisicalStandIn;
  let postgres: PostgresServer;
  let tree: WorkTree;
  let registry: Registry;
  let silent: SilentServer;
  let project: Project;
  const task = quietTask();
  const at = (...path: string[]) => join(machine.docker.folder, ...path);

  beforeAll(async () => {
    [estate, machine, infisical, postgres, forge] = await Promise.all([
      startEstate(),
      startDockerMachine(),
      startInfisical(),
      startPostgres(),
      startForge('estate'),
    ]);
    registry = await startRegistry({ address: machine.docker.gateway });
    silent = await startSilentServer(machine.docker.gateway);
    await machine.docker.docker('tag', machine.docker.image, `${silent.name}/lost:1`);
    ({ forgejo, tree } = forge);
    const { token, repositoryUrl } = forge;
    const commit = await tree.push('A shop', { 'shop/compose.yml': SHOP, 'shop/flags/ok': '' });
    project = infisical.addProject('homelab');
    infisical.put(project, 'prod', '/', { POSTGRES_PASSWORD: postgres.password });
    infisical.put(project, 'prod', '/shop', { SECRET: 'first', DB_PASSWORD: OLD });
    infisical.put(project, 'prod', '/plain', { WORD: 'planted-for-plain' });
    infisical.put(project, 'prod', '/terraform', { HCLOUD_TOKEN: 'planted-for-terraform' });
    await postgres.sql(`create role shop login password '${OLD}'`);
    await deployStack(
      machine.access,
      {
        ...{ stack: 'shop', directory: at('shop'), folder: 'shop', repository: repositoryUrl, commit },
        ...{ login: { user: 'root', password: token }, env: { DB_PASSWORD: OLD, SECRET: 'first' }, pull: 'missing' },
        ...{ healthSeconds: 60, graceSeconds: 0 },
      },
      task,
    );
    mkdirSync(at('plain'));
    writeFileSync(at('plain', 'compose.yml'), `${PLAIN}${lost('lost', silent.name)}`);
    makeModule();
    makePlaybook();
    await makeSite(repositoryUrl, token);
    const credentials = {
      ...forge.credentials,
      'Estate hosts': { type: 'selfhostHost', data: labCredential([machine.server]) },
      Infisical: infisicalCredential(infisical.url, infisical.addIdentity()),
    };
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...['secret-rotation.json', 'terraform.json', 'ansible.json', 'image-updates.json'],
      ],
      inventory: inventory(),
      credentials,
    });
    await estate.install({ files: ['secrets-to-hosts.json'], everySeconds: 10, publish: false, credentials });
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([forge.stop(), infisical.close(), postgres.stop(), registry.stop(), silent.stop()]);
    await machine.stop();
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const inventory = (): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [machine.described],
    git: forge.git,
    services: [
      {
        ...{ name: 'shop', host: 'bruno', project: at('shop'), repository: 'root/estate', folder: 'shop' },
        ...{ secrets: 'homelab/prod/shop', watchSeconds: 0 },
      },
      { name: 'plain', host: 'bruno', project: at('plain'), secrets: 'homelab/prod/plain' },
      {
        ...{ name: 'site', host: 'bruno', project: at('site'), repository: 'root/estate', folder: 'site' },
        ...{ watchSeconds: 0, updates: { web: '^1' } },
      },
      { name: 'tools', host: 'bruno', project: at('tools'), watchSeconds: 0 },
    ],
    rotations: [
      {
        ...{ name: 'shop-db', secrets: 'homelab/prod/shop', key: 'DB_PASSWORD', host: 'bruno', at: 'postgres' },
        ...{ role: 'shop', address: `127.0.0.1:${postgres.port}`, services: ['shop'] },
        ...{ adminUser: 'postgres', adminPassword: 'infisical:homelab/prod/POSTGRES_PASSWORD' },
      },
    ],
    terraform: [
      {
        ...{ name: 'servers', host: 'bruno', directory: at('module'), program: at('terraform') },
        secrets: 'homelab/prod/terraform',
      },
    ],
    ansible: [{ name: 'site', host: 'bruno', directory: at('playbook'), playbook: 'site.yml', hosts: 'hosts.ini' }],
    ...people,
    recipients: { ...people.recipients, security: [{ by: 'telegram', chat: '999' }] },
    automatic: { deploy: ['plain'], update: ['tools'] },
  });

  /** Terraform cannot be had here; its stand-in knows the commands of the flow and the shape of plans. */
  function makeModule(): void {
    mkdirSync(at('module'));
    // The machine has a home of its own, so what lies below ours is not there.
    copyFileSync(process.execPath, at('node'));
    copyFileSync(join(repository, 'lab', 'terraform.mjs'), at('terraform.mjs'));
    writeFileSync(at('terraform'), `#!/bin/sh\nexec '${at('node')}' '${at('terraform.mjs')}' "$@"\n`);
    chmodSync(at('node'), 0o755);
    chmodSync(at('terraform'), 0o755);
    writeFileSync(
      at('module', 'state.json'),
      JSON.stringify({ serial: 4, resources: { 'hcloud_server.bruno': { image: 'ubuntu-22.04', labels: {} } } }),
    );
    wantImage('ubuntu-24.04');
  }
  const wantImage = (image: string) =>
    writeFileSync(
      at('module', 'wanted.json'),
      JSON.stringify({
        needs: 'HCLOUD_TOKEN',
        resources: { 'hcloud_server.bruno': { image, labels: {} }, 'hcloud_volume.data': { size: 10 } },
      }),
    );
  const moduleState = () => JSON.parse(readFileSync(at('module', 'state.json'), 'utf8')) as JsonObject;

  /** The real Ansible, on the host itself. */
  function makePlaybook(): void {
    mkdirSync(at('playbook'));
    writeFileSync(
      at('playbook', 'hosts.ini'),
      'here ansible_connection=local ansible_python_interpreter=auto_silent\n',
    );
    writePlaybook('one');
  }
  const writePlaybook = (content: string) =>
    writeFileSync(
      at('playbook', 'site.yml'),
      [
        '- hosts: all',
        '  gather_facts: false',
        '  tasks:',
        '    - name: Message of the day',
        `      ansible.builtin.copy: { dest: "${at('motd')}", content: "${content} planted-in-a-difference\\n", mode: "0644" }`,
        '',
      ].join('\n'),
    );

  const image = (name: string) => `${registry.name}/${name}`;
  /** Another image under this name, there and on the host. */
  async function publish(name: string, text: string, ...changes: string[]): Promise<void> {
    await machine.docker.makeImage(image(name), `LABEL text=${text}`, 'ENV PATH=/bin', ...changes);
    await pushImage(await connectEngine(machine.access, task), image(name), undefined, task);
  }
  const textOf = async (container: string) =>
    (await machine.docker.docker('inspect', '--format', '{{index .Config.Labels "text"}}', container)).trim();

  /** A stack of the repository with a database, and a project that just lies there. */
  async function makeSite(url: string, password: string): Promise<void> {
    for (const tag of ['1.0', '1.1', '1.2', '2.0']) await publish(`web:${tag}`, `web-${tag}`);
    for (const tag of ['16.1', '16.2']) await publish(`postgres:${tag}`, `db-${tag}`);
    await publish('side:stable', 'side-old');
    const health = `healthcheck: { test: ["CMD-SHELL", 'test "$$KIND" != sick'], interval: 200ms, retries: 2 }`;
    const service = (name: string, of: string) =>
      `  ${name}:\n    image: "${image(of)}"\n    command: sleep 3600\n    stop_grace_period: 0s\n    ${health}\n`;
    const compose = `services:\n${service('web', 'web:1.0')}${service('db', 'postgres:16.1')}`;
    const commit = await tree.push('A site', { 'site/compose.yml': compose });
    await deployStack(
      machine.access,
      {
        ...{ stack: 'site', directory: at('site'), folder: 'site', repository: url, commit, pull: 'missing' },
        ...{ login: { user: 'root', password }, healthSeconds: 60, graceSeconds: 0 },
      },
      task,
    );
    mkdirSync(at('tools'));
    const missing = ['away', 'gone'].map((name) => lost(name, silent.name)).join('');
    writeFileSync(at('tools', 'compose.yml'), `services:\n${service('side', 'side:stable')}${missing}`);
    await startInOrder(machine.access, { stacks: [at('tools')], waitSeconds: 60 }, task);
    const { remote } = await registryDigest(
      await connectEngine(machine.access, task),
      image('web:1.0'),
      undefined,
      task,
    );
    // A scanner, in the machine's own mounts only.
    mkdirSync(at('bin'));
    const match = (id: string) => `{"vulnerability":{"id":"${id}","severity":"High"}}`;
    writeFileSync(
      at('bin', 'grype'),
      `#!/bin/sh\ncase "$*" in *${remote}*) echo '{"matches":[${match('CVE-1')},${match('CVE-2')}]}' ;; *) echo '{"matches":[${match('CVE-2')},${match('CVE-3')}]}' ;; esac\n`,
      { mode: 0o755 },
    );
    await runCommand(machine.access.host, { argv: ['mount', '--bind', at('bin'), '/usr/local/sbin'] }, {}, task);
    const old = await machine.docker.docker('image', 'inspect', '--format', '{{.Id}}', image('side:stable'));
    await publish('side:stable', 'side-new');
    await machine.docker.docker('tag', old.trim(), image('side:stable'));
  }

  const said = (chat: string, text: string, count = 1) => estate.told(chat, text, { count });
  const asked = (text: string, count = 1) => said(String(owner.id), text, count);
  const press = (question: SentMessage, label: 'Do it' | 'No') => estate.press(question, label, owner);
  function byHand(id: string): Promise<Execution> {
    const running = estate.own.api.runToEnd(id, 'By hand', { within: 400_000 });
    running.catch(() => undefined);
    return running;
  }
  function bySchedule(id: string): Promise<Execution> {
    const running = runBySchedule(estate.own.api, id, { within: 400_000 });
    running.catch(() => undefined);
    return running;
  }
  async function ended(running: Promise<Execution>): Promise<void> {
    const { error, status } = await running;
    expect([error?.message, status]).toEqual([undefined, 'success']);
  }
  const environmentOf = async (container: string, name: string) =>
    (await machine.docker.docker('exec', container, 'sh', '-c', `echo "$${name}"`)).trim();
  const live = async () => (await history(machine.access, 'shop', task)).find((one) => one.live)?.release;
  async function nothingKept(id: string, ...secrets: readonly string[]): Promise<void> {
    const stored = (await estate.own.api.executionsOf(id)).map((one) => one.stored).join('');
    expect(secrets.filter((secret) => stored.includes(secret))).toEqual([]);
  }
  const logsIn = (password: string) =>
    run(['psql', '-XAtq', '-h', '127.0.0.1', '-p', String(postgres.port), '-U', 'shop', '-d', 'postgres'], {
      input: 'select 1',
      environment: { PGPASSWORD: password },
    }).then(
      (text) => text.trim() === '1',
      () => false,
    );

  test('secrets of Infisical come into each .env: written where a project just lies there, as a release where n8n deploys, and a value that makes it ill goes back', async () => {
    await estate.own.api.publish('selfhostSecrets');
    await said('888', 'plain has its secrets');
    expect(statSync(at('plain', '.env')).mode & 0o777).toBe(0o600);
    expect(await environmentOf('plain-web-1', 'WORD')).toBe('planted-for-plain');
    expect(estate.telegram.messages.filter(({ text }) => text.includes('deploy: shop'))).toEqual([]);

    infisical.put(project, 'prod', '/shop', { SECRET: 'second', DB_PASSWORD: OLD });
    const question = await asked('deploy: shop');
    expect(question.text).toContain('The .env of release 1 is not what Infisical holds');
    expect(await environmentOf('shop-web-1', 'SECRET')).toBe('first');
    await press(question, 'Do it');
    expect((await said('888', 'shop has its secrets')).text).toContain('Allowed by owner');
    expect([await environmentOf('shop-web-1', 'SECRET'), await live()]).toEqual(['second', 2]);
    await estate.own.api.unpublish('selfhostSecrets');

    infisical.put(project, 'prod', '/shop', { SECRET: 'bad', DB_PASSWORD: OLD });
    const again = byHand('selfhostSecrets');
    await press(await asked('deploy: shop', 2), 'Do it');
    const told = await said('777', 'shop went back: it was not well with the new secrets');
    expect(told.text).toContain('shop-web-1 is unhealthy\nIt runs with the former .env.');
    expect([await environmentOf('shop-web-1', 'SECRET'), await live()]).toEqual(['second', 2]);
    await ended(again);

    infisical.put(project, 'prod', '/shop', { SECRET: 'third', DB_PASSWORD: OLD });
    const denied = byHand('selfhostSecrets');
    await press(await asked('deploy: shop', 3), 'No');
    expect((await said('777', 'shop keeps its old secrets')).text).toContain('answered by owner');
    await ended(denied);
    expect(await environmentOf('shop-web-1', 'SECRET')).toBe('second');
    await nothingKept('selfhostSecrets', 'planted-for-plain', OLD);
  });

  test('a password is rotated at its owner, in Infisical, in the .env and in the container; what does not get well with the new one is put back everywhere', async () => {
    infisical.put(project, 'prod', '/shop', { SECRET: 'second', DB_PASSWORD: OLD });
    const rotating = bySchedule('selfhostRotation');
    const question = await asked('rotation: shop-db');
    expect(question.text).toContain('prove that the new value logs in and the old one does not');
    expect(await logsIn(OLD)).toBe(true);
    await press(question, 'Do it');
    expect((await said('888', 'shop-db was rotated')).text).toContain('Allowed by owner');
    await ended(rotating);
    const fresh = infisical.value(project, 'prod', '/shop', 'DB_PASSWORD') ?? '';
    expect(fresh).not.toBe(OLD);
    expect([await logsIn(fresh), await logsIn(OLD)]).toEqual([true, false]);
    expect(readFileSync(at('shop', 'shop', '.env'), 'utf8')).toContain(fresh);
    expect(await environmentOf('shop-web-1', 'DB_PASSWORD')).toBe(fresh);
    expect(await live()).toBe(2);

    rmSync(at('shop', 'shop', 'flags', 'ok'));
    const failing = byHand('selfhostRotation');
    await press(await asked('rotation: shop-db', 2), 'Do it');
    await said('999', 'shop-db was not rotated');
    await ended(failing);
    writeFileSync(at('shop', 'shop', 'flags', 'ok'), '');
    expect(infisical.value(project, 'prod', '/shop', 'DB_PASSWORD')).toBe(fresh);
    expect(await logsIn(fresh)).toBe(true);
    expect(readFileSync(at('shop', 'shop', '.env'), 'utf8')).toContain(fresh);
    await nothingKept('selfhostRotation', OLD, fresh, postgres.password);
  });

  test('a Terraform plan is told with what it destroys, exactly that plan is applied, and one that the state has left behind is not', async () => {
    await ended(bySchedule('selfhostTerraform'));
    const question = await asked('terraform: servers');
    expect(question.text).toContain('IT DESTROYS: hcloud_server.bruno');
    expect(question.text).toContain('create hcloud_volume.data');
    expect(existsSync(at('module', '.selfhost.env'))).toBe(false);
    expect(moduleState()['serial']).toBe(4);
    await press(question, 'Do it');
    expect((await said('888', 'servers was applied')).text).toContain('Apply complete!');
    expect(moduleState()).toMatchObject({
      serial: 5,
      resources: { 'hcloud_server.bruno': { image: 'ubuntu-24.04' }, 'hcloud_volume.data': { size: 10 } },
    });
    expect(existsSync(at('module', '.selfhost.env'))).toBe(false);

    wantImage('ubuntu-26.04');
    await ended(byHand('selfhostTerraform'));
    const stale = await asked('terraform: servers', 2);
    // Somebody else has applied something meanwhile.
    const moved = { ...moduleState(), serial: 6 };
    writeFileSync(at('module', 'state.json'), JSON.stringify(moved));
    await press(stale, 'Do it');
    expect((await said('666', 'servers: the apply failed')).text).toContain('Saved plan is stale');
    expect(moduleState()).toEqual(moved);

    infisical.put(project, 'prod', '/terraform', { HCLOUD_TOKEN: '' });
    await ended(byHand('selfhostTerraform'));
    expect((await said('666', 'servers could not be planned')).text).toContain('HCLOUD_TOKEN is not set');
    await nothingKept('selfhostTerraform', 'planted-for-terraform');
  });

  test('a playbook is checked, asked about by its tasks, and run; when a file of it has changed since, nothing is', async () => {
    await ended(bySchedule('selfhostAnsible'));
    const question = await asked('ansible: site');
    expect(question.text).toContain('Message of the day');
    expect(question.text).not.toContain('planted-in-a-difference');
    expect(existsSync(at('motd'))).toBe(false);
    await press(question, 'Do it');
    expect((await said('888', 'site was run')).text).toContain('changed=1');
    expect(readFileSync(at('motd'), 'utf8')).toBe('one planted-in-a-difference\n');

    writePlaybook('two');
    await ended(byHand('selfhostAnsible'));
    const second = await asked('ansible: site', 2);
    writePlaybook('three');
    await press(second, 'Do it');
    expect((await said('666', 'site: the run failed')).text).toContain(
      'others than those that were allowed; nothing was run',
    );
    expect(readFileSync(at('motd'), 'utf8')).toBe('one planted-in-a-difference\n');
    await nothingKept('selfhostAnsible', 'planted-in-a-difference');
  });

  test('newer images are asked about with what they fix and bring, put there, and proposed to the repository; databases are left alone, and what is not well goes back', async () => {
    const updating = bySchedule('selfhostUpdates');
    const question = await asked('update: site');
    expect(question.text).toContain(
      `web: ${image('web:1.0')} becomes ${image('web:1.2')} (fixes 1: CVE-1; brings 1: CVE-3)`,
    );
    expect(question.text).toContain('Left alone: db (it looks like a database, whose data a newer version may change)');
    expect(await textOf('site-web-1')).toBe('web-1.0');
    await press(question, 'Do it');
    const told = await said('888', 'site has newer images');
    expect(told.text).toContain(`web: ${image('web:1.2')}\nAllowed by owner\nMerge pull request #`);
    expect([await textOf('site-web-1'), await textOf('site-db-1')]).toEqual(['web-1.2', 'db-16.1']);
    const [request] = forgejo.things.filter(({ list }) => list === '/repos/root/estate/pulls');
    expect(request?.value).toMatchObject({ state: 'open', title: `Images of site: web ${image('web:1.2')}` });
    const proposed = await fetch(`${forgejo.url}/api/v1/repos/root/estate/raw/site/compose.yml?ref=update/site`, {
      headers: { authorization: `token ${forgejo.addToken('root')}` },
    });
    const text = await proposed.text();
    expect([proposed.status, text.includes(image('web:1.2')), text.includes(image('postgres:16.1'))]).toEqual([
      ...[200, true, true],
    ]);
    expect((await said('888', 'tools has newer images')).text).toContain('Allowed by inventory');
    expect(await textOf('tools-side-1')).toBe('side-new');
    await ended(updating);
    // A registry that is silent holds nobody up, and is said once for all that comes from there.
    const notAsked = estate.telegram.messages.filter(({ text }) => text.includes('could not be looked at'));
    expect(notAsked.map(({ chat }) => chat)).toEqual(['777']);
    expect(notAsked[0]?.text).toMatch(/Images of plain .*\nThe registry \S+ did not answer .* within 20 s\./);
    expect(notAsked[0]?.text).toContain(`The registry ${silent.name} `);
    expect(notAsked[0]?.text).toContain('Not looked at: lost, ');

    await publish('web:1.3', 'web-1.3', 'ENV KIND=sick');
    const failing = byHand('selfhostUpdates');
    await press(await asked('update: site', 2), 'Do it');
    expect((await said('777', 'site went back')).text).toContain(
      'site-web-1 is unhealthy\nIt runs with the images before.',
    );
    expect(await textOf('site-web-1')).toBe('web-1.2');
    await ended(failing);
  });
});
