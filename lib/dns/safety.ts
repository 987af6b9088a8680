import { Failure } from '../failure';
import { changesAnswers, subjectOfChange } from './change';
import { isClaim } from './claims';
import type { Change } from './provider';
import { describeRecord } from './record';
import type { Selects } from './selectors';
import { typeOf } from './value';

export interface Limits {
  /** The part of a zone that one apply may change or delete without naming it: 0.3. */
  readonly share: number;
  /** Zones of up to this many records are too small for a share to mean anything: 10. */
  readonly shareFrom: number;
  /** Absolute bounds, where the caller sets them. */
  readonly creates?: number;
  readonly updates?: number;
  readonly deletes?: number;
}

export const USUAL_LIMITS: Limits = { share: 0.3, shareFrom: 10 };

export interface Danger {
  readonly zone: string;
  readonly changes: readonly Change[];
  /** How many records the zone has that the plan looks at. */
  readonly zoneSize: number;
  readonly limits: Limits;
  /** Records whose change, and whose deletion, was asked for by name. */
  readonly changeNamed: Selects;
  readonly deleteNamed: Selects;
}

/** Refuses a plan that looks more like an accident than like an intention. */
export function refuseDanger({ zone, changes, zoneSize, limits, changeNamed, deleteNamed }: Danger): void {
  const real = changes.filter((change) => !isClaim(subjectOfChange(change)));
  const deletions = real.filter(({ kind }) => kind === 'delete').map(subjectOfChange);
  const vital = deletions.filter(
    (record) => (record.name === zone || ['MX', 'NS'].includes(typeOf(record.value))) && !deleteNamed(record),
  );
  if (vital.length > 0) {
    const names = [...new Set(vital.map(describeRecord))].sort();
    throw unsafe(zone, `It would delete ${names.join(', ')}; records of the apex, MX and NS are deleted only by name`, {
      nextStep: 'Name them under the deletions that you allow, or put them into the desired records.',
      details: { records: names },
    });
  }

  for (const [kind, most] of [
    ['create', limits.creates],
    ['update', limits.updates],
    ['delete', limits.deletes],
  ] as const) {
    const count = real.filter((change) => change.kind === kind).length;
    if (most !== undefined && count > most) {
      throw unsafe(zone, `It would ${kind} ${count} records; the limit of this call is ${most}`, {
        nextStep: `Look at the plan; if it is right, raise the limit of records to ${kind}.`,
        details: { kind, count, most },
      });
    }
  }

  const unnamed = real.filter((change) => {
    const record = subjectOfChange(change);
    if (change.kind === 'create' || !changesAnswers(change)) return false;
    return !(change.kind === 'delete' ? deleteNamed(record) : changeNamed(record));
  }).length;
  if (zoneSize > limits.shareFrom && unnamed > limits.share * zoneSize) {
    const percent = Math.round((unnamed / zoneSize) * 100);
    throw unsafe(
      zone,
      `It would change or delete ${unnamed} of ${zoneSize} records (${percent} %); without naming them, ` +
        `${Math.round(limits.share * 100)} % is the limit`,
      {
        nextStep: 'Look at the plan; if it is right, name the records, or raise the share for this call.',
        details: { changed: unnamed, records: zoneSize, share: limits.share },
      },
    );
  }
}

/** A full sync with nothing desired would empty the zone: more often a list that could not be read. */
export function refuseEmptying(zone: string, deletions: number): void {
  if (deletions === 0) return;
  throw unsafe(zone, `No records are desired, and a full sync would delete all ${deletions} that are ours`, {
    nextStep: 'Check where the desired records come from; to empty the zone on purpose, allow it in this call.',
    details: { deletions },
  });
}

function unsafe(zone: string, message: string, { nextStep, details }: Pick<Failure, 'nextStep' | 'details'>): Failure {
  return new Failure({ code: 'dns_unsafe', subject: `zone ${zone}`, message, nextStep, details });
}
