import fc from 'fast-check';

import type { HetznerStandIn } from '../../../lab/standins/hetzner';
import { zoneFileOf } from '../../../lab/standins/hetzner/record-sets';
import type { Thing } from '../../../lab/standins/hetzner/state';
import { applyPlan } from '../../../lib/dns/apply';
import { parseDesiredRecords } from '../../../lib/dns/desired';
import { ownership } from '../../../lib/dns/ownership';
import { changesOf, type PlanRequest, planZone } from '../../../lib/dns/plan';
import { pointNamesAt } from '../../../lib/dns/point';
import type { DnsProvider } from '../../../lib/dns/provider';
import { hetznerDns } from '../../../lib/dns/providers/hetzner';
import type { RecordFields } from '../../../lib/dns/record';
import { namedRecords } from '../../../lib/dns/selectors';
import { planUndo } from '../../../lib/dns/undo';
import { writeRdata } from '../../../lib/dns/value';
import { writeZoneFile } from '../../../lib/dns/zone-file-write';
import { getItem } from '../../../lib/hetzner/read';
import { zones as zoneResource } from '../../../lib/hetzner/resources/dns';
import { isFailure } from '../../../lib/failure';
import { desiredRecords, EVERY_NAME, selectors, US, ZONE, zones } from '../../shared/dns-arbitraries';
import { hetznerSetting } from '../../shared/hetzner';
import { quietTask } from '../../shared/task';
import { contracts } from './standin';
import { failureOf } from '../../shared/failure';

const task = quietTask();
const { listening, takeViolations } = contracts();
let standIn: HetznerStandIn;
let api: Awaited<ReturnType<typeof hetznerSetting>>['api'];

beforeEach(async () => {
  const limit = { requests: 1_000_000, perSecond: 100_000 };
  ({ standIn, api } = await hetznerSetting({ instant: true, limit, ...listening }));
});

afterEach(async () => {
  await standIn.close();
  expect(takeViolations()).toEqual([]);
});

interface Scene {
  readonly zone: Thing;
  readonly name: string;
  readonly provider: DnsProvider;
}

/** A zone as Hetzner makes it: with its SOA and its name servers. */
async function start(name = 'kua.cl', mode = 'primary'): Promise<Scene> {
  standIn.state.things.set('zones', []);
  standIn.state.things.set('rrsets', []);
  const zone = standIn.add('zones', { name, mode });
  add(zone, '@', 'SOA', ['hydrogen.ns.hetzner.com. dns.hetzner.com. 2026112001 86400 10800 3600000 3600']);
  add(zone, '@', 'NS', ['hydrogen.ns.hetzner.com.', 'oxygen.ns.hetzner.com.', 'helium.ns.hetzner.de.']);
  const provider = hetznerDns(api, await getItem(api, zoneResource, { id: name }, task));
  standIn.cloud.forget();
  return { zone, name, provider };
}

function add(zone: Thing, name: string, type: string, values: readonly string[], more: Thing = {}, comment?: string) {
  const records = values.map((value) => ({ value, ...(comment !== undefined && { comment }) }));
  standIn.add('rrsets', { name, type, records }, more, zone);
}

const writes = () =>
  standIn.cloud.seen
    .filter(({ method }) => method !== 'GET')
    .map(({ url, body }) => [url.replace(/^\/zones\/\d+\/rrsets/, ''), body]);
const file = ({ zone }: Scene) => zoneFileOf(zone, standIn.state).split('\n').sort().join('\n');

async function planOf({ provider, name }: Scene, desired: unknown, more: Partial<PlanRequest> = {}) {
  const observed = await provider.listRecords(name, task);
  const records = parseDesiredRecords(desired, name);
  return planZone({ zone: name, provider, desired: records, observed, owner: 'estate', mode: 'full-sync', ...more });
}

const OURS = 'managed-by=selfhost owner=estate';
const a = (name: string, content: string, more: object = {}) => ({ name, type: 'A', content, ...more });

const estate = [
  a('@', '188.34.198.57'),
  a('git', '188.34.198.57', { ttl: 300, comment: 'forge' }),
  a('many', '188.34.198.57'),
  a('many', '144.217.76.53'),
  { name: 'www', type: 'CNAME', content: 'kua.cl' },
  { name: '@', type: 'MX', content: 'mail.kua.cl', priority: 10 },
  { name: '@', type: 'TXT', content: `v=spf1 ${'ip4:203.0.113.1 '.repeat(20)}-all` },
  { name: '@', type: 'CAA', data: { flags: 0, tag: 'issue', value: 'letsencrypt.org' } },
  { name: '_sip._tcp', type: 'SRV', data: { priority: 10, weight: 5, port: 5060, target: 'sip.kua.cl' } },
  { name: 'svc', type: 'HTTPS', data: { priority: 1, target: '.', value: 'alpn="h3,h2"' } },
  { name: '_443._tcp', type: 'TLSA', data: { usage: 3, selector: 1, matching_type: 1, certificate: 'ddee' } },
];

