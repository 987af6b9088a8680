import fc from 'fast-check';
import { isFailure } from '../../../../lib/failure';
import { applyPlan } from '../../../../lib/dns/apply';
import { isClaim } from '../../../../lib/dns/claims';
import { ownership } from '../../../../lib/dns/ownership';
import { changesOf, planZone, type PlanRequest, type ZonePlan } from '../../../../lib/dns/plan';
import type { Capabilities } from '../../../../lib/dns/provider';
import type { DesiredRecord, RecordFields } from '../../../../lib/dns/record';
import { namedRecords } from '../../../../lib/dns/selectors';
import { planUndo } from '../../../../lib/dns/undo';
import { writeZoneFile } from '../../../../lib/dns/zone-file-write';
import { desiredRecords, EVERY_NAME, selectors, US, ZONE, zones } from '../../../shared/dns-arbitraries';
import { CLOUDFLARE_LIKE, HETZNER_LIKE, memoryDns, PLAIN, type MemoryDns } from '../../../shared/memory-dns';
import { quietTask } from '../../../shared/task';

interface Scene {
  readonly zone: RecordFields[];
  readonly desired: DesiredRecord[];
  readonly mode: PlanRequest['mode'];
  readonly adopt: string[];
  readonly change: string[];
}

function scenes(capabilities: Capabilities): fc.Arbitrary<Scene> {
  return fc.record({
    zone: zones(capabilities),
    desired: desiredRecords(capabilities),
    mode: fc.constantFrom('upsert-only', 'full-sync'),
    adopt: fc.oneof(selectors, fc.constant(EVERY_NAME)),
    change: selectors,
  });
}

function planFor(provider: MemoryDns, { desired, mode, adopt, change }: Scene): ZonePlan {
  return planZone({
    zone: ZONE,
    provider,
    desired,
    observed: provider.records(),
    owner: US,
    mode,
    adopt,
    change,
    delete: EVERY_NAME,
    allowEmpty: true,
    limits: { share: 1 },
  });
}

/** The plan, or nothing where it is refused: because something unowned is in the way, or the zone would be broken. */
function planIfAllowed(provider: MemoryDns, scene: Scene): ZonePlan | undefined {
  try {
    return planFor(provider, scene);
  } catch (error) {
    if (['dns_not_ours', 'dns_several_records', 'dns_records_invalid'].some((code) => isFailure(error, code))) {
      return undefined;
    }
    throw error;
  }
}

const exported = (provider: MemoryDns) => writeZoneFile(ZONE, provider.records());
const task = quietTask();
const RUNS = 100;

describe.each([
  ['Cloudflare-like, one batch', CLOUDFLARE_LIKE],
  ['Cloudflare-like, batches of 3', { ...CLOUDFLARE_LIKE, batch: { most: 3, of: 'zone', atomic: true } }],
  ['Hetzner-like, record sets', HETZNER_LIKE],
  ['plain, one record a request, claims in TXT', PLAIN],
] as const)('for random zones and desired states (%s)', (_name, capabilities: Capabilities) => {
  let planned = 0;

  it('there is nothing left to do after an apply', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(capabilities), async (scene) => {
        const provider = memoryDns(capabilities, scene.zone);
        const plan = planIfAllowed(provider, scene);
        if (plan === undefined) return;
        planned += changesOf(plan).length > 0 ? 1 : 0;
        await applyPlan(provider, plan, task);
        expect(changesOf(planFor(provider, scene))).toEqual([]);
      }),
      { numRuns: RUNS },
    );
    // The property means nothing when most scenes are refused.
    expect(planned).toBeGreaterThan(RUNS / 4);
  });

  it('undo restores the zone byte for byte', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(capabilities), async (scene) => {
        const provider = memoryDns(capabilities, scene.zone);
        const before = exported(provider);
        const plan = planIfAllowed(provider, scene);
        if (plan === undefined) return;
        const { undo } = await applyPlan(provider, plan, task);
        expect(undo.export).toBe(before);
        await applyPlan(provider, planUndo({ undo, provider, observed: provider.records() }), task);
        expect(exported(provider)).toBe(before);
      }),
      { numRuns: RUNS },
    );
  });

  it('an unowned record is never deleted, and changed only when it is named', async () => {
    await fc.assert(
      fc.asyncProperty(scenes(capabilities), async (scene) => {
        const provider = memoryDns(capabilities, scene.zone);
        const before = provider.records();
        const ownerOf = ownership(before, capabilities);
        const plan = planIfAllowed(provider, scene);
        if (plan === undefined) return;
        const named = namedRecords([...scene.adopt, ...scene.change], ZONE);
        const { undo } = await applyPlan(provider, plan, task);
        const unowned = before.filter((record) => ownerOf(record) !== US && !isClaim(record));
        const lines = (records: readonly RecordFields[]) => records.map((record) => writeZoneFile(ZONE, [record]));
        expect(lines(provider.records())).toEqual(
          expect.arrayContaining(lines(unowned.filter((record) => !named(record)))),
        );
        const sets = (records: readonly RecordFields[]) => records.map(({ name, value }) => `${name} ${value.type}`);
        expect(sets(provider.records())).toEqual(expect.arrayContaining(sets(unowned)));
        await applyPlan(provider, planUndo({ undo, provider, observed: provider.records() }), task);
        expect(lines(provider.records())).toEqual(expect.arrayContaining(lines(unowned)));
      }),
      { numRuns: RUNS },
    );
  });

  it('a crash after any request leaves a state that the next run repairs', async () => {
    await fc.assert(
      fc.asyncProperty(
        scenes(capabilities),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom('before', 'after'),
        async (scene, atWrite, when) => {
          const undisturbed = memoryDns(capabilities, scene.zone);
          const plan = planIfAllowed(undisturbed, scene);
          if (plan === undefined) return;
          await applyPlan(undisturbed, plan, task);

          const provider = memoryDns(capabilities, scene.zone);
          provider.fault = { kind: 'crash', atWrite, when };
          await applyPlan(provider, planFor(provider, scene), task).catch((error: unknown) => {
            if (!isFailure(error, 'dns_partly_applied')) throw error;
          });
          provider.fault = undefined;
          await applyPlan(provider, planFor(provider, scene), task);
          expect(exported(provider)).toBe(exported(undisturbed));
        },
      ),
      { numRuns: RUNS },
    );
  });
});
