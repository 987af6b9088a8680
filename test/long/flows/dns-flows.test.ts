import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { labCredential } from '../../../lab/estate';
import { hostOf } from '../../../lab/hosts/as-host';
import { type LabHetzner, startLabHetzner } from '../../../lab/hetzner';
import { makeKey } from '../../../lab/hosts/keys';
import { type SshHost, startSshHost } from '../../../lab/hosts/ssh-host';
import { until } from '../../../lab/hosts/waiting';
import { type CloudflareStandIn, startCloudflare, type Zone } from '../../../lab/standins/cloudflare';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import type { WorkTree } from '../../../lab/work-tree';
import type { JsonObject } from '../../../lib/json';
import { closeSessions } from '../../../lib/host/sessions';
import type { Service } from '../../../lib/standby/service';
import { takeTurn } from '../../../lib/standby/turn';
import { describeAsRoot } from '../../integration/lab/as-root';
import { type Estate, startEstate } from '../../e2e/estate';
import { owner, people } from '../../shared/people';
import { quietTask } from '../../shared/task';
import { noInfisical } from './credentials';
import { type Forge, startForge } from './forge';

jest.setTimeout(400_000);
const WITHIN = 180_000;
const OLD = '198.51.100.9';
const STANDBY = '127.0.0.1';
/** A server that nobody logs in to. */
const NOBODY = `bruno=192.0.2.1 SHA256:${'A'.repeat(43)}`;
/** Of the server that stands in for another one. */
const RECOVERED = '203.0.113.99';

/** Tells whoever asks an address. */
interface Source {
  readonly server: Server;
  readonly port: number;
  says: string;
  asked: number;
}