test('an estate is planned, applied with one request a record set, and then nothing is left to do', async () => {
  const scene = await start();
  const report = await applyPlan(scene.provider, await planOf(scene, estate), task);
  expect(report).toMatchObject({ changed: true, writes: 10 });
  expect(writes()).toHaveLength(10);
  expect(writes()).toContainEqual([
    '',
    { name: 'git', type: 'A', ttl: 300, records: [{ value: '188.34.198.57', comment: `${OURS} | forge` }] },
  ]);
  expect(writes()).toContainEqual([
    '',
    { name: '@', type: 'MX', records: [{ value: '10 mail.kua.cl.', comment: OURS }] },
  ]);
  expect(changesOf(await planOf(scene, estate))).toEqual([]);
});

test('each kind of change is the smallest request that says it', async () => {
  const scene = await start();
  add(scene.zone, 'txt', 'TXT', ['"by hand"'], { ttl: 300 }, 'hand');
  const txt = (content: string, more: object = {}) => ({ name: 'txt', type: 'TXT', content, ttl: 300, ...more });
  const go = async (desired: unknown, more: Partial<PlanRequest> = {}) => {
    standIn.cloud.forget();
    await applyPlan(scene.provider, await planOf(scene, desired, { allowEmpty: true, ...more }), task);
    return writes();
  };
  const one = [{ value: '"one"', comment: OURS }];
  expect(await go([txt('one')])).toEqual([['/txt/TXT/actions/add_records', { records: one }]]);
  expect(await go([txt('one', { comment: 'why' })])).toEqual([
    ['/txt/TXT/actions/update_records', { records: [{ value: '"one"', comment: `${OURS} | why` }] }],
  ]);
  expect(await go([txt('two', { comment: 'why' })])).toEqual([
    [
      '/txt/TXT/actions/set_records',
      {
        records: [
          { value: '"by hand"', comment: 'hand' },
          { value: '"two"', comment: `${OURS} | why` },
        ],
      },
    ],
  ]);
  expect(await go([])).toEqual([['/txt/TXT/actions/remove_records', { records: [{ value: '"two"' }] }]]);
  await go([a('w', '203.0.113.1')]);
  expect(await go([a('w', '203.0.113.1', { ttl: 60 })])).toEqual([['/w/A/actions/change_ttl', { ttl: 60 }]]);
  expect(await go([a('w', '203.0.113.1', { ttl: 1 })])).toEqual([['/w/A/actions/change_ttl', { ttl: null }]]);
  expect(await go([a('w', '203.0.113.2', { ttl: 60 })])).toEqual([
    ['/w/A/actions/set_records', { records: [{ value: '203.0.113.2', comment: OURS }] }],
    ['/w/A/actions/change_ttl', { ttl: 60 }],
  ]);
  // The last record goes as a record, not as the set: one that somebody adds in this moment stays.
  expect(await go([])).toEqual([['/w/A/actions/remove_records', { records: [{ value: '203.0.113.2' }] }]]);
});

test('of a zone with a thousand records, one that changed is one request', async () => {
  const scene = await start();
  const desired = Array.from({ length: 1000 }, (_, index) => a(`n${index}`, '203.0.113.1', { ttl: 300 }));
  for (const { name } of desired) add(scene.zone, name, 'A', ['203.0.113.1'], { ttl: 300 }, OURS);
  const changed = desired.map((record, index) => (index === 500 ? { ...record, content: '203.0.113.2' } : record));
  const report = await applyPlan(scene.provider, await planOf(scene, changed), task);
  expect(report).toMatchObject({ changed: true, writes: 1 });
  expect(writes()).toEqual([['/n500/A/actions/set_records', { records: [{ value: '203.0.113.2', comment: OURS }] }]]);
});

test('a set of more than fifty records is changed in pieces, and nothing of it is lost on the way', async () => {
  const scene = await start();
  const many = (from: number) =>
    Array.from({ length: 120 }, (_, index) => ({ name: 'big', type: 'TXT', content: `${from} ${index}`, ttl: 60 }));
  await applyPlan(scene.provider, await planOf(scene, many(1)), task);
  const limits = { limits: { share: 1 } };
  await applyPlan(scene.provider, await planOf(scene, many(2), limits), task);
  expect(changesOf(await planOf(scene, many(2), limits))).toEqual([]);
  await applyPlan(
    scene.provider,
    await planOf(
      scene,
      many(2).map((one) => ({ ...one, ttl: 300 })),
      limits,
    ),
    task,
  );
  expect(standIn.state.things.get('rrsets')?.at(-1)).toMatchObject({ name: 'big', ttl: 300 });
  expect((standIn.state.things.get('rrsets')?.at(-1)?.['records'] as unknown[]).length).toBe(120);
});

