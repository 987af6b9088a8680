import type { Host } from '../../host/host';
import type { Task } from '../../task';
import type { Described } from '../described/described';
import { storedPlan } from '../described/groups';
import { folderOf } from '../plan';
import { verifyBackup, type VerifiedCopy } from '../verify';
import { listStored, sourceOf, type Listing, type StoredBackup } from './listing';

const HOUR = 3_600_000;

/** What one destination holds of one source. */
export interface Holding {
  /** As in the plan; for what is stored but not in the plan any more, as in its manifest, or its folder. */
  readonly source: string;
  readonly destination: string;
  readonly planned: boolean;
  readonly state: 'fresh' | 'late' | 'none' | 'unreachable';
  readonly sentence: string;
  readonly backups: number;
  readonly damaged: number;
  readonly incomplete: number;
  readonly bytes: number;
  readonly oldest: string | null;
  readonly newest: string | null;
  readonly newestAgeHours: number | null;
  readonly newestBytes: number | null;
  /** The newest that is proven just now: by the remote's hashes, or by reading all of it back. */
  readonly verified: string | null;
  /** Of the newest: `unproven` has the right sizes at a remote that tells no hashes; `none` was not looked at. */
  readonly copy: 'proven' | 'unproven' | 'none';
  /** Since the newest verified backup began: what an alert compares with its limit. */
  readonly verifiedAgeHours: number | null;
  /** How much larger the newest is than the one before. */
  readonly growthBytes: number | null;
  /** Backups that did not come when they should have. */
  readonly gaps: readonly { readonly after: string; readonly before: string; readonly hours: number }[];
  /** What is wrong with backups there, newest first. */
  readonly problems: readonly { readonly name: string; readonly problem: string }[];
}

export interface Inventory {
  readonly at: Date;
  readonly holdings: readonly Holding[];
  readonly listings: readonly Listing[];
  /** Places of copies that were found damaged by their hashes: `destination/folder/name`. */
  readonly damaged: ReadonlySet<string>;
}

export interface InventoryOptions {
  /** `listing` compares sizes with the manifests, `hash` the newest with the remotes' hashes, `full` reads it back. */
  readonly depth: 'listing' | 'hash' | 'full';
  readonly now?: Date;
}

/** How many backups are compared at the same time. */
const AT_ONCE = 3;

/** How many older backups are looked at when the newest is damaged. */
const LOOK_BACK = 3;

/** What exists where, and how old the newest good backup of each source is at each destination. */
export async function takeInventory(
  host: Host,
  described: Described,
  options: InventoryOptions,
  task: Task,
): Promise<Inventory> {
  const { plan } = described;
  const listings = await listStored(host, plan.vault, plan.destinations, task);
  const copies = new Map<string, VerifiedCopy>();
  const { depth } = options;
  if (depth !== 'listing') {
    for (let round = 0; round < LOOK_BACK; round += 1) {
      const wanted = unknownNewest(listings, copies);
      if (wanted.size === 0) break;
      const compare = async ([place, names]: readonly [string, ReadonlySet<string>]) => {
        const [folder = '', name = ''] = place.split('/');
        const destinations = plan.destinations.filter((each) => names.has(each.name));
        const backup = { source: folder, name };
        const request = { vault: plan.vault, backup, destinations, depth: { kind: depth } };
        task.progress({ message: `Comparing ${place} with its manifest at ${[...names].join(', ')}` });
        for (const copy of (await verifyBackup(host, request, task)).copies)
          copies.set(`${copy.destination}/${place}`, copy);
      };
      const places = [...wanted];
      for (let first = 0; first < places.length; first += AT_ONCE)
        await Promise.all(places.slice(first, first + AT_ONCE).map(compare));
    }
  }
  const at = options.now ?? new Date();
  return {
    at,
    holdings: describeHoldings({ ...described, plan: storedPlan(described, listings) }, listings, copies, at),
    listings,
    damaged: new Set([...copies].flatMap(([place, { status }]) => (isBad(status) ? [place] : []))),
  };
}

/** For every place the newest complete backup that nobody has looked at yet, where none is known to be good. */
function unknownNewest(listings: readonly Listing[], copies: ReadonlyMap<string, VerifiedCopy>) {
  const wanted = new Map<string, Set<string>>();
  for (const listing of listings) {
    if (listing.kind !== 'read') continue;
    for (const [folder, backups] of byFolder(listing.backups)) {
      for (const { name, state } of backups.toReversed()) {
        if (state.kind !== 'complete') continue;
        const known = copies.get(`${listing.destination}/${folder}/${name}`);
        if (known !== undefined && isBad(known.status)) continue;
        if (known === undefined) {
          const names = wanted.get(`${folder}/${name}`) ?? new Set<string>();
          wanted.set(`${folder}/${name}`, names.add(listing.destination));
        }
        break;
      }
    }
  }
  return wanted;
}

function isBad(status: VerifiedCopy['status']): boolean {
  return status === 'damaged' || status === 'missing';
}

