import { canonicalJson } from '../canonical-json';
import type { Change, RecordField } from './provider';
import { describeRecord, type RecordFields } from './record';
import { sameValue, writeRdata } from './value';

/** Which fields of one record differ from those of another. */
export function differingFields(before: RecordFields, after: RecordFields): RecordField[] {
  const fields: RecordField[] = [];
  if (!sameValue(before.value, after.value)) fields.push('content');
  if (before.ttl !== after.ttl) fields.push('ttl');
  if (before.proxied !== after.proxied) fields.push('proxied');
  if (before.comment !== after.comment) fields.push('comment');
  if (canonicalJson(before.tags) !== canonicalJson(after.tags)) fields.push('tags');
  if (canonicalJson(before.settings) !== canonicalJson(after.settings)) fields.push('settings');
  return fields;
}

/** The record that a change is about, as it was or as it will be. */
export function subjectOfChange(change: Change): RecordFields {
  return change.kind === 'update' ? change.before : change.record;
}

/** Whether anybody who asks DNS would notice. */
export function changesAnswers(change: Change): boolean {
  return change.kind !== 'update' || change.fields.some((field) => field !== 'comment' && field !== 'tags');
}

/** A record's fields without its id. */
export function fieldsOf({ name, value, ttl, proxied, comment, tags, settings }: RecordFields): RecordFields {
  return { name, value, ttl, proxied, comment, tags, settings };
}

/** `update of the record www.kua.cl A (content)`. */
export function describeChange(change: Change): string {
  const record = describeRecord(subjectOfChange(change));
  if (change.kind === 'update') return `update of the ${record} (${change.fields.join(', ')})`;
  const verb = change.kind === 'create' ? 'creation' : 'deletion';
  return `${verb} of the ${record} ${writeRdata(change.record.value)}`;
}
