import fc from 'fast-check';

import type { CloudflareStandIn, Zone } from '../../../lab/standins/cloudflare';
import { zoneNamed } from '../../../lib/cloudflare/zones';
import { applyPlan } from '../../../lib/dns/apply';
import { ownership } from '../../../lib/dns/ownership';
import { changesOf, type PlanRequest, planZone, type ZonePlan } from '../../../lib/dns/plan';
import type { DnsProvider } from '../../../lib/dns/provider';
import { cloudflareDns } from '../../../lib/dns/providers/cloudflare';
import type { DesiredRecord, RecordFields } from '../../../lib/dns/record';
import { namedRecords } from '../../../lib/dns/selectors';
import { planUndo } from '../../../lib/dns/undo';
import { writeZoneFile } from '../../../lib/dns/zone-file-write';
import { isFailure } from '../../../lib/failure';
import { desiredRecords, EVERY_NAME, selectors, US, ZONE, zones } from '../../shared/dns-arbitraries';
import { CLOUDFLARE_LIKE } from '../../shared/memory-dns';
import { clientOf, closeAndKeepContract, cloudflare, task } from './standin';

afterEach(closeAndKeepContract);

/** Fewer than for the engine alone, whose rules they are: here each of them is real requests. */
const RUNS = 15;

interface Drawn {
  readonly zone: RecordFields[];
  readonly desired: DesiredRecord[];
  readonly mode: PlanRequest['mode'];
  readonly adopt: string[];
  readonly change: string[];
}

const drawn: fc.Arbitrary<Drawn> = fc.record({
  zone: zones(CLOUDFLARE_LIKE),
  desired: desiredRecords(CLOUDFLARE_LIKE),
  mode: fc.constantFrom<PlanRequest['mode']>('upsert-only', 'full-sync'),
  adopt: fc.oneof(selectors, fc.constant(EVERY_NAME)),
  change: selectors,
});

interface Scene {
  readonly standIn: CloudflareStandIn;
  readonly zone: Zone;
  readonly provider: DnsProvider;
}

/** A zone with these records, of whomever they are, made through the API itself. */
async function sceneOf(records: readonly RecordFields[]): Promise<Scene> {
  const standIn = await cloudflare();
  const zone = standIn.addZone(ZONE, 'pro');
  const api = clientOf(standIn);
  const provider = cloudflareDns(api, await zoneNamed(api, ZONE, task));
  if (records.length > 0) {
    const changes = records.map((record) => ({ kind: 'create', record }) as const);
    await provider.write(ZONE, { changes, sets: [] }, task);
  }
  standIn.forget();
  return { standIn, zone, provider };
}

async function planIfAllowed({ provider }: Scene, { zone: _, ...wanted }: Drawn): Promise<ZonePlan | undefined> {
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

const stored = ({ standIn, zone }: Scene) => standIn.exported(zone).split('\n').sort();
const lines = (records: readonly RecordFields[]) => records.map((record) => writeZoneFile(ZONE, [record]));

test('for any zone and any desired state nothing is left to do after an apply, no unowned record is touched, and undo restores the zone byte for byte', async () => {
  let planned = 0;
  await fc.assert(
    fc.asyncProperty(drawn, async (draw) => {
      const scene = await sceneOf(draw.zone);
      const { provider, standIn } = scene;
      const before = await provider.listRecords(ZONE, task);
      const asStored = stored(scene);
      const plan = await planIfAllowed(scene, draw);
      if (plan !== undefined) {
        standIn.forget();
        const { undo } = await applyPlan(provider, plan, task);
        const any = changesOf(plan).length > 0;
        planned += any ? 1 : 0;
        expect(standIn.writes()).toHaveLength(any ? 1 : 0);
        expect(changesOf((await planIfAllowed(scene, draw))!)).toEqual([]);

        const ownerOf = ownership(before, provider.capabilities);
        const named = namedRecords([...draw.adopt, ...draw.change], ZONE);
        const unowned = before.filter((record) => ownerOf(record) !== US && !named(record));
        const observed = await provider.listRecords(ZONE, task);
        expect(lines(observed)).toEqual(expect.arrayContaining(lines(unowned)));

        await applyPlan(provider, planUndo({ undo, provider, observed }), task);
        expect(writeZoneFile(ZONE, await provider.listRecords(ZONE, task))).toBe(writeZoneFile(ZONE, before));
        expect(stored(scene)).toEqual(asStored);
      }
      await standIn.close();
    }),
    { numRuns: RUNS },
  );
  expect(planned).toBeGreaterThan(RUNS / 4);
});

test('a crash at any request leaves a state that the next run repairs', async () => {
  await fc.assert(
    fc.asyncProperty(
      drawn,
      fc.integer({ min: 0, max: 4 }),
      fc.constantFrom('break before' as const, 'break after' as const),
      async (draw, after, kind) => {
        const undisturbed = await sceneOf(draw.zone);
        const plan = await planIfAllowed(undisturbed, draw);
        if (plan !== undefined) {
          await applyPlan(undisturbed.provider, plan, task);
          const scene = await sceneOf(draw.zone);
          scene.standIn.fail({ kind, after, times: 99 });
          await planIfAllowed(scene, draw)
            .then((made) => made && applyPlan(scene.provider, made, task))
            .catch((error: unknown) => {
              if (!isFailure(error)) throw error;
            });
          scene.standIn.forget();
          await applyPlan(scene.provider, (await planIfAllowed(scene, draw))!, task);
          expect(stored(scene)).toEqual(stored(undisturbed));
          await scene.standIn.close();
        }
        await undisturbed.standIn.close();
      },
    ),
    { numRuns: RUNS },
  );
});

test('a plan larger than a batch of the zone’s plan is sent in batches', async () => {
  const standIn = await cloudflare();
  const zone = standIn.addZone('kua.cl', 'free');
  const api = clientOf(standIn);
  const provider = cloudflareDns(api, await zoneNamed(api, 'kua.cl', task));
  const named = (prefix: string) =>
    Array.from({ length: 120 }, (_, index): DesiredRecord => ({
      name: `${prefix}${index}.kua.cl`,
      value: { type: 'A', data: { address: '203.0.113.1' } },
    }));
  const sync = async (desired: readonly DesiredRecord[]) => {
    const observed = await provider.listRecords('kua.cl', task);
    const wanted = { zone: 'kua.cl', desired, owner: US, mode: 'full-sync', limits: { share: 1 } } as const;
    return applyPlan(provider, planZone({ ...wanted, provider, observed }), task);
  };
  await sync(named('a'));
  standIn.forget();
  expect(await sync(named('b'))).toMatchObject({ changed: true, writes: 2 });
  const sizes = standIn.writes().map(({ body }) => {
    const { deletes, posts } = body as Readonly<Record<string, readonly unknown[]>>;
    return [deletes?.length ?? 0, posts?.length ?? 0];
  });
  expect(sizes).toEqual([
    [120, 80],
    [0, 40],
  ]);
  expect(zone.records.size).toBe(120);
});
