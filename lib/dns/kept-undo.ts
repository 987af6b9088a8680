import { Failure } from '../failure';
import { isObject } from '../json';
import type { StateStore } from '../state/store';
import { namedRecords } from './selectors';
import type { UndoPoint } from './undo';
import { readZoneFile } from './zone-file-read';
import { writeZoneFile } from './zone-file-write';

/*
 * The undo point of the newest apply of a zone, kept before its first write: also an apply that was killed in the middle
 * can be taken back. Only what the apply may touch is kept, as undo looks at nothing else.
 */

const KEPT_MS = 30 * 86_400_000;

export async function keepUndo(
  store: StateStore,
  undo: UndoPoint,
  { by, now }: { readonly by: string; readonly now: number },
): Promise<void> {
  const touched = namedRecords(undo.touched, undo.zone);
  const records = readZoneFile(undo.export, undo.zone).records.filter(touched);
  const point = { ...undo, export: writeZoneFile(undo.zone, records) };
  const value = { ...point, appliedBy: by, appliedAt: new Date(now).toISOString() };
  await store.update(keyOf(undo), () => value, { ttlMs: KEPT_MS });
}

export async function lastUndo(
  store: StateStore,
  at: { readonly provider: string; readonly zone: string },
): Promise<UndoPoint> {
  const kept = (await store.read(keyOf(at)))?.value;
  if (kept === undefined) throw nothing(at.zone, 'the state knows of no apply in the last 30 days');
  if (!isObject(kept)) throw nothing(at.zone, 'what is kept of the newest apply cannot be read');
  const { zone, provider, owner, export: file, touched, ignore } = kept;
  const isText = (value: unknown) => typeof value === 'string';
  if (![zone, provider, owner, file].every(isText) || ![touched, ignore].every(Array.isArray)) {
    throw nothing(at.zone, 'what is kept of the newest apply cannot be read');
  }
  return {
    zone: zone as string,
    provider: provider as string,
    owner: owner as string,
    export: file as string,
    touched: (touched as unknown[]).map(String),
    ignore: (ignore as unknown[]).map(String),
  };
}

function keyOf({ provider, zone }: { readonly provider: string; readonly zone: string }): string {
  return `undo/dns/${provider.toLowerCase()}/${zone}`;
}

function nothing(zone: string, why: string): Failure {
  return new Failure({
    code: 'dns_no_undo',
    subject: `zone ${zone}`,
    message: `There is nothing to undo in ${zone}: ${why}`,
    nextStep: 'Give the field "undo" that the apply has returned, or that stands in the details of its error.',
  });
}