test('names are pointed at another address whoever made them, and a second time nothing is sent', async () => {
  const scene = await start();
  for (const name of ['@', 'git', 'docs']) add(scene.zone, name, 'A', ['188.34.198.57'], { ttl: 60 }, 'terraform');
  const move = async () => {
    const [pointing] = pointNamesAt({
      names: ['kua.cl', 'git.kua.cl', 'docs.kua.cl'],
      zones: ['kua.cl'],
      address: '144.217.76.53',
    });
    const observed = await scene.provider.listRecords('kua.cl', task);
    return applyPlan(
      scene.provider,
      planZone({ ...pointing!, provider: scene.provider, observed, owner: 'estate' }),
      task,
    );
  };
  expect(await move()).toMatchObject({ changed: true, writes: 3 });
  expect(writes().map(([, body]) => body)).toEqual(
    Array.from({ length: 3 }, () => ({ records: [{ value: '144.217.76.53', comment: 'terraform' }] })),
  );
  expect(await move()).toMatchObject({ changed: false, writes: 0 });
});

describe('what Hetzner does not allow, or somebody else does meanwhile', () => {
  test('a set that changed after the look is not overwritten', async () => {
    const scene = await start();
    add(scene.zone, 'txt', 'TXT', ['"one"'], { ttl: 300 }, OURS);
    const plan = await planOf(scene, [{ name: 'txt', type: 'TXT', content: 'two', ttl: 300 }]);
    const racing: DnsProvider = {
      ...scene.provider,
      write: (name, write, during) => {
        const [set] = standIn.state.things.get('rrsets')?.slice(-1) ?? [];
        set!['records'] = [...(set!['records'] as unknown[]), { value: '"theirs"' }];
        return scene.provider.write(name, write, during);
      },
    };
    const failure = await failureOf(applyPlan(racing, plan, task));
    expect(failure).toMatchObject({
      code: 'dns_partly_applied',
      details: {
        outcomes: [
          {
            outcome: 'refused',
            reason:
              'The record set txt.kua.cl TXT was changed by somebody else in this moment, so it was not overwritten',
          },
        ],
      },
    });
    expect(writes()).toEqual([]);
  });

  test('a protected record set is refused by name, and the others are done', async () => {
    const scene = await start();
    add(scene.zone, 'a', 'A', ['203.0.113.1'], { ttl: 300, protection: { change: true } }, OURS);
    const plan = await planOf(scene, [a('a', '203.0.113.2'), a('b', '203.0.113.2')]);
    const failure = await failureOf(applyPlan(scene.provider, plan, task));
    expect(failure.details.outcomes).toMatchObject([
      { change: 'update of the record a.kua.cl A (content)', outcome: 'refused' },
      { change: 'creation of the record b.kua.cl A 203.0.113.2', outcome: 'done' },
    ]);
  });

  test('when the TTL is refused after the records were set, the report says what stands in the zone', async () => {
    const scene = await start();
    add(scene.zone, 'a', 'A', ['203.0.113.1'], { ttl: 300 }, OURS);
    const reply = { status: 422, json: { error: { code: 'invalid_input', message: 'no such TTL', details: null } } };
    standIn.cloud.fail({ kind: 'answer', path: /change_ttl/, reply });
    const failure = await failureOf(
      applyPlan(scene.provider, await planOf(scene, [a('a', '203.0.113.2', { ttl: 60 })]), task),
    );
    expect(failure.details.outcomes).toMatchObject([{ outcome: 'not done' }]);
    await applyPlan(scene.provider, await planOf(scene, [a('a', '203.0.113.2', { ttl: 60 })]), task);
    expect(changesOf(await planOf(scene, [a('a', '203.0.113.2', { ttl: 60 })]))).toEqual([]);
  });

  test('a secondary zone is refused before anything is asked of it', async () => {
    await expect(start('second.cl', 'secondary')).rejects.toMatchObject({ code: 'dns_zone_secondary' });
  });
});

