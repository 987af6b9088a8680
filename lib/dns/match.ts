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

const BY_STANDING: readonly Standing[] = ['ours', 'named', 'foreign'];

/**
 * Finds out which observed record each wanted record is, within one name and type. The same content is the same record;
 * then the same subject (a mail server whose priority changed); then, for what may be replaced, the same place in the
 * order. So a round robin with one new address changes one record.
 */
export function matchSet<W extends Wanted>(
  wanted: readonly W[],
  candidates: readonly Candidate[],
  replaceOurs: boolean,
): Matched<W> {
  const pairs: { wanted: W; candidate: Candidate }[] = [];
  let missing = [...wanted];
  let left = BY_STANDING.flatMap((standing) => candidates.filter((candidate) => candidate.standing === standing));

  const pairUp = (standings: readonly Standing[], fits: (value: RecordValue) => (candidate: RecordValue) => boolean) => {
    missing = missing.filter((want) => {
      const same = fits(want.value);
      const found = left.find(({ record, standing }) => standings.includes(standing) && same(record.value));
      if (found === undefined) return true;
      pairs.push({ wanted: want, candidate: found });
      left = left.filter((candidate) => candidate !== found);
      return false;
    });
  };

  pairUp(BY_STANDING, (value) => {
    const rdata = writeRdata(value);
    return (candidate) => writeRdata(candidate) === rdata;
  });
  pairUp(['ours', 'named'], (value) => {
    const subject = subjectOf(value);
    return (candidate) => subjectOf(candidate) === subject;
  });
  pairUp(['ours'], (value) => () => replaceOurs || hasOneAnswer(value));
  pairUp(['named'], (value) => () => hasOneAnswer(value));
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