describeAsRoot('names of a host whose address changes, and names that Terraform owns', () => {
  let estate: Estate;
  let cloudflare: CloudflareStandIn;
  let hetzner: LabHetzner;
  let forge: Forge;
  let forgejo: ForgejoStandIn;
  let tree: WorkTree;
  let sshd: SshHost;
  let eva: SshHost;
  let rented: Zone;
  let one: Source;
  let two: Source;
  let token: string;
  let resolver: Resolver;
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-casa-'));
  const module = join(folder, 'infra');

  async function startSource(says: string): Promise<Source> {
    const server = createServer((_, response) => {
      made.asked += 1;
      response.writeHead(made.says === '' ? 503 : 200).end(`${made.says}\n`);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const made = { server, port: (server.address() as AddressInfo).port, says, asked: 0 };
    return made;
  }

  beforeAll(async () => {
    [estate, cloudflare, hetzner, one, two] = await Promise.all([
      startEstate(),
      startCloudflare(),
      startLabHetzner(),
      startSource('203.0.113.50'),
      startSource('203.0.113.50'),
    ]);
    // One credential opens both.
    const login = await makeKey('ed25519');
    const keys = async () => ({ host: [await makeKey('ed25519')], login });
    sshd = await startSshHost({
      name: 'casa',
      machine: { hostname: 'casa', folder: join(folder) },
      keys: await keys(),
    });
    eva = await startSshHost({
      ...{ name: 'eva', machine: { hostname: 'eva', folder: join(folder, 'eva') } },
      keys: await keys(),
    });
    forge = await startForge('infra', () => estate.own.n8n.url);
    ({ forgejo, tree, token } = forge);
    await tree.push('What Terraform reads', { 'dns.auto.tfvars.json': JSON.stringify(file(OLD)) });
    mkdirSync(module);
    // The machine has a home of its own, so what lies below ours is not there.
    copyFileSync(process.execPath, join(folder, 'node'));
    copyFileSync(join(__dirname, '../../../lab/terraform.mjs'), join(folder, 'terraform.mjs'));
    const program = join(module, 'terraform');
    writeFileSync(program, `#!/bin/sh\nexec '${join(folder, 'node')}' '${join(folder, 'terraform.mjs')}' "$@"\n`);
    chmodSync(join(folder, 'node'), 0o755);
    chmodSync(program, 0o755);
    writeFileSync(join(module, 'wanted.json'), JSON.stringify({ resources: { 'dns.web': { value: OLD } } }));

    const zone = cloudflare.addZone('home.test');
    cloudflare.addZone('infra.test');
    rented = cloudflare.addZone('rented.test');
    const managed = { type: 'A', ttl: 300, proxied: false, comment: 'managed-by=selfhost owner=n8n' };
    cloudflare.addRecord(zone, { ...managed, name: 'cloud.home.test', content: OLD });
    const dns = await cloudflare.serveDns('104.16.0.1');
    resolver = new Resolver({ timeout: 2_000, tries: 2 });
    resolver.setServers([`127.0.0.1:${dns.port}`]);
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...['dns-update.json', 'dns-proposal.json'],
      ],
      inventory: inventory(),
      everySeconds: 10,
      credentials: credentials(),
    });
    await estate.install({ files: ['terraform.json'], credentials: credentials() });
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([cloudflare.close(), hetzner.stop(), forge.stop(), sshd.stop(), eva.stop()]);
    for (const { server } of [one, two]) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const estateHosts = (): JsonObject => {
    const { hosts, ...data } = labCredential([sshd, eva]);
    return { ...data, hosts: typeof hosts === 'string' ? `${hosts}\n${NOBODY}` : NOBODY };
  };
  const credentials = () => ({
    'Estate hosts': { type: 'selfhostHost', data: estateHosts() },
    Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
    Cloudflare: { type: 'selfhostCloudflare', data: { apiToken: cloudflare.addToken(), baseUrl: cloudflare.url } },
    Forgejo: forge.credentials.Forgejo,
    Infisical: noInfisical,
  });

  const file = (address: string) => ({
    ttl: 300,
    addresses: { 'mail.infra.test': '192.0.2.25', 'web.infra.test': address },
  });

  const inventory = (): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [
      {
        ...{ name: 'casa', address: '127.0.0.1', port: sshd.port, provider: 'home' },
        addressFrom: [`http://127.0.0.1:${one.port}/ip`, `http://localhost:${two.port}/`],
      },
      { name: 'eva', address: STANDBY, port: eva.port, provider: 'home' },
      { name: 'bruno', address: '192.0.2.1', provider: 'hetzner', server: 'bruno' },
    ],
    services: [
      { name: 'shop', host: 'casa', standby: 'eva', project: '/srv/shop-of-nobody', url: 'http://shop.home.test/' },
    ],
    domains: [
      {
        ...{ zone: 'home.test', at: 'cloudflare', owner: 'n8n' },
        names: ['cloud', 'shop'].map((name) => ({ name: `${name}.home.test`, host: 'casa' })),
      },
      { zone: 'rented.test', at: 'cloudflare', owner: 'n8n', names: [{ name: 'www.rented.test', host: 'bruno' }] },
      {
        ...{ zone: 'infra.test', at: 'cloudflare', owner: 'terraform' },
        names: [{ name: 'web.infra.test', host: 'casa' }],
        terraform: { repository: 'root/infra', file: 'dns.auto.tfvars.json' },
      },
    ],
    terraform: [
      {
        ...{ name: 'infra', host: 'casa', directory: module, program: join(module, 'terraform') },
        repository: 'root/infra',
      },
    ],
    ...people,
    automatic: { dns: ['home.test', 'rented.test'] },
  });

  const told = (chat: string, text: string) =>
    estate.telegram.messages.filter((message) => message.chat === chat && message.text.includes(text));
  const said = (chat: string, text: string) =>
    until(`chat ${chat} is told "${text}"`, WITHIN, () => told(chat, text)[0]);
  const rounds = async (more: number) => {
    const ended = async () =>
      (await estate.own.api.executionsOf('selfhostDnsUpdate'))
        .filter(({ status }) => status === 'success')
        .map(({ id }) => Number(id));
    const last = Math.max(0, ...(await ended()));
    await until(`${more} more rounds have ended`, WITHIN, async () =>
      (await ended()).filter((id) => id > last).length >= more ? true : undefined,
    );
  };
  const points = (name = 'cloud.home.test') => resolver.resolve4(name).catch(() => []);
  const becomes = (address: string, name?: string) =>
    until(`the name is at ${address}`, WITHIN, async () => ((await points(name))[0] === address ? true : undefined));
  const serverOf = (name: string) => {
    const found = hetzner.standIn.state.things.get('servers')?.find((server) => server['name'] === name);
    if (found === undefined) throw new Error(`There is no server ${name}`);
    return found as { status: string; readonly public_net: { readonly ipv4: { ip: string } } };
  };

  test('a name follows its host when two sources say the same', async () => {
    await becomes('203.0.113.50');
    expect((await said('888', 'home.test was changed')).text).toContain(
      `update cloud.home.test A: ${OLD} → 203.0.113.50`,
    );
    await becomes(serverOf('bruno').public_net.ipv4.ip, 'www.rented.test');
    await said('888', 'rented.test was changed');
  });

  test('one source alone moves nothing, whatever the other says or does not say, and that is told once', async () => {
    cloudflare.forget();
    for (const [here, there] of [
      ['203.0.113.66', '203.0.113.50'],
      ['203.0.113.66', ''],
      ['203.0.113.66', '<html>203.0.113.66</html>'],
      ['10.0.0.7', '10.0.0.7'],
    ] as const) {
      Object.assign(one, { says: here });
      Object.assign(two, { says: there });
      await rounds(2);
    }
    expect(await points()).toEqual(['203.0.113.50']);
    expect(cloudflare.writes()).toEqual([]);
    const message = await said('777', 'Nobody knows the address of casa');
    expect(message.text).toContain(`casa, http://127.0.0.1:${one.port}/ip: 203.0.113.66`);
    expect(told('777', 'Nobody knows the address of casa')).toHaveLength(1);

    one.says = '203.0.113.66';
    two.says = '203.0.113.66';
    await becomes('203.0.113.66');
  });

  const pulls = () =>
    forgejo.things.filter(({ list }) => list === '/repos/root/infra/pulls').map(({ value }) => value as JsonObject);
  const proposed = async (ref: string): Promise<unknown> => {
    const url = `${forgejo.url}/api/v1/repos/root/infra/contents/dns.auto.tfvars.json?ref=${encodeURIComponent(ref)}`;
    const answer = await fetch(url, { headers: { authorization: `token ${token}` } });
    const { content } = (await answer.json()) as { content: string };
    return JSON.parse(Buffer.from(content, 'base64').toString());
  };

  test('where Terraform owns the zone a pull request has the matching change, one however often it looks, and it follows', async () => {
    await said('777', 'infra.test should change: pull request #');
    await until('the branch has the newest address', WITHIN, async () =>
      JSON.stringify(await proposed('dns/infra.test')) === JSON.stringify(file('203.0.113.66')) ? true : undefined,
    );
    await rounds(2);
    expect(pulls()).toMatchObject([
      { state: 'open', title: 'infra.test: 1 addresses', head: { ref: 'dns/infra.test' }, base: { ref: 'main' } },
    ]);
    expect(await proposed('main')).toEqual(file(OLD));
    // Once for the first address, once for the one that came after it.
    expect(told('777', 'infra.test should change').map(({ text }) => /→ (\S+)/.exec(text)?.[1])).toEqual([
      '203.0.113.50',
      '203.0.113.66',
    ]);
    expect(cloudflare.writes().filter((write) => JSON.stringify(write).includes('infra.test'))).toEqual([]);
  });

  async function plannedAndAllowed(change = 'create dns.web'): Promise<void> {
    const before = estate.telegram.messages.filter(({ text }) => text.includes('terraform: infra')).length;
    await estate.own.api.runManually('selfhostTerraform', 'By hand');
    const question = await until('the plan is asked about', WITHIN, () =>
      estate.telegram.messages.filter(({ text }) => text.includes('terraform: infra')).at(before),
    );
    expect(question.text).toContain(change);
    const hash = /Plan: (\S+)/.exec(question.text)?.[1] ?? 'none';
    await until('the execution that asks waits', WITHIN, async () =>
      (await estate.own.api.executionsOf('selfhostApprove')).find(
        ({ status, stored }) => status === 'waiting' && stored.includes(hash),
      ),
    );
    expect(await estate.telegram.press(question, 'Do it', owner)).toBe(200);
  }

  test('Terraform applies nothing while that is open, and goes on when it is merged', async () => {
    const applied = () => existsSync(join(module, 'state.json'));
    await plannedAndAllowed();
    const refused = await said('777', 'infra was not applied: a proposal is open');
    expect(refused.text).toMatch(/Pull request #\d+: infra\.test: 1 addresses/);
    expect(applied()).toBe(false);

    // Merged: the file on main is what was proposed.
    await tree.push('Merge', { 'dns.auto.tfvars.json': JSON.stringify(file('203.0.113.66')) });
    Object.assign(pulls()[0] ?? {}, { state: 'closed' });
    await plannedAndAllowed();
    await said('888', 'infra was applied');
    expect(applied()).toBe(true);
    await rounds(2);
    expect(pulls().filter(({ state }) => state === 'open')).toEqual([]);
    expect(told('777', 'infra was not applied')).toHaveLength(1);
  });

  test('the names of a service are where its turn is, and stay where they are while nobody can say whose it is', async () => {
    const service: Service = {
      ...{ name: 'shop', directory: '/srv/shop-of-nobody' },
      ...{ home: hostOf(sshd), standby: hostOf(eva) },
    };
    const wish = { by: 'n8n-lab', how: 'restore', automatic: false } as const;
    await becomes('203.0.113.66', 'shop.home.test');
    await takeTurn(service, { ...wish, to: 'standby' }, quietTask());
    await becomes(STANDBY, 'shop.home.test');
    await said('888', 'update shop.home.test A: 203.0.113.66 → 127.0.0.1');
    expect(await points()).toEqual(['203.0.113.66']);

    cloudflare.forget();
    await closeSessions();
    await eva.whileAway(async () => {
      await rounds(2);
    });
    expect((await said('777', 'Nobody knows the address of shop')).text).toContain(
      'shop: eva does not say whose turn it is to run it',
    );
    expect(cloudflare.writes()).toEqual([]);

    await takeTurn(service, { ...wish, to: 'home', how: 'carry' }, quietTask());
    await becomes('203.0.113.66', 'shop.home.test');
    await closeSessions();
  });

  test('the names of a host that is off stay at the server that was recovered for it, until that is written down', async () => {
    const bruno = serverOf('bruno');
    const labels = { 'selfhost-recovery': 'bruno', 'selfhost-drill': 'no' };
    hetzner.standIn.add('servers', { name: 'bruno-recovery', server_type: 'cx33', image: '103', labels });
    serverOf('bruno-recovery').public_net.ipv4.ip = RECOVERED;
    bruno.status = 'off';
    // A round that had asked before that still writes the old address.
    await rounds(2);
    const [record] = [...rented.records.values()].filter((one) => one['name'] === 'www.rented.test');
    Object.assign(record ?? {}, { content: RECOVERED });
    cloudflare.forget();
    await rounds(2);
    expect(await points('www.rented.test')).toEqual([RECOVERED]);
    expect(cloudflare.writes()).toEqual([]);
    expect((await said('777', 'Nobody knows the address of bruno')).text).toContain(
      'bruno is off, and bruno-recovery stands in for it: write that server and its address into the inventory',
    );

    // As it was: the lost one is back after all.
    bruno.status = 'running';
    await becomes(bruno.public_net.ipv4.ip, 'www.rented.test');
  });

  test('a git server that refuses the change and a file that is no JSON are told, nothing is pushed, other names follow, and Terraform applies nothing', async () => {
    const moves = (address: string) => [one, two].forEach((source) => Object.assign(source, { says: address }));
    const branch = 'dns/infra.test';
    const state = () => readFileSync(join(module, 'state.json'), 'utf8');
    const before = state();
    moves('203.0.113.77');
    await said('777', 'web.infra.test: 203.0.113.66 → 203.0.113.77');

    const reply = { status: 403, json: { message: 'The branch is protected', url: '' } };
    forgejo.fail({ kind: 'answer', method: 'POST', path: /\/contents$/, reply, times: 1_000 });
    moves('203.0.113.88');
    await becomes('203.0.113.88');
    expect((await said('666', 'DNS proposal failed')).text).toContain('At "Write it"');
    expect(await proposed(branch)).toEqual(file('203.0.113.77'));
    writeFileSync(
      join(module, 'wanted.json'),
      JSON.stringify({ resources: { 'dns.web': { value: OLD }, 'dns.mail': { value: OLD } } }),
    );
    await plannedAndAllowed('create dns.mail');
    await until('the second refusal is told', WITHIN, () => told('777', 'infra was not applied')[1]);
    expect(state()).toBe(before);

    forgejo.forget();
    await said('777', 'web.infra.test: 203.0.113.66 → 203.0.113.88');
    expect(await proposed(branch)).toEqual(file('203.0.113.88'));
    const broken = '{ "ttl": 300, "addresses": { "web.infra.test": "203.0.113.66", }';
    await tree.push('Edited by hand', { 'dns.auto.tfvars.json': broken });
    moves('203.0.113.99');
    await becomes('203.0.113.99');
    await said('666', 'At "Wanted"');
    expect(await proposed(branch)).toEqual(file('203.0.113.88'));
    expect(pulls().filter((one) => one['state'] === 'open')).toHaveLength(1);
  });
});
