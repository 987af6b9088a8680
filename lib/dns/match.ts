import type { DesiredRecord, ObservedRecord, RecordFields } from './record';
import { typeOf, writeRdata, type RecordValue } from './value';

/** Types of which a name has one answer as a whole: another value replaces it instead of joining it. */
const ONE_ANSWER = ['A', 'AAAA', 'CNAME'];

export function hasOneAnswer(value: RecordValue): boolean {
  return ONE_ANSWER.includes(typeOf(value));
}

/** Whether an observed record is ours, may be changed because it was named, or is left alone. */
export type Standing = 'ours' | 'named' | 'foreign';

export interface Candidate {
  readonly record: ObservedRecord;
  readonly standing: Standing;
}

export type Wanted = DesiredRecord | RecordFields;

export interface Matched<W extends Wanted> {
  readonly pairs: readonly { readonly wanted: W; readonly candidate: Candidate }[];
  readonly missing: readonly W[];
  readonly left: readonly Candidate[];
}

export interface MatchRules<W extends Wanted> {
  /** Whether a record of ours may become a wanted one that has nothing in common with it but name and type. */
  readonly replaceOurs: boolean;
  /** Wanted records that were not ours: a record that is not ours is the better match for them. */
  readonly wasForeign: (wanted: W) => boolean;
}

/**
 * Finds out which observed record each wanted record is, within one name and type. The same content is the same record;
 * then the same subject (a mail server whose priority changed); then, for what may be replaced, the same place in the
 * order. So a round robin with one new address changes one record.
 */
export function matchSet<W extends Wanted>(
  wanted: readonly W[],
  candidates: readonly Candidate[],
  { replaceOurs, wasForeign }: MatchRules<W>,
): Matched<W> {
  const pairs: { wanted: W; candidate: Candidate }[] = [];
  let missing = [...wanted];
  let left = [...candidates];

  const pairUp = (fits: (wanted: RecordValue) => (candidate: Candidate) => boolean) => {
    missing = missing.filter((want) => {
      const fit = fits(want.value);
      const order: readonly Standing[] = wasForeign(want) ? ['named', 'ours', 'foreign'] : ['ours', 'named', 'foreign'];
      const found = order
        .map((standing) => left.find((candidate) => candidate.standing === standing && fit(candidate)))
        .find((candidate) => candidate !== undefined);
      if (found === undefined) return true;
      pairs.push({ wanted: want, candidate: found });
      left = left.filter((candidate) => candidate !== found);
      return false;
    });
  };

  pairUp((value) => {
    const rdata = writeRdata(value);
    return ({ record }) => writeRdata(record.value) === rdata;
  });
  pairUp((value) => {
    const subject = subjectOf(value);
    return ({ record, standing }) => standing !== 'foreign' && subjectOf(record.value) === subject;
  });
  pairUp((value) => {
    const one = hasOneAnswer(value);
    return ({ standing }) => (standing === 'ours' && (replaceOurs || one)) || (standing === 'named' && one);
  });
  return { pairs, missing, left };
}

/** What a record is about, apart from the values that tune it. */
function subjectOf(value: RecordValue): string {
  switch (value.type) {
    case 'MX':
      return value.data.target;
    case 'SRV':
      return `${value.data.target} ${value.data.port}`;
    case 'URI':
      return value.data.target;
    case 'CAA':
      return `${value.data.tag} ${value.data.value}`;
    case 'TXT':
      return /^v=[^\s;]+/u.exec(value.data.text)?.[0] ?? value.data.text;
    default:
      return writeRdata(value);
  }
}
