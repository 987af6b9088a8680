import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer, type Server as SecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeAuthority } from '../../../lab/certificates';
import { labCredential } from '../../../lab/estate';
import { type LabHetzner, startLabHetzner } from '../../../lab/hetzner';
import { run } from '../../../lab/hosts/programs';
import { type SshHost, startSshHost } from '../../../lab/hosts/ssh-host';
import { until } from '../../../lab/hosts/waiting';
import { type PostgresServer, startPostgres } from '../../../lab/postgres';
import type { ForgejoStandIn } from '../../../lab/standins/forgejo';
import type { PushedImage } from '../../../lab/standins/forgejo/images';
import type { WorkTree } from '../../../lab/work-tree';
import type { JsonObject } from '../../../lib/json';
import { describeAsRoot } from '../../integration/lab/as-root';
import { type Estate, startEstate, tellAtOnce } from '../../e2e/estate';
import { people } from '../../shared/people';
import { secretsCredential, stateCredential } from './credentials';
import { type Forge, startForge } from './forge';

const DAY = 86_400_000;

jest.setTimeout(900_000);

describeAsRoot('the flows that watch, in n8n', () => {
  let estate: Estate;
  let state: PostgresServer;
  let sshd: SshHost;
  let hetzner: LabHetzner;
  let forge: Forge;
  let forgejo: ForgejoStandIn;
  let tree: WorkTree;
  let broken: PushedImage;
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-watch-'));
  const servers: (Server | SecureServer)[] = [];
  const copy = join(folder, 'mirror', 'root', 'estate.git');
  const site = { url: '', secureUrl: '', share: 200, status: 200, tokenAskedWith: '' };

  beforeAll(async () => {
    [estate, state, sshd, hetzner, forge] = await Promise.all([
      startEstate(),
      startPostgres(),
      startSshHost({ name: 'bruno', machine: { hostname: 'bruno', folder: join(folder, 'bruno') } }),
      startLabHetzner(),
      startForge('estate'),
    ]);
    const authority = await makeAuthority(folder);
    await startSites(await authority.sign('site', '127.0.0.1'));
    ({ forgejo, tree } = forge);
    const { token } = forge;
    forgejo.addOrganization('kua');
    const repository = Object.assign(new URL(forge.repositoryUrl), { username: 'root', password: token });
    await tree.push('A file', { 'compose.yml': 'services: {}\n' }, new Date(Date.now() - 3 * DAY));
    await run(['git', 'clone', '--quiet', '--mirror', repository.href, copy]);
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
        ...[
          'alerting.json',
          'slow-checks.json',
          'registry.json',
          'cost-report.json',
          'infra-audit.json',
          'git-mirror.json',
        ],
      ],
      inventory: inventory(checks),
      everySeconds: 15,
      publish: false,
      credentials: {
        'Estate hosts': { type: 'selfhostHost', data: labCredential([sshd]) },
        'Named secrets': secretsCredential(`CI_TOKEN=Bearer ci\nMAIL=letters "and" spaces\nGIT_TOKEN=${token}`),
        State: stateCredential(state),
        'Rclone remotes': { type: 'selfhostRclone', data: { place: 'here', configuration: '[disk]\ntype = local\n' } },
        Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
        Forgejo: forge.credentials.Forgejo,
      },
    });
    await tellAtOnce(estate);
    for (const flow of ['Inventory', 'Notify', 'OnError', 'Approve', 'Report']) {
      await estate.own.api.publish(`selfhost${flow}`);
    }
  });
  afterAll(async () => {
    await estate.stop();
    await Promise.all([state.stop(), sshd.stop(), hetzner.stop(), forge.stop()]);
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
        ...{ open: [`${site.url}/share/holidays`], repository: 'root/estate' },
      },
    ],
    git: { ...forge.git, mirror: { url: join(folder, 'mirror') } },
    domains: [{ zone: 'kua.test', at: 'cloudflare', owner: 'n8n', names: [], rdap: `${site.url}/rdap/kua.test` }],
    checks: [...checks],
    divergenceMinutes: 0.05,
    costs: [{ name: 'eva', monthly: 15 }],
    packageOwners: ['kua'],
    keyCopies: [{ name: 'the vault', host: 'bruno', path: join(folder, 'infisical.key') }],
    ...people,
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

  const said = (chat: string, text: string) => estate.told(chat, text, { within: 240_000 });
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
  }, 400_000);

  test('a letter that does not come back is told', async () => {
    await estate.mail.holdLetters();
    expect((await said('666', 'letters is failing')).text).toContain('its letter did not arrive in time');
    expect(toldOf('certificate of git')).toHaveLength(1);
    await estate.own.api.unpublish('selfhostSlowChecks');
  }, 400_000);

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
    await until('it is over', 240_000, () => Promise.resolve(toldOf('Resolved after')[0]));
    expect(toldOf('docs on its host is')).toEqual([]);
    await estate.own.api.unpublish('selfhostAlerting');
  }, 400_000);

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
    const over = await until('it is over', 240_000, () => Promise.resolve(toldOf('the registry has broken images')[1]));
    expect(over.text).toContain('Resolved after');
    await estate.own.api.unpublish('selfhostRegistry');
  }, 400_000);

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

    // A provider that does not answer makes no report without its share.
    const reply = {
      status: 401,
      json: { error: { code: 'unauthorized', message: 'the token is gone', details: null } },
    };
    const reports = toldOf('The estate costs').length;
    hetzner.standIn.cloud.fail({ kind: 'answer', reply, times: 1000 });
    expect((await said('666', 'Cost report failed')).text).toContain('At "What there is"');
    await estate.own.api.unpublish('selfhostCostReport');
    expect(toldOf('The estate costs').length - reports).toBeLessThanOrEqual(1);
  }, 400_000);

  test('a copy of the code that lacks for a day what the first has is told, and one that cannot be read; a complete one is not', async () => {
    const title = 'The copy of the code is not proven to be complete';
    const rounds = () => estate.own.api.executionsOf('selfhostGitMirror');
    const another = async () => {
      const before = (await rounds()).length;
      await until('the flow has looked twice', 240_000, async () => {
        const all = await rounds();
        return all.length >= before + 2 && all.every(({ status }) => status === 'success') ? true : undefined;
      });
    };
    await estate.own.api.publish('selfhostGitMirror');
    await another();
    expect(toldOf(title)).toEqual([]);

    const commit = await tree.push(
      'Newer',
      { 'compose.yml': 'services: { web: {} }\n' },
      new Date(Date.now() - 2 * DAY),
    );
    // Somebody pushes every day, so the newest commit is always young.
    await tree.push('Newest', { 'compose.yml': 'services: { db: {} }\n' });
    const late = await said('777', title);
    expect(late.text).toContain('root/estate (main): the copy ends with ');
    expect(late.text).toContain(`and the first has had ${commit.slice(0, 10)} for 48`);

    renameSync(copy, `${copy}.away`);
    expect((await said('777', 'root/estate (main): the copy cannot be read')).text).toContain('could not be fetched');
    renameSync(`${copy}.away`, copy);
    await run(['git', '-C', copy, 'remote', 'update']);
    await another();
    const told = toldOf(title).length;
    await another();
    expect(toldOf(title)).toHaveLength(told);
    await estate.own.api.unpublish('selfhostGitMirror');
  }, 600_000);

  test('what the audit finds is told once by its words, and after that by number', async () => {
    await estate.own.api.publish('selfhostInfraAudit');
    const found = await said('666', 'Infra audit: ');
    expect(found.text).toContain('🔴 bruno: The key of Infisical in the vault: it holds no key that can be read.');
    expect(found.text).toContain('Nobody has written down when docs is started');
    // There is no Docker on that host, and nobody listed whose keys may stand there.
    expect(found.text).toMatch(/Not looked at:\n[^]*SSH keys: the inventory lists none/);
    const again = await said('888', 'Infra audit: 0 new of ');
    expect(again.text).toContain('Nothing new.');
    expect(toldOf('The key of Infisical in the vault')).toHaveLength(1);
    await estate.own.api.unpublish('selfhostInfraAudit');
  }, 600_000);

  test('what cannot be kept or told is said, told by the next report and once only, and what was not looked at ends nothing', async () => {
    const disk = { target: 'disk of bruno', severity: 'critical', evidence: 'it is 97 % full' };
    // Answered once everything is done, by whatever: most reports have nothing to tell.
    const report = async (status: 'wrong' | 'ok' | 'unknown') => {
      const path = await estate.caller(`disk-${status}`, 'selfhostReport', { reports: [{ ...disk, status }] });
      return () => estate.own.api.callWebhook(path, {});
    };
    const [wrong, unseen, well] = [await report('wrong'), await report('unknown'), await report('ok')];
    const tellings = () => toldOf('<b>disk of bruno is failing');
    const endings = () => toldOf('Resolved after').filter(({ text }) => text.includes('disk of bruno'));

    await state.down();
    await wrong();
    expect((await said('666', 'At "Take in"')).text).toContain('Report failed');
    await state.up();

    // Neither Telegram nor the mail server takes it, as often as Notify tries.
    await estate.mail.stop();
    estate.telegram.fail({ kind: 'break before', method: 'POST', path: /sendMessage/, times: 3 });
    await wrong();
    expect((await said('666', 'Nobody could be told: disk of bruno')).text).toContain('Report failed');
    expect(tellings()).toEqual([]);

    const told = await until('the next report tells it', 120_000, async () => {
      await wrong();
      return tellings()[0];
    });
    expect([told.chat, told.text]).toEqual(['666', expect.stringContaining('it is 97 % full')]);
    await wrong();
    await unseen();
    expect([tellings().length, endings().length]).toEqual([1, 0]);
    await until('it is over', 120_000, async () => {
      await well();
      return endings()[0];
    });
    expect([tellings().length, endings().length]).toEqual([1, 1]);
  }, 600_000);

  test('an inventory that does not fit stops every flow before it does anything, and says by name what is wrong', async () => {
    const { api } = estate.own;
    const { body } = await api.request('GET', '/api/v1/credentials');
    const { data } = body as { data: { id: string; name: string }[] };
    const made = Object.fromEntries(data.map(({ id, name }) => [name, { id }]));
    const unpinned: JsonObject = { name: 'eva', address: '192.0.2.7', provider: 'ovh' };
    const right = inventory([]);
    const wrong = { ...right, hosts: [...(right['hosts'] as readonly JsonObject[]), unpinned] };
    await estate.install({ files: ['inventory.json'], inventory: wrong, credentials: {}, made, publish: false });
    const checked = await api.runToEnd('selfhostInventory', 'By hand');
    expect(checked.error?.message).toContain('host eva (192.0.2.7) is not pinned in the credential');
    await api.publish('selfhostInventory');
    const before = estate.telegram.messages.length;
    const stopped = await api.runToEnd('selfhostGitMirror', 'By hand');
    expect([stopped.status, Object.keys(stopped.runs).includes('The copy')]).toEqual(['error', false]);
    expect(estate.telegram.messages).toHaveLength(before);
  }, 400_000);
});
