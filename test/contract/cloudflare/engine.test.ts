import { Resolver } from 'node:dns/promises';

import fc from 'fast-check';

import type { CloudflareStandIn, Zone } from '../../../lab/standins/cloudflare';
import { zoneNamed } from '../../../lib/cloudflare/zones';
import { applyPlan } from '../../../lib/dns/apply';
import { parseDesiredRecords } from '../../../lib/dns/desired';
import { changesOf, type PlanRequest, planZone } from '../../../lib/dns/plan';
import { pointNamesAt } from '../../../lib/dns/point';
import type { DnsProvider } from '../../../lib/dns/provider';
import { cloudflareDns } from '../../../lib/dns/providers/cloudflare';
import { planUndo } from '../../../lib/dns/undo';
import { waitUntilAnswered } from '../../../lib/dns/wait';
import { isFailure } from '../../../lib/failure';
import { clientOf, closeAndKeepContract, cloudflare, task } from './standin';
import { failureOf } from '../../shared/failure';

afterEach(closeAndKeepContract);

const owner = 'estate';

async function start(plan: 'free' | 'pro' = 'free') {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl', plan);
  const api = clientOf(standIn);
  const provider = cloudflareDns(api, await zoneNamed(api, 'kua.cl', task));
  standIn.forget();
  return { standIn, zone, provider };
}

async function planOf(provider: DnsProvider, desired: unknown, more: Partial<PlanRequest> = {}) {
  const observed = await provider.listRecords('kua.cl', task);
  const records = parseDesiredRecords(desired, 'kua.cl');
  return planZone({ zone: 'kua.cl', provider, desired: records, observed, owner, mode: 'full-sync', ...more });
}

const estate = [
  { name: '@', type: 'A', content: '188.34.198.57', proxied: true },
  { name: 'git', type: 'A', content: '188.34.198.57', ttl: 300, comment: 'forge' },
  { name: 'photos', type: 'A', content: '144.217.76.53', proxied: true },
  { name: 'www', type: 'CNAME', content: 'kua.cl', proxied: true },
  { name: '@', type: 'MX', content: 'mail.kua.cl', priority: 10 },
  { name: '@', type: 'TXT', content: `v=spf1 ${'ip4:203.0.113.1 '.repeat(20)}-all` },
  { name: '@', type: 'CAA', data: { flags: 0, tag: 'issue', value: 'letsencrypt.org' } },
  { name: '_sip._tcp', type: 'SRV', data: { priority: 10, weight: 5, port: 5060, target: 'sip.kua.cl' } },
  { name: 'svc', type: 'HTTPS', data: { priority: 1, target: '.', value: 'alpn="h3,h2"' } },
  { name: '_443._tcp', type: 'TLSA', data: { usage: 3, selector: 1, matching_type: 1, certificate: 'ddee' } },
  { name: 'uri', type: 'URI', data: { priority: 1, weight: 2, target: 'https://kua.cl/' } },
  {
    name: 'naptr',
    type: 'NAPTR',
    data: { order: 1, preference: 2, flags: 'S', service: 'SIP+D2U', regex: '', replacement: '_sip._udp.kua.cl' },
  },
];

test('an estate is planned, applied in one write, and then nothing is left to do', async () => {
  const { standIn, provider } = await start();
  const plan = await planOf(provider, estate);
  expect(changesOf(plan)).toHaveLength(estate.length);
  const report = await applyPlan(provider, plan, task);
  expect(report).toMatchObject({ changed: true, writes: 1 });
  expect(standIn.writes()).toHaveLength(1);
  expect(changesOf(await planOf(provider, estate))).toEqual([]);
});

test('undo brings the zone back as it was, comments and switches included', async () => {
  const { standIn, zone, provider } = await start();
  standIn.addRecord(zone, { name: 'foreign', type: 'A', content: '203.0.113.99', comment: 'terraform' });
  await applyPlan(provider, await planOf(provider, estate.slice(0, 8)), task);
  const before = standIn.exported(zone);
  const changed = estate
    .slice(1)
    .map((record) => (record.name === 'git' ? { ...record, ttl: 600, comment: 'new' } : record));
  const limits = { limits: { share: 1 }, delete: ['@ A'] };
  const { undo } = await applyPlan(provider, await planOf(provider, changed, limits), task);
  expect(standIn.exported(zone)).not.toBe(before);
  const observed = await provider.listRecords('kua.cl', task);
  await applyPlan(provider, planUndo({ undo, provider, observed }), task);
  const lines = (file: string) => file.split('\n').sort();
  expect(lines(standIn.exported(zone))).toEqual(lines(before));
});

