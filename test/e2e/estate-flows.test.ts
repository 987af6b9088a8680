import { Resolver } from 'node:dns/promises';
import { type LabHetzner, startLabHetzner } from '../../lab/hetzner';
import { until } from '../../lab/hosts/waiting';
import { type CloudflareStandIn, startCloudflare, type Zone } from '../../lab/standins/cloudflare';
import type { SentMessage } from '../../lab/standins/telegram';
import type { JsonObject } from '../../lib/json';
import { type Estate, pinnedOnly, startEstate } from './estate';

const owner = { id: 100000001, firstName: 'Felipe' };
const bruno = { name: 'bruno', address: '203.0.113.200' };
const REPLACED = '198.51.100.9';

let estate: Estate;
let cloudflare: CloudflareStandIn;
let hetzner: LabHetzner;
let quiet: Zone;
let busy: Zone;
let resolver: Resolver;
/** Where bruno is now, as Hetzner knows it: not where the inventory says. */
let live: string;

beforeAll(async () => {
  [estate, cloudflare, hetzner] = await Promise.all([startEstate(), startCloudflare(), startLabHetzner()]);
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
    files: ['approve.json', 'dns-update.json', 'inventory.json', 'notify.json', 'on-error.json'],
    inventory: inventory(server),
    everySeconds: 10,
    credentials: {
      'Estate hosts': pinnedOnly([bruno]),
      Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
      Cloudflare: {
        type: 'selfhostCloudflare',
        data: { apiToken: cloudflare.addToken(), baseUrl: cloudflare.url },
      },
    },
  });
});
afterAll(async () => {
  await estate.stop();
  await Promise.all([cloudflare.close(), hetzner.stop()]);
});
afterEach(() => expect(estate.violations()).toEqual([]));

const inventory = (server: string): JsonObject => ({
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [{ ...bruno, provider: 'hetzner', server: 'bruno' }],
  domains: [
    { zone: 'quiet.test', at: 'cloudflare', owner: 'n8n', names: [{ name: 'git.quiet.test', host: 'bruno' }] },
    { zone: 'busy.test', at: 'cloudflare', owner: 'n8n', names: [{ name: 'cdn.busy.test', host: 'bruno' }] },
  ],
  resolvers: [server],
  sender: 'n8n@example.test',
  recipients: {
    critical: [{ by: 'telegram', chat: '666' }],
    warning: [{ by: 'telegram', chat: '777' }],
    info: [{ by: 'telegram', chat: '888' }],
  },
  approvers: [{ name: 'owner', by: 'telegram', id: String(owner.id), minutes: 30 }],
  automatic: { dns: ['quiet.test'] },
});

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
  expect(await resolver.resolveMx('mail.busy.test')).toEqual([{ exchange: 'mx.example.net', priority: 10 }]);
  expect(questions()).toHaveLength(2);
}, 150_000);

test('a host whose server is gone stops everything before a name is touched', async () => {
  const servers = hetzner.standIn.state.things.get('servers') ?? [];
  servers.splice(0, servers.length);
  cloudflare.forget();
  const told = await said('666', 'Hetzner has no server for bruno');
  expect(told.text).toContain('No name was changed');
  expect(cloudflare.writes()).toEqual([]);
}, 90_000);
