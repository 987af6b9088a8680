import { Resolver } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Alertmanager, startAlertmanager } from '../../lab/alertmanager';
import { labCredential } from '../../lab/estate';
import { type LabHetzner, startLabHetzner } from '../../lab/hetzner';
import { type SshHost, startSshHost } from '../../lab/hosts/ssh-host';
import { until } from '../../lab/hosts/waiting';
import { freePort } from '../../lab/ports';
import { type PostgresServer, startPostgres } from '../../lab/postgres';
import { type CloudflareStandIn, startCloudflare, type Zone } from '../../lab/standins/cloudflare';
import type { SentMessage } from '../../lab/standins/telegram';
import type { JsonObject } from '../../lib/json';
import { describeAsRoot } from '../integration/lab/as-root';
import { type Estate, startEstate, tellAtOnce } from './estate';
import { owner, people } from '../shared/people';

const bruno = { name: 'bruno', address: '127.0.0.1' };
const REPLACED = '198.51.100.9';

describeAsRoot('the flows of the estate, in n8n', () => {
  let estate: Estate;
  let cloudflare: CloudflareStandIn;
  let hetzner: LabHetzner;
  let quiet: Zone;
  let busy: Zone;
  let resolver: Resolver;
  /** Where bruno is now, as Hetzner knows it: not where the inventory says. */
  let live: string;
  let state: PostgresServer;
  let site: Site;
  let sshd: SshHost;
  /** What bruno keeps to itself: without this its hold would be that of the machine the tests run on. */
  const machine = mkdtempSync(join(tmpdir(), 'selfhost-bruno-'));
  let alertmanager: Alertmanager | undefined;

  beforeAll(async () => {
    [estate, cloudflare, hetzner, state, site] = await Promise.all([
      startEstate(),
      startCloudflare(),
      startLabHetzner(),
      startPostgres(),
      startSite(),
    ]);
    sshd = await startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder: machine } });
    const dns = await cloudflare.serveDns('104.16.0.1');
    const server = `127.0.0.1:${dns.port}`;
    resolver = new Resolver({ timeout: 2_000, tries: 2 });
    resolver.setServers([server]);
    live = await addressOf('bruno');
    quiet = cloudflare.addZone('quiet.test');
    busy = cloudflare.addZone('busy.test');
    const managed = { type: 'A', ttl: 300, proxied: false, comment: 'managed-by=selfhost owner=n8n' };
    cloudflare.addRecord(quiet, { ...managed, name: 'git.quiet.test', content: REPLACED });
    cloudflare.addRecord(busy, { ...managed, name: 'old.busy.test', content: REPLACED });
    for (const zone of [quiet, busy]) {
      cloudflare.addRecord(zone, { name: `mail.${zone.name}`, type: 'MX', content: 'mx.example.net', priority: 10 });
    }
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
        ...[
          'dns-update.json',
          'dns-proposal.json',
          'alerting.json',
          'alertmanager-intake.json',
          'host-facts.json',
          'status-page.json',
          'hold.json',
          'hold-by-chat.json',
          'postgres-names.json',
        ],
      ],
      inventory: inventory(server, sshd.port),
      everySeconds: 10,
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([sshd]) },
        'Lab hosts': { type: 'selfhostHost', data: await withOneThatIsGone() },
        Forgejo: {
          type: 'selfhostForgejo',
          data: { baseUrl: 'http://127.0.0.1:9', token: 'not used', privateAuthority: '', readOnly: false },
        },
        'Hold switch': { type: 'httpBasicAuth', data: { user: 'night', password: 'watch' } },
        'Named secrets': { type: 'selfhostSecrets', data: { secrets: 'UNUSED=nothing' } },
        State: {
          type: 'selfhostState',
          data: {
            ...{ host: state.host, port: state.port, user: state.user, password: state.password },
            ...{ database: state.database, encrypt: false, privateAuthority: '' },
          },
        },
        'Postgres pair': {
          type: 'selfhostPostgres',
          data: {
            ...{ user: 'app', password: 'not used', database: 'postgres', reach: 'tunnel' },
            ...{ replicationUser: 'replication', replicationPassword: 'not used' },
          },
        },
        Alertmanager: { type: 'httpBasicAuth', data: { user: 'prometheus', password: 'lab' } },
        Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
        Cloudflare: {
          type: 'selfhostCloudflare',
          data: { apiToken: cloudflare.addToken(), baseUrl: cloudflare.url },
        },
      },
    });
  });
  afterAll(async () => {
    await alertmanager?.stop();
    await estate.stop();
    await Promise.all([cloudflare.close(), hetzner.stop(), state.stop(), site.close(), sshd.stop()]);
    rmSync(machine, { recursive: true, force: true });
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const inventory = (server: string, port: number): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [{ ...bruno, port, provider: 'hetzner', server: 'bruno' }],
    services: [{ name: 'docs', host: 'bruno', url: `${site.url}/docs` }],
    deadManUrl: `${site.url}/alive`,
    domains: [
      { zone: 'quiet.test', at: 'cloudflare', owner: 'n8n', names: [{ name: 'git.quiet.test', host: 'bruno' }] },
      { zone: 'busy.test', at: 'cloudflare', owner: 'n8n', names: [{ name: 'cdn.busy.test', host: 'bruno' }] },
    ],
    resolvers: [server],
    ...people,
    automatic: { dns: ['quiet.test'] },
    clusters: [
      {
        ...{ name: 'pair', names: ['db.quiet.test'] },
        members: [
          { name: 'one', host: 'bruno', address: '198.51.100.1', version: '15' },
          { name: 'other', host: 'bruno', address: '198.51.100.2', version: '15' },
        ],
      },
    ],
  });

  /** A service of the estate, and the dead man's switch outside of it. */
  interface Site {
    readonly url: string;
    status: number;
    calls: number;
    readonly close: () => Promise<void>;
  }

  async function startSite(): Promise<Site> {
    const server = createHttpServer((request, response) => {
      if (request.url === '/alive') made.calls += 1;
      response.writeHead(request.url === '/alive' ? 200 : made.status).end('hello');
    });
    const made = { url: '', status: 200, calls: 0, close: () => closed(server) };
    made.url = `http://127.0.0.1:${await listen(server)}`;
    return made;
  }

  /** The lab's hosts, and before them one at whose address nothing listens. */
  async function withOneThatIsGone(): Promise<JsonObject> {
    const [pin] = sshd.pins;
    const port = await freePort();
    if (pin === undefined) throw new Error('bruno shows no key');
    return labCredential([{ ...sshd, name: 'gone', port, pins: [pin] }, sshd]);
  }

  async function listen(server: Server): Promise<number> {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  }

  async function closed(server: Server): Promise<void> {
    if ('closeAllConnections' in server) (server as HttpServer).closeAllConnections();
    if (!server.listening) return;
    await new Promise((resolve) => server.close(resolve));
  }

  async function addressOf(server: string): Promise<string> {
    const answer = await fetch(`${hetzner.standIn.cloud.url}/servers?name=${server}`, {
      headers: { authorization: 'Bearer lab-token' },
    });
    const { servers } = (await answer.json()) as { servers: { public_net: { ipv4: { ip: string } } }[] };
    return servers[0]?.public_net.ipv4.ip ?? '';
  }

  const said = (chat: string, text: string) =>
    until(`chat ${chat} was told "${text}"`, 90_000, () =>
      Promise.resolve(estate.telegram.messages.find((message) => message.chat === chat && message.text.includes(text))),
    );

  const questions = () =>
    estate.telegram.messages.filter(({ chat, text }) => chat === String(owner.id) && text.includes('busy.test'));

  /** n8n takes an answer once the execution that asked is put away. */
  async function press(question: SentMessage, label: string): Promise<void> {
    const hash = /Plan: (\S+)/.exec(question.text)?.[1] ?? question.text;
    await until('the execution that asks waits', 60_000, async () => {
      const all = await estate.own.api.executionsOf('selfhostApprove');
      return all.find(({ status, stored }) => status === 'waiting' && stored.includes(hash));
    });
    expect(await estate.telegram.press(question, label, owner)).toBe(200);
  }

  test('names follow their server: a small change that is automatic is made at once, anything more is asked about, and the answer is for that zone as it was', async () => {
    const small = await said('888', 'quiet.test was changed');
    expect(small.text).toContain(`update git.quiet.test A: ${REPLACED} → ${live}`);
    expect(small.text).toContain('Allowed by inventory\nSeen by the resolvers: 1 of 1 names');
    expect(await resolver.resolve4('git.quiet.test')).toEqual([live]);

    const question = await said(String(owner.id), 'busy.test');
    expect(question.text).toContain('delete old.busy.test A');
    expect(await resolver.resolve4('old.busy.test')).toEqual([REPLACED]);
    // Somebody changes the zone between the question and the answer.
    cloudflare.addRecord(busy, { name: 'new.busy.test', type: 'A', content: REPLACED, ttl: 300, proxied: false });
    cloudflare.forget();
    await press(question, 'Do it');
    const failure = await said('666', 'DNS update failed');
    expect(failure.text).toContain('At "Apply at Cloudflare"');
    expect(failure.text).toContain('changed');
    expect(cloudflare.writes()).toEqual([]);
  }, 150_000);

  test('a zone that has changed is another plan, and asked about once more; once allowed, exactly that is applied, and what is not ours stays', async () => {
    const question = await until('it is asked again', 90_000, () => Promise.resolve(questions()[1]));
    await press(question, 'Do it');
    await said('888', 'busy.test was changed');
    expect(await resolver.resolve4('cdn.busy.test')).toEqual([live]);
    await expect(resolver.resolve4('old.busy.test')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    expect(await resolver.resolve4('new.busy.test')).toEqual([REPLACED]);
    expect(await resolver.resolveMx('mail.busy.test')).toMatchObject([{ exchange: 'mx.example.net', priority: 10 }]);
    expect(questions()).toHaveLength(2);
  }, 150_000);

  const toldOf = (pattern: RegExp) =>
    estate.telegram.messages.filter(({ chat, text }) => chat === '666' && pattern.test(text)).map(({ text }) => text);

  test('a service that fails is told once, again when the telling failed, and once that it is over; each round calls the dead man', async () => {
    await tellAtOnce(estate);
    const page = `${estate.own.n8n.url}/webhook/status`;
    await until('a first round has ended', 60_000, () => Promise.resolve(site.calls > 0 || undefined));
    expect(await (await fetch(page)).text()).toContain('No open incident is known');

    // Telegram refuses until the node has given up once: the message is not lost.
    estate.telegram.fail({ kind: 'break before', method: 'POST', path: /sendMessage/, times: 3 });
    site.status = 502;
    await said('666', '<b>docs is failing');
    expect(await (await fetch(page)).text()).toContain('docs is failing');
    const calls = site.calls;
    await until('two more rounds have ended', 60_000, () => Promise.resolve(site.calls > calls + 1 || undefined));

    site.status = 200;
    await said('666', 'Resolved');
    expect(toldOf(/<b>(Resolved after \d+ (s|min): )?docs is failing/)).toEqual([
      expect.stringContaining('<b>docs is failing'),
      expect.stringContaining('<b>Resolved after'),
    ]);
    await until('the page says so', 30_000, async () =>
      (await (await fetch(page)).text()).includes('No open incident is known') ? true : undefined,
    );
  }, 240_000);

  test('what Alertmanager sends becomes incidents of the same estate, and only who has its password is listened to', async () => {
    const path = '/webhook/alertmanager';
    const stranger = await fetch(`${estate.own.n8n.url}${path}`, { method: 'POST', body: '{}' });
    expect(stranger.status).toBe(401);
    const url = new URL(path, estate.own.n8n.url);
    Object.assign(url, { username: 'prometheus', password: 'lab' });
    alertmanager = await startAlertmanager(url.href);
    const alert = { labels: { alertname: 'DiskFull', instance: 'bruno:9100', severity: 'critical' } };
    const answer = await fetch(`${alertmanager.url}/api/v2/alerts`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify([{ ...alert, annotations: { summary: 'the disk is full' } }]),
    });
    expect(answer.status).toBe(200);
    const message = await said('666', 'DiskFull');
    expect(message.text).toMatch(/^🔴 /);
  }, 120_000);

  test('a status page whose state cannot be read answers that nothing is known, and never that all is well', async () => {
    const page = () => fetch(`${estate.own.n8n.url}/webhook/status`);
    await state.down();
    const dark = await page();
    const said = await dark.text();
    await state.up();
    expect([dark.status, dark.headers.get('cache-control')]).toEqual([503, 'no-store']);
    expect(said).toContain('Not known right now');
    expect(said).not.toContain('No open incident');
    const again = await page();
    expect([again.status, (await again.text()).includes('Not known')]).toEqual([200, false]);
  }, 60_000);

  test('a first look at a host that is gone names it and what to do, and another one is chosen and seen', async () => {
    const { api } = estate.own;
    const failed = await api.runToEnd('selfhostHostFacts', 'By hand');
    expect(failed.status).toBe('error');
    expect(failed.error?.message).toContain('gone (127.0.0.1:');
    expect(failed.error?.description).toContain('Is sshd running there, and is the port right?');

    const path = '/api/v1/workflows/selfhostHostFacts';
    const { name, nodes, connections } = (await api.request('GET', path)).body as {
      readonly name: string;
      readonly nodes: readonly (JsonObject & { readonly name: string; readonly parameters: JsonObject })[];
      readonly connections: JsonObject;
    };
    const host = { __rl: true, mode: 'id', value: 'bruno' };
    const chosen = nodes.map((node) =>
      node.name === 'Host facts' ? { ...node, parameters: { ...node.parameters, host } } : node,
    );
    const settings = { executionOrder: 'v1' };
    expect((await api.request('PUT', path, { name, nodes: chosen, connections, settings })).status).toBe(200);
    const seen = await api.runToEnd('selfhostHostFacts', 'By hand');
    expect(seen.runs['Host facts']?.[0]?.outputs[0]).toEqual([expect.objectContaining({ host: 'bruno' })]);
  }, 60_000);

  /** The form as a browser sends it. */
  async function submit(fields: Readonly<Record<string, string>>, password = 'watch'): Promise<number> {
    const url = `${estate.own.n8n.url}/form/hold`;
    const authorization = `Basic ${Buffer.from(`night:${password}`).toString('base64')}`;
    // What looks like a link preview is turned away.
    const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' };
    expect((await fetch(url, { headers: { authorization } })).status).toBe(401);
    const page = await fetch(url, { headers: { ...browser, authorization } });
    const token = /authToken = '([^']+)'/.exec(await page.text())?.[1];
    if (token === undefined) return page.status;
    const body = new FormData();
    Object.values(fields).forEach((value, index) => body.set(`field-${index}`, value));
    const answer = await fetch(url, { method: 'POST', headers: { ...browser, 'x-auth-token': token }, body });
    await answer.arrayBuffer();
    return answer.status;
  }

  test('the hold switch keeps what is automatic away from a host until it is lifted, and names what it could not do', async () => {
    const file = join(machine, 'state', 'hold');
    const wish = { what: 'Hold', who: 'Felipe', why: 'replacing a disk', hours: '2', hosts: '' };
    expect(await submit(wish, 'guess')).toBe(401);
    expect(existsSync(file)).toBe(false);
    expect(await submit(wish)).toBe(200);
    expect((await said('777', 'On hold')).text).toMatch(/bruno: on hold by Felipe \(replacing a disk\) until 20/);
    expect(readFileSync(file, 'utf8')).toMatch(/^who=Felipe\nwhy=replacing a disk\nuntil=20/);

    expect(await submit({ ...wish, what: 'Lift', hosts: 'bruno, brno' })).toBe(200);
    const lifted = await said('666', 'The hold was lifted');
    expect(lifted.text).toContain('bruno: not on hold\nNot in the inventory: brno');
    expect(existsSync(file)).toBe(false);

    // A hand forgot it: it no longer holds, and is said aloud.
    writeFileSync(file, 'who=Dana\nwhy=a test\nuntil=2026-01-05T22:00:00Z\n');
    expect((await said('777', 'A hold has expired and was not lifted')).text).toContain('of Dana (a test) ended at');
    rmSync(file);
  }, 120_000);

  test('a message to the bot holds the hosts and lets them go, every message says so meanwhile, and only who may ask is answered', async () => {
    const file = join(machine, 'state', 'hold');
    const { telegram } = estate;
    const answers = () => telegram.messages.filter(({ chat }) => chat === String(owner.id)).map(({ text }) => text);
    const answered = (text: string) =>
      until(`the bot answers "${text}"`, 60_000, () => answers().find((one) => one.includes(text)));

    expect(await telegram.write('/hold 2h mine now', { id: 999, firstName: 'Mallory' })).toBe(200);
    expect(await telegram.write('/hold@lab_bot bruno 30m new <disk>', owner)).toBe(200);
    await answered('bruno: on hold by owner (new &lt;disk&gt;) until 20');
    expect(readFileSync(file, 'utf8')).toMatch(/^who=owner\nwhy=new <disk>\nuntil=20/);
    expect(Date.parse(/until=(\S+)/.exec(readFileSync(file, 'utf8'))?.[1] ?? '')).toBeLessThan(
      Date.now() + 31 * 60_000,
    );

    const path = await estate.caller('say', 'selfhostNotify', {
      lane: 'info',
      title: 'Something else',
      text: 'entirely',
    });
    expect((await estate.own.api.callWebhook(path, {})).status).toBe(200);
    expect((await said('888', 'Something else')).text).toMatch(
      /entirely\n\n⏸ bruno is on hold by owner \(new &lt;disk&gt;\) until 20/,
    );

    // What is unclear or late lifts nothing.
    expect(await telegram.write('/release brno', owner)).toBe(200);
    await answered('There is no host brno; nothing was lifted.');
    expect(await telegram.write('/release', owner, { secondsAgo: 3_600 })).toBe(200);
    await answered('sent more than ten minutes ago');
    expect(existsSync(file)).toBe(true);

    expect(await telegram.write('/release', owner)).toBe(200);
    await answered('bruno: not on hold');
    expect(existsSync(file)).toBe(false);
    expect((await estate.own.api.callWebhook(path, {})).status).toBe(200);
    const later = telegram.messages.filter(({ text }) => text.includes('Something else'));
    expect(later.map(({ text }) => text.includes('⏸'))).toEqual([true, false]);
    expect(telegram.messages.filter(({ chat }) => chat === '999')).toEqual([]);
  }, 120_000);

  test('the name of a cluster leads to its primary, whoever that is, and is left alone where it does', async () => {
    const lead = async (primary: string) => {
      const path = await estate.caller(`lead to ${primary}`.replaceAll(' ', '-'), 'selfhostPgNames', {
        cluster: 'pair',
        primary,
      });
      return (await estate.own.api.callWebhook(path, {})).body;
    };
    const resolved = () => resolver.resolve4('db.quiet.test');
    const line = 'db.quiet.test leads to one (198.51.100.1)';
    expect(await lead('one')).toMatchObject({ changed: true, failed: false, lines: [line] });
    expect(await resolved()).toEqual(['198.51.100.1']);
    expect(await lead('one')).toMatchObject({ changed: false, failed: false });
    expect(await lead('other')).toMatchObject({ changed: true, failed: false });
    expect(await resolved()).toEqual(['198.51.100.2']);
    const unknown = 'db.quiet.test does NOT lead to the primary: the inventory knows no member "nobody" of pair';
    expect(await lead('nobody')).toMatchObject({ changed: false, failed: true, lines: [unknown] });
    expect(await resolved()).toEqual(['198.51.100.2']);
  }, 60_000);

  // From here on the DNS update fails at each round, and says so.
  test('a host whose server is gone stops everything before a name is touched', async () => {
    const servers = hetzner.standIn.state.things.get('servers') ?? [];
    servers.splice(0, servers.length);
    cloudflare.forget();
    const told = await said('666', 'Hetzner has no server for bruno');
    expect(told.text).toContain('No name was changed');
    expect(cloudflare.writes()).toEqual([]);
  }, 90_000);
});