test('of a zone with a thousand records, one that changed is one write with one patch of what differs', async () => {
  const { standIn, provider } = await start('pro');
  const desired = Array.from({ length: 1000 }, (_, index) => ({
    name: `n${index}`,
    type: 'A',
    content: '203.0.113.1',
    ttl: 300,
  }));
  await applyPlan(provider, await planOf(provider, desired), task);
  standIn.forget();
  const one = desired.map((record, index) => (index === 500 ? { ...record, content: '203.0.113.2' } : record));
  const report = await applyPlan(provider, await planOf(provider, one), task);
  expect(report).toMatchObject({ changed: true, writes: 1 });
  expect(standIn.writes().map(({ url, body }) => [url.split('/').at(-1), body])).toEqual([
    [
      'batch',
      { patches: [{ id: expect.any(String), name: 'n500.kua.cl', type: 'A', ttl: 300, content: '203.0.113.2' }] },
    ],
  ]);
  // Plan, apply, and a look at the result: three pages.
  expect(standIn.seen).toHaveLength(4);
});

test('what others made is never touched', async () => {
  const { standIn, zone, provider } = await start();
  const foreign = standIn.addRecord(zone, { name: 'git', type: 'A', content: '203.0.113.99' });
  expect(await failureOf(planOf(provider, estate))).toMatchObject({ code: 'dns_not_ours' });
  await applyPlan(provider, await planOf(provider, estate, { adopt: ['git'] }), task);
  expect(zone.records.get(foreign.id)).toMatchObject({ content: '188.34.198.57', ttl: 300 });
  expect(standIn.writes()).toHaveLength(1);
});

test('a batch that is refused is done name by name, and the report says which were done and which not', async () => {
  const { standIn, zone, provider } = await start();
  const plan = await planOf(provider, estate.slice(1, 3));
  // Between plan and write somebody else takes one of the names.
  const racing: DnsProvider = {
    ...provider,
    write: async (name, write, during) => {
      if (write.changes.length > 1) standIn.addRecord(zone, { name: 'git', type: 'CNAME', content: 'elsewhere.net' });
      return provider.write(name, write, during);
    },
  };
  const failure = await failureOf(applyPlan(racing, plan, task));
  expect(failure.message).toContain('kua.cl');
  expect([...zone.records.values()].map(({ name, type }) => `${name} ${type}`)).toEqual([
    'git.kua.cl CNAME',
    'photos.kua.cl A',
  ]);
  expect(standIn.writes()).toHaveLength(3);
});

test('a crash at any request leaves what the next run repairs', async () => {
  for (const kind of ['break before', 'break after'] as const) {
    for (let request = 0; request < 4; request += 1) {
      const { standIn, zone, provider } = await start();
      standIn.addRecord(zone, { name: 'foreign', type: 'TXT', content: 'kept' });
      standIn.fail({ kind, after: request, times: 99 });
      await planOf(provider, estate)
        .then((plan) => applyPlan(provider, plan, task))
        .catch((error: unknown) => {
          if (!isFailure(error)) throw error;
        });
      standIn.forget();
      await applyPlan(provider, await planOf(provider, estate), task);
      expect(changesOf(await planOf(provider, estate))).toEqual([]);
      expect(zone.records.size).toBe(estate.length + 1);
    }
  }
});

