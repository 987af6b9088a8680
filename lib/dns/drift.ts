import { Failure } from '../failure';
import type { JsonObject } from '../json';
import { differingFields } from './change';
import type { RecordField } from './provider';
import { describeRecord, inOrder, type ObservedRecord } from './record';
import { writeRdata } from './value';

export type Difference =
  | { readonly kind: 'appeared'; readonly record: ObservedRecord }
  | { readonly kind: 'vanished'; readonly record: ObservedRecord }
  | {
      readonly kind: 'changed';
      readonly before: ObservedRecord;
      readonly after: ObservedRecord;
      readonly fields: readonly RecordField[];
    };

/** How a zone differs from what it was when the plan was made. */
export function zoneDifferences(before: readonly ObservedRecord[], after: readonly ObservedRecord[]): Difference[] {
  const byId = new Map(after.map((record) => [record.id, record]));
  const known = new Set(before.map(({ id }) => id));
  const gone = inOrder(before).flatMap((record): Difference[] => {
    const now = byId.get(record.id);
    if (now === undefined) return [{ kind: 'vanished', record }];
    const fields = differingFields(record, now);
    return fields.length === 0 && now.name === record.name
      ? []
      : [{ kind: 'changed', before: record, after: now, fields }];
  });
  const come = inOrder(after.filter(({ id }) => !known.has(id))).map((record): Difference => ({
    kind: 'appeared',
    record,
  }));
  return [...gone, ...come];
}

export function refuseDrift(zone: string, differences: readonly Difference[]): void {
  const [first] = differences;
  if (first === undefined) return;
  const more = differences.length === 1 ? '' : `, and in ${differences.length - 1} more records`;
  throw new Failure({
    code: 'dns_drift',
    subject: `zone ${zone}`,
    message: `The zone ${zone} is no longer as it was when the plan was made: ${describeDifference(first)}${more}`,
    nextStep: 'Make the plan again and look at it; nothing was sent.',
    details: { differences: differences.map(differenceFacts) },
  });
}

export function describeDifference(difference: Difference): string {
  if (difference.kind !== 'changed') {
    const { record, kind } = difference;
    return `the ${describeRecord(record)} ${writeRdata(record.value)} ${kind === 'appeared' ? 'has appeared' : 'has vanished'}`;
  }
  return `the ${describeRecord(difference.before)} has another ${difference.fields.join(', ')}`;
}

function differenceFacts(difference: Difference): JsonObject {
  if (difference.kind !== 'changed') {
    const { record, kind } = difference;
    return { kind, record: describeRecord(record), content: writeRdata(record.value) };
  }
  const { before, after, fields } = difference;
  return {
    kind: 'changed',
    record: describeRecord(before),
    fields: [...fields],
    before: { content: writeRdata(before.value), ttl: before.ttl, proxied: before.proxied, comment: before.comment },
    after: { content: writeRdata(after.value), ttl: after.ttl, proxied: after.proxied, comment: after.comment },
  };
}
