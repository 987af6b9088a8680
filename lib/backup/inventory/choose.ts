import { Failure } from '../../failure';
import type { Host } from '../../host/host';
import { backupTime } from '../../manifest/names';
import type { Task } from '../../task';
import type { Described } from '../described/described';
import { storedPlan } from '../described/groups';
import { folderOf, type BackupPlan, type Destination, type Source } from '../plan';
import type { BackupId } from '../stored';
import { listStored, type Listing } from './listing';

/** Which backup of a source: a name, `latest`, `random`, or the newest that had begun at a time (`2026-01-31T02:00:00Z`). */
export type Which = string;

export interface Chosen {
  readonly backup: BackupId;
  /** Where it is complete, in the order of the plan. */
  readonly at: readonly [Destination, ...Destination[]];
}

/** The source of the plan with this name; the only one where none is given. */
export function sourceNamed(plan: BackupPlan, name: string): Source {
  const [first, ...others] = plan.sources;
  if (name === '' && first !== undefined && others.length === 0) return first;
  const found = plan.sources.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw unknownName(
    'source',
    name,
    plan.sources.map((each) => each.name),
  );
}

export function destinationNamed<D extends Destination>(
  plan: { readonly destinations: readonly D[] },
  name: string,
): D {
  const found = plan.destinations.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw unknownName(
    'destination',
    name,
    plan.destinations.map((each) => each.name),
  );
}

/** Finds one backup of a source, by its name, that is complete at one of these destinations; by default all of the plan. */
export async function chooseBackup(
  host: Host,
  described: Described,
  wanted: { readonly source: string; readonly which: Which; readonly among?: readonly Destination[] },
  task: Task,
): Promise<Chosen & { readonly source: Source }> {
  const { vault, destinations } = described.plan;
  const { which, among = destinations } = wanted;
  const listings = await listStored(host, vault, among, task);
  const source = sourceNamed(storedPlan(described, listings), wanted.source);
  return { source, ...chooseFrom(listings, source, which, among) };
}

export function chooseFrom(
  listings: readonly Listing[],
  source: Pick<Source, 'name'>,
  which: Which,
  destinations: readonly Destination[],
): Chosen {
  const folder = folderOf(source);
  const places = new Map<string, Destination[]>();
  for (const listing of listings) {
    const destination = destinations.find(({ name }) => name === listing.destination);
    if (listing.kind !== 'read' || destination === undefined) continue;
    for (const backup of listing.backups) {
      if (backup.folder !== folder || backup.state.kind !== 'complete') continue;
      places.set(backup.name, [...(places.get(backup.name) ?? []), destination]);
    }
  }
  const names = [...places.keys()].sort();
  const name = pickName(names, which);
  const [first, ...others] = name === undefined ? [] : (places.get(name) ?? []);
  if (name === undefined || first === undefined) throw noBackup(source, which, listings, names);
  return { backup: { source: source.name, name }, at: [first, ...others] };
}

function pickName(names: readonly string[], which: Which): string | undefined {
  if (which === 'latest') return names.at(-1);
  if (which === 'random') return names[Math.floor(Math.random() * names.length)];
  if (backupTime(which) !== undefined) return names.find((name) => name === which);
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(which) ? Date.parse(which) : NaN;
  return Number.isNaN(time) ? undefined : names.findLast((name) => Number(backupTime(name)) <= time);
}

function noBackup(
  source: Pick<Source, 'name'>,
  which: Which,
  listings: readonly Listing[],
  names: readonly string[],
): Failure {
  const dead = listings.flatMap((each) =>
    each.kind === 'unreachable' ? [`${each.destination} could not be read: ${each.why}`] : [],
  );
  const has =
    names.length === 0
      ? 'There is none that is complete'
      : `There are ${names.length}, from ${names[0]} to ${names.at(-1)}`;
  return new Failure({
    code: 'backup_missing',
    subject: `backup ${which.slice(0, 40)} of ${source.name}`,
    message: `No backup of ${source.name} is "${which.slice(0, 40)}". ${[has, ...dead].join('; ')}`,
    nextStep: 'Take latest, random, a time like 2026-01-31T02:00:00Z, or a name from the inventory.',
  });
}

function unknownName(what: string, name: string, known: readonly string[]): Failure {
  return new Failure({
    code: `backup_${what}_unknown`,
    subject: `${what} ${name.slice(0, 60)}`,
    message:
      name === ''
        ? `It is not said which ${what} of the plan is meant`
        : `The plan has no ${what} ${name.slice(0, 60)}`,
    nextStep: `Name one of ${known.join(', ')}.`,
  });
}