describe('for random zones and desired states', () => {
  /** Fewer than for the engine alone, whose rules they are: each of them is dozens of requests. */
  const RUNS = 20;

  async function sceneOf(records: readonly RecordFields[]): Promise<Scene> {
    const scene = await start(ZONE);
    const sets = new Map<string, RecordFields[]>();
    for (const record of records) {
      const key = `${record.name} ${record.value.type}`;
      sets.set(key, [...(sets.get(key) ?? []), record]);
    }
    for (const group of sets.values()) {
      const [{ name, value, ttl } = group[0]!] = group;
      standIn.add(
        'rrsets',
        {
          name: name === ZONE ? '@' : name.slice(0, -ZONE.length - 1),
          type: value.type,
          records: group.map((one) => ({ value: writeRdata(one.value), comment: one.comment })),
        },
        { ttl: ttl === 1 ? null : ttl },
        scene.zone,
      );
    }
    return scene;
  }

  const capabilities = async () => (await start(ZONE)).provider.capabilities;
  const scenesOf = async () => {
    const able = await capabilities();
    return fc.record({
      zone: zones(able),
      desired: desiredRecords(able),
      mode: fc.constantFrom<PlanRequest['mode']>('upsert-only', 'full-sync'),
      adopt: fc.oneof(selectors, fc.constant(EVERY_NAME)),
      change: selectors,
    });
  };
  type Drawn = Awaited<ReturnType<typeof scenesOf>> extends fc.Arbitrary<infer T> ? T : never;

  async function planIfAllowed({ provider }: Scene, { zone: _, ...wanted }: Drawn) {
    const observed = await provider.listRecords(ZONE, task);
    const more = { delete: EVERY_NAME, allowEmpty: true, limits: { share: 1 } };
    try {
      return planZone({ ...wanted, ...more, zone: ZONE, provider, observed, owner: US });
    } catch (error) {
      const refusals = ['dns_not_ours', 'dns_several_records', 'dns_records_invalid'];
      if (refusals.some((code) => isFailure(error, code))) return undefined;
      throw error;
    }
  }
  const exported = async ({ provider }: Scene) => writeZoneFile(ZONE, await provider.listRecords(ZONE, task));

  test('nothing is left to do after an apply, no unowned record is touched, and undo restores the zone byte for byte', async () => {
    let planned = 0;
    await fc.assert(
      fc.asyncProperty(await scenesOf(), async (drawn) => {
        const scene = await sceneOf(drawn.zone);
        const before = await exported(scene);
        const stored = file(scene);
        const records = await scene.provider.listRecords(ZONE, task);
        const plan = await planIfAllowed(scene, drawn);
        if (plan === undefined) return;
        planned += changesOf(plan).length > 0 ? 1 : 0;
        const { undo } = await applyPlan(scene.provider, plan, task);
        expect(changesOf((await planIfAllowed(scene, drawn))!)).toEqual([]);

        const ownerOf = ownership(records, scene.provider.capabilities);
        const named = namedRecords([...drawn.adopt, ...drawn.change], ZONE);
        const lines = (some: readonly RecordFields[]) => some.map((record) => writeZoneFile(ZONE, [record]));
        const unowned = records.filter((record) => ownerOf(record) !== US && !named(record));
        expect(lines(await scene.provider.listRecords(ZONE, task))).toEqual(expect.arrayContaining(lines(unowned)));

        const observed = await scene.provider.listRecords(ZONE, task);
        await applyPlan(scene.provider, planUndo({ undo, provider: scene.provider, observed }), task);
        expect(await exported(scene)).toBe(before);
        expect(file(scene)).toBe(stored);
      }),
      { numRuns: RUNS },
    );
    expect(planned).toBeGreaterThan(RUNS / 4);
  });

  test('a crash at any request leaves a state that the next run repairs', async () => {
    await fc.assert(
      fc.asyncProperty(
        await scenesOf(),
        fc.integer({ min: 0, max: 12 }),
        fc.constantFrom('break before' as const, 'break after' as const),
        async (drawn, request, kind) => {
          const undisturbed = await sceneOf(drawn.zone);
          const plan = await planIfAllowed(undisturbed, drawn);
          if (plan === undefined) return;
          await applyPlan(undisturbed.provider, plan, task);
          const wanted = file(undisturbed);

          const scene = await sceneOf(drawn.zone);
          standIn.cloud.fail({ kind, after: request, times: 200 });
          await planIfAllowed(scene, drawn)
            .then((made) => made && applyPlan(scene.provider, made, task))
            .catch((error: unknown) => {
              if (!isFailure(error)) throw error;
            });
          standIn.cloud.forget();
          await applyPlan(scene.provider, (await planIfAllowed(scene, drawn))!, task);
          expect(file(scene)).toBe(wanted);
        },
      ),
      { numRuns: RUNS },
    );
  });
});
