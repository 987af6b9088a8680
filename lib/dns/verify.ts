import { differingFields } from './change';
import type { Change } from './provider';
import { setKey, type ObservedRecord } from './record';
import { sameValue } from './value';

/** Whether the zone, as it is listed now, shows that a change was made. */
export function isVisible(change: Change, zone: readonly ObservedRecord[]): boolean {
  if (change.kind === 'delete') {
    return !zone.some((record) => record.id === change.record.id && sameValue(record.value, change.record.value));
  }
  const wanted = change.kind === 'create' ? change.record : change.after;
  const key = setKey(wanted);
  return zone.some((record) => setKey(record) === key && differingFields(record, wanted).length === 0);
}
