import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from '../../../lab/certificates';
import { labCredential } from '../../../lab/estate';
import { type LabHetzner, startLabHetzner } from '../../../lab/hetzner';
import { type SshHost, startSshHost } from '../../../lab/hosts/ssh-host';
import { until } from '../../../lab/hosts/waiting';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import { type ForgejoStandIn, startForgejo } from '../../../lab/standins/forgejo';
import type { PushedImage } from '../../../lab/standins/forgejo/images';
import type { JsonObject } from '../../../lib/json';
import { describeAsRoot } from '../../integration/lab/as-root';
import { type Estate, startEstate, tellAtOnce } from '../../e2e/estate';

const DAY = 86_400_000;
const owner = { id: 100000001, firstName: 'Felipe' };

describeAsRoot('the flows that watch, in n8n', () => {
  let estate: Estate;
  let state: PostgresServer;
  let sshd: SshHost;
  let hetzner: LabHetzner;
  let forgejo: ForgejoStandIn;
  let broken: PushedImage;
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-watch-'));
  const servers: (Server | SecureServer)[] = [];
  const site = { url: '', secureUrl: '', share: 200, status: 200, tokenAskedWith: '' };

  beforeAll(async () => {
    const description: unknown = JSON.parse(readFileSync(join(__dirname, '../../contracts/forgejo-16.json'), 'utf8'));
    [estate, state, sshd, hetzner, forgejo] = await Promise.all([
      startEstate(),
      startPostgres(),
      startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder: join(folder, 'bruno') } }),
      startLabHetzner(),
      startForgejo({ description }),
    ]);
    const authority = await makeAuthority(folder);
    await startSites(await authority.sign('site', '127.0.0.1'));
    forgejo.addUser('root', true);
    forgejo.addOrganization('kua');
    for (let version = 1; version <= 12; version += 1) {
      const created = new Date(Date.now() - (30 - version) * DAY).toISOString();
      forgejo.pushImage({ owner: 'kua', name: 'docs', tags: [`1.${version}`], layers: [`docs ${version}`], created });
    }
    broken = forgejo.pushImage({ owner: 'kua', name: 'site', tags: ['latest'], layers: ['site'] });
    const checks: JsonObject[] = [
      { name: 'letters', kind: 'mail', severity: 'critical', ...letters(), deadlineSeconds: 20 },
      { name: 'certificate of git', kind: 'tls', severity: 'critical', daysLeft: 14, ...secure(authority.pem) },
      { name: 'certificate that lasts', kind: 'tls', severity: 'critical', daysLeft: 1, ...secure(authority.pem) },
      {
        ...{ name: 'token of CI', kind: 'token', url: `${site.url}/token`, path: 'result.expires_on' },
        ...{ secretHeaders: { authorization: 'credential:CI_TOKEN' }, severity: 'critical' },
      },
    ];
    await estate.install({
      files: [
        ...['approve.json', 'inventory.json', 'notify.json', 'on-error.json', 'report.json'],
        ...['alerting.json', 'slow-checks.json', 'registry.json', 'cost-report.json'],
      ],
      inventory: inventory(checks),
      everySeconds: 15,
      publish: false,
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([sshd]) },
        'Named secrets': {
          type: 'selfhostSecrets',
          data: { secrets: 'CI_TOKEN=Bearer ci\nMAIL=letters "and" spaces' },
        },
        State: {
          type: 'selfhostState',
          data: {
            ...{ host: state.host, port: state.port, user: state.user, password: state.password },
            ...{ database: state.database, encrypt: false, privateAuthority: '' },
          },
        },
        Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
        Forgejo: {
          type: 'selfhostForgejo',
          data: { baseUrl: forgejo.url, token: forgejo.addToken('root'), privateAuthority: '', readOnly: false },
        },
      },
    });
    await tellAtOnce(estate);
    for (const flow of ['Inventory', 'Notify', 'OnError', 'Approve', 'Report']) {
      await estate.own.api.publish(`selfhost${flow}`);
    }
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([state.stop(), sshd.stop(), hetzner.stop(), forgejo.close()]);
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => expect(estate.violations()).toEqual([]));

  const inventory = (checks: readonly JsonObject[]): JsonObject => ({
    estate: 'lab',
    timezone: 'Europe/Berlin',
    hosts: [{ name: 'bruno', address: '127.0.0.1', port: sshd.port, provider: 'hetzner', server: 'bruno' }],
    services: [
      {
        ...{ name: 'docs', host: 'bruno', url: `${site.url}/docs`, inside: `${site.url}/inside` },
        open: [`${site.url}/share/holidays`],
      },
    ],
    domains: [{ zone: 'kua.test', at: 'cloudflare', owner: 'n8n', names: [], rdap: `${site.url}/rdap/kua.test` }],
    checks: [...checks],
    divergenceMinutes: 0.05,
    costs: [{ name: 'eva', monthly: 15 }],
    packageOwners: ['kua'],
    sender: 'n8n@example.test',
    recipients: {
      critical: [{ by: 'telegram', chat: '666' }],
      warning: [{ by: 'telegram', chat: '777' }],
      info: [{ by: 'telegram', chat: '888' }],
    },
    approvers: [{ name: 'owner', by: 'telegram', id: String(owner.id), minutes: 30 }],
    automatic: { retention: ['kua'] },
  });

  function letters(): JsonObject {
    const { mail } = estate;
    const login = { user: mail.user, password: 'credential:MAIL' };
    return {
      sender: mail.address,
      recipient: mail.address,
      smtp: { host: '127.0.0.1', port: mail.smtpPort },
      imap: { host: '127.0.0.1', port: mail.imapPort, ...login },
    };
  }

  const secure = (authority: string) => ({ host: '127.0.0.1', port: Number(new URL(site.secureUrl).port), authority });

  async function startSites(signed: { readonly certificate: string; readonly key: string }): Promise<void> {
    const plain = createServer((request, response) => {
      const soon = new Date(Date.now() + 3 * DAY).toISOString();
      if (request.url === '/rdap/kua.test') {
        response.end(JSON.stringify({ events: [{ eventAction: 'expiration', eventDate: soon }] }));
      } else if (request.url === '/token') {
        site.tokenAskedWith = request.headers.authorization ?? '';
        response.end(JSON.stringify({ result: { expires_on: soon } }));
      } else if (request.url === '/docs') response.writeHead(site.status).end();
      else if (request.url?.startsWith('/share') === true && site.share === 302) {
        response.writeHead(302, { location: '/if/flow/login/?next=/share' }).end();
      } else response.end('hello');
    });
    const locked = createSecureServer({ cert: signed.certificate, key: signed.key }, (_, response) => response.end());
    servers.push(plain, locked);
    for (const server of servers) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    site.url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
    site.secureUrl = `https://127.0.0.1:${(locked.address() as AddressInfo).port}`;
  }

  const said = (chat: string, text: string) =>
    until(`chat ${chat} was told "${text}"`, 90_000, () =>
      Promise.resolve(estate.telegram.messages.find((message) => message.chat === chat && message.text.includes(text))),
    );
  const toldOf = (text: string) => estate.telegram.messages.filter((message) => message.text.includes(text));

  test('what ends soon is told once, by its certificate, its registry or its API; what lasts is not', async () => {
    await estate.own.api.publish('selfhostSlowChecks');
    expect((await said('666', 'certificate of git')).text).toContain('its certificate ends in 1 days');
    expect((await said('666', 'token of CI')).text).toContain('it ends in 2 days');
    expect(site.tokenAskedWith).toBe('Bearer ci');
    expect((await said('777', 'domain kua.test, last days')).text).toContain('it ends in 2 days');
    expect(toldOf('certificate that lasts')).toEqual([]);
    expect(toldOf('letters')).toEqual([]);
    // What was sent is taken away again; the next may be on its way.
    await until('no letter lies there', 30_000, async () =>
      (await estate.mail.letters()).length === 0 ? true : undefined,
    );
  }, 120_000);

  test('a letter that does not come back is told', async () => {
    await estate.mail.holdLetters();
    expect((await said('666', 'letters is failing')).text).toContain('its letter did not arrive in time');
    expect(toldOf('certificate of git')).toHaveLength(1);
    await estate.own.api.unpublish('selfhostSlowChecks');
  }, 120_000);

  test('an address that must stay open is told when it leads to a login, and a service that only answers inside after its time', async () => {
    await estate.own.api.publish('selfhostAlerting');
    site.share = 302;
    site.status = 502;
    const open = await said('777', 'is not open to everybody');
    expect(open.text).toContain(`${site.url}/share/holidays`);
    expect((await said('666', 'docs is failing')).text).toContain('it answers 502');
    const diverging = await said('777', 'docs inside and outside');
    expect(diverging.text).toContain('from here: n8n: it answers 502; on its host: bruno: it answers 200');
    site.share = 200;
    site.status = 200;
    await until('it is over', 90_000, () => Promise.resolve(toldOf('Resolved after')[0]));
    expect(toldOf('docs on its host is')).toEqual([]);
    await estate.own.api.unpublish('selfhostAlerting');
  }, 150_000);

  test('an image that lost a layer is told with the tags that cannot be pulled, and old versions go, the ten newest and latest not', async () => {
    const layer = broken.layers[0] ?? '';
    forgejo.damage(layer, 'lost');
    await estate.own.api.publish('selfhostRegistry');
    const told = await said('666', 'the registry has broken images');
    expect(told.text).toContain('kua/site (latest): The blob is not there');
    expect((await said('888', 'Packages of kua were thinned out')).text).toContain(
      '2 versions removed, 11 kept, allowed by inventory',
    );
    const left = await fetch(`${forgejo.url}/api/v1/packages/kua?type=container&q=docs&limit=50`, {
      headers: { authorization: `token ${forgejo.addToken('root')}` },
    });
    const versions = ((await left.json()) as { version: string }[]).map(({ version }) => version);
    expect(versions.toSorted()).toEqual(Array.from({ length: 10 }, (_, index) => `1.${index + 3}`).toSorted());
    forgejo.damage(layer, 'none');
    const over = await until('it is over', 90_000, () => Promise.resolve(toldOf('the registry has broken images')[1]));
    expect(over.text).toContain('Resolved after');
    await estate.own.api.unpublish('selfhostRegistry');
  }, 150_000);

  test('the month’s costs come as a chart, the largest first, with what is paid for and not used', async () => {
    await estate.own.api.publish('selfhostCostReport');
    const report = await said('888', 'The estate costs');
    const [, ...lines] = report.text.split('\n');
    const bars = lines.filter((line) => line.startsWith('█'));
    const amounts = bars.map((line) => Number(/^█+ ([\d.]+) {2}/.exec(line)?.[1]));
    expect(amounts).toEqual(amounts.toSorted((a, b) => b - a));
    expect(bars).toContainEqual(expect.stringMatching(/^█+ 15\.00 {2}eva$/));
    const total = Number(/costs ([\d.]+) EUR a month/.exec(report.text)?.[1]);
    expect(amounts.reduce((sum, one) => sum + one, 0)).toBeCloseTo(total, 1);
    expect(report.text).toContain('volume forgotten: attached to nothing, and costs money');
    await estate.own.api.unpublish('selfhostCostReport');
  }, 120_000);
});