test('for any two states, going from one to the other and then planning again finds nothing to do', async () => {
  const name = fc.constantFrom('@', 'a', 'b', 'c.d', '*');
  const record = fc.oneof(
    fc.record({ name, type: fc.constant('A'), content: fc.ipV4(), ttl: fc.constantFrom(1, 60, 86_400) }),
    fc.record({ name, type: fc.constant('AAAA'), content: fc.ipV6(), ttl: fc.constantFrom(1, 300) }),
    fc.record({ name, type: fc.constant('TXT'), content: fc.string({ minLength: 1, maxLength: 300 }) }),
    fc.record({
      name,
      type: fc.constant('MX'),
      content: fc.constantFrom('mx1.example.net', 'mx2.example.net'),
      priority: fc.integer({ min: 0, max: 65_535 }),
    }),
  );
  const key = (one: { name: string; type: string; content: string }) => `${one.name} ${one.type}`;
  const state = fc.uniqueArray(record, { maxLength: 8, selector: key });
  const loose = {
    limits: { share: 1 },
    delete: ['@ A', '@ AAAA', '@ TXT', ...['@', 'a', 'b', 'c.d', '*'].map((n) => `${n} MX`)],
    allowEmpty: true,
  };
  await fc.assert(
    fc.asyncProperty(state, state, async (first, second) => {
      const { standIn, provider } = await start();
      await applyPlan(provider, await planOf(provider, first, loose), task);
      await applyPlan(provider, await planOf(provider, second, loose), task);
      expect(changesOf(await planOf(provider, second, loose))).toEqual([]);
      await standIn.close();
    }),
    { numRuns: 25 },
  );
});

describe('over DNS', () => {
  async function resolverOf(standIn: CloudflareStandIn) {
    const dns = await standIn.serveDns('198.51.100.1');
    const resolver = new Resolver({ timeout: 2000, tries: 2 });
    resolver.setServers([dns.address]);
    return { dns, resolver };
  }
  const txt = (zone: Zone) => [...zone.records.values()].find(({ type }) => type === 'TXT')!.content;

  test('the zones of the stand-in answer as they are', async () => {
    const { standIn, zone, provider } = await start();
    await applyPlan(provider, await planOf(provider, estate), task);
    const { resolver } = await resolverOf(standIn);
    expect(await resolver.resolve4('git.kua.cl')).toEqual(['188.34.198.57']);
    expect(await resolver.resolve4('photos.kua.cl')).toEqual(['198.51.100.1']);
    expect((await resolver.resolveMx('kua.cl')).map(({ exchange, priority }) => ({ exchange, priority }))).toEqual([
      { exchange: 'mail.kua.cl', priority: 10 },
    ]);
    expect(
      (await resolver.resolveSrv('_sip._tcp.kua.cl')).map(({ name, port, priority, weight }) => ({
        name,
        port,
        priority,
        weight,
      })),
    ).toEqual([{ name: 'sip.kua.cl', port: 5060, priority: 10, weight: 5 }]);
    expect((await resolver.resolveTxt('kua.cl')).map((parts) => parts.join(''))).toEqual([estate[5]!.content]);
    expect(txt(zone)).toContain('" "');
    await expect(resolver.resolve4('nobody.kua.cl')).rejects.toMatchObject({ code: 'ENOTFOUND' });
    await expect(resolver.resolve6('git.kua.cl')).rejects.toMatchObject({ code: 'ENODATA' });
  });

  test('a failover moves all names of an address in one write, and every lookup follows', async () => {
    const { standIn, zone, provider } = await start();
    const names = [
      'kua.cl',
      ...['git', 'media', 'cdn', 'notes', 'docs', 'n8n', 'secrets'].map((one) => `${one}.kua.cl`),
    ];
    for (const name of names) {
      standIn.addRecord(zone, { name, type: 'A', content: '188.34.198.57', ttl: 60, comment: 'terraform' });
    }
    const { dns } = await resolverOf(standIn);
    const servers = [{ address: dns.address, kind: 'resolver' as const }];
    standIn.forget();
    const move = async (address: string) => {
      const [pointing] = pointNamesAt({ names, zones: ['kua.cl'], address });
      const observed = await provider.listRecords('kua.cl', task);
      return applyPlan(provider, planZone({ ...pointing!, provider, observed, owner }), task);
    };
    expect(await move('144.217.76.53')).toMatchObject({ changed: true, writes: 1 });
    for (const name of names) {
      const wanted = { name, type: 'A' as const, expected: ['144.217.76.53'], servers, deadlineMs: 5000 };
      expect(await waitUntilAnswered(wanted, task)).toMatchObject({ agreeing: 1, rounds: 1 });
    }
    expect([...zone.records.values()].every(({ comment, ttl }) => comment === 'terraform' && ttl === 60)).toBe(true);
    expect(await move('144.217.76.53')).toMatchObject({ changed: false, writes: 0 });
    expect(standIn.writes()).toHaveLength(1);
  });
});