export function byFolder(backups: readonly StoredBackup[]): Map<string, StoredBackup[]> {
  const folders = new Map<string, StoredBackup[]>();
  for (const backup of backups) folders.set(backup.folder, [...(folders.get(backup.folder) ?? []), backup]);
  return folders;
}

/** Pure: what the listings and the comparisons say. */
export function describeHoldings(
  { plan, everyHours }: Pick<Described, 'plan' | 'everyHours'>,
  listings: readonly Listing[],
  copies: ReadonlyMap<string, Pick<VerifiedCopy, 'status' | 'sentence'>>,
  now: Date,
): Holding[] {
  const planned = new Map(plan.sources.map((source) => [folderOf(source), source.name]));
  const stored = new Map<string, string>();
  for (const listing of listings) {
    if (listing.kind !== 'read') continue;
    for (const { folder, state } of listing.backups) {
      if (planned.has(folder)) continue;
      const known = 'manifest' in state && state.manifest !== undefined ? sourceOf(state.manifest) : stored.get(folder);
      stored.set(folder, known ?? folder);
    }
  }
  const folders = [...planned, ...[...stored].sort(([one], [other]) => (one < other ? -1 : 1))];
  return folders.flatMap(([folder, source]) =>
    listings.flatMap((listing): Holding[] => {
      const own = planned.has(folder);
      if (listing.kind === 'unreachable') return own ? [unreachable(source, listing)] : [];
      const backups = byFolder(listing.backups).get(folder) ?? [];
      if (!own && backups.length === 0) return [];
      const known = (name: string) => copies.get(`${listing.destination}/${folder}/${name}`);
      return [holdingOf(source, own, listing.destination, backups, known, everyHours, now)];
    }),
  );
}

function holdingOf(
  source: string,
  planned: boolean,
  destination: string,
  backups: readonly StoredBackup[],
  known: (name: string) => Pick<VerifiedCopy, 'status' | 'sentence'> | undefined,
  everyHours: number,
  now: Date,
): Holding {
  const problems = backups.toReversed().flatMap(({ name, state }) => {
    const copy = known(name);
    if (state.kind === 'damaged') return [{ name, problem: state.why }];
    return copy !== undefined && isBad(copy.status) ? [{ name, problem: copy.sentence }] : [];
  });
  const bad = new Set(problems.map(({ name }) => name));
  const good = backups.filter(({ name, state }) => state.kind === 'complete' && !bad.has(name));
  const newest = good.at(-1);
  const before = good.at(-2);
  const copy = newest === undefined ? undefined : known(newest.name)?.status;
  const verified = good.findLast(({ name }) => known(name)?.status === 'proven');
  const age = (backup: StoredBackup) => Math.round(((+now - +backup.at) / HOUR) * 100) / 100;
  const limit = everyHours * 1.5;
  const state = newest === undefined ? 'none' : age(newest) > limit ? 'late' : 'fresh';
  const times = good.map(({ name, at }) => ({ name, at: +at }));
  const gaps = times.slice(1).flatMap(({ name, at }, index) => {
    const last = times[index];
    const hours = last === undefined ? 0 : (at - last.at) / HOUR;
    return last === undefined || hours <= limit
      ? []
      : [{ after: last.name, before: name, hours: Math.round(hours * 10) / 10 }];
  });
  const says =
    newest === undefined
      ? `${destination} holds no good backup of ${source}`
      : `The newest good backup of ${source} at ${destination} is ${age(newest).toFixed(1)} h old${
          state === 'late' ? `; every ${everyHours} h there should be one` : ''
        }`;
  return {
    source,
    destination,
    planned,
    state,
    sentence: problems.length === 0 ? says : `${says}; ${problems.length} there are damaged`,
    backups: good.length,
    damaged: problems.length,
    incomplete: backups.filter((each) => each.state.kind === 'incomplete').length,
    bytes: backups.reduce((sum, { bytes }) => sum + bytes, 0),
    oldest: good[0]?.name ?? null,
    newest: newest?.name ?? null,
    newestAgeHours: newest === undefined ? null : age(newest),
    newestBytes: newest?.bytes ?? null,
    verified: verified?.name ?? null,
    copy: copy === 'proven' || copy === 'unproven' ? copy : 'none',
    verifiedAgeHours: verified === undefined ? null : age(verified),
    growthBytes: newest === undefined || before === undefined ? null : newest.bytes - before.bytes,
    gaps,
    problems,
  };
}

function unreachable(source: string, { destination, why }: Extract<Listing, { kind: 'unreachable' }>): Holding {
  return {
    source,
    destination,
    planned: true,
    state: 'unreachable',
    sentence: `What ${destination} holds of ${source} is not known: ${why}`,
    backups: 0,
    damaged: 0,
    incomplete: 0,
    bytes: 0,
    oldest: null,
    newest: null,
    newestAgeHours: null,
    newestBytes: null,
    verified: null,
    copy: 'none',
    verifiedAgeHours: null,
    growthBytes: null,
    gaps: [],
    problems: [],
  };
}
