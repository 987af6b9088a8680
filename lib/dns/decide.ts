import { differingFields } from './change';
import { hasOneAnswer, matchSet, type Candidate, type Wanted } from './match';
import { compareNames, compareText } from './name';
import type { Creation, Deletion, Update } from './provider';
import { describeRecord, groupBySet, inOrder, setKey, type ObservedRecord, type RecordFields } from './record';
import { writeRdata } from './value';

export interface Question<W extends Wanted> {
  readonly wanted: readonly W[];
  readonly candidates: readonly Candidate[];
  /** What a matched record becomes. */
  readonly changed: (wanted: W, candidate: Candidate) => RecordFields;
  /** What a missing record is created as, beside those that are there. */
  readonly created: (wanted: W, beside: readonly Candidate[]) => RecordFields;
  /** Records of ours that nobody wants are deleted, and may be replaced by others. */
  readonly deletes: boolean;
  /** Of an undo: whether a record was not ours in the export. */
  readonly wasForeign?: (wanted: W) => boolean;
}

export interface Decision {
  readonly create: readonly Creation[];
  readonly update: readonly Update[];
  readonly delete: readonly Deletion[];
  readonly unchanged: readonly ObservedRecord[];
  readonly foreign: readonly ObservedRecord[];
  /** Unowned records that stand in the way of what is wanted. */
  readonly inTheWay: readonly { readonly record: ObservedRecord; readonly wanted: string }[];
  /** Records that would go on answering beside a wanted one. */
  readonly extra: readonly Candidate[];
}

/** Goes through the zone, one name and type after the other, and says for each record what has to happen to it. */
export function decide<W extends Wanted>(question: Question<W>): Decision {
  const { wanted, candidates, changed, created, deletes, wasForeign = () => false } = question;
  const create: Creation[] = [];
  const update: Update[] = [];
  const remove: Deletion[] = [];
  const unchanged: ObservedRecord[] = [];
  const foreign: ObservedRecord[] = [];
  const inTheWay: { record: ObservedRecord; wanted: string }[] = [];
  const extra: Candidate[] = [];

  const wantedSets = groupBySet(inOrder(wanted));
  const presentSets = new Map<string, Candidate[]>();
  const standings = new Map(candidates.map((candidate) => [candidate.record, candidate]));
  for (const record of inOrder(candidates.map((candidate) => candidate.record))) {
    const candidate = standings.get(record);
    if (candidate === undefined) continue;
    const set = presentSets.get(setKey(record));
    if (set === undefined) presentSets.set(setKey(record), [candidate]);
    else set.push(candidate);
  }

  for (const key of [...new Set([...wantedSets.keys(), ...presentSets.keys()])].sort(compareSets)) {
    const wants = wantedSets.get(key) ?? [];
    const present = presentSets.get(key) ?? [];
    const { pairs, missing, left } = matchSet(wants, present, { replaceOurs: deletes, wasForeign });
    for (const { wanted: want, candidate } of pairs) {
      const before = candidate.record;
      const after = changed(want, candidate);
      const fields = differingFields(before, after);
      if (fields.length === 0) (candidate.standing === 'ours' ? unchanged : foreign).push(before);
      else if (candidate.standing === 'foreign') inTheWay.push({ record: before, wanted: fields.join(', ') });
      else update.push({ kind: 'update', before, after, fields });
    }
    const stranger = left.find(({ standing }) => standing === 'foreign');
    for (const want of missing) {
      if (stranger !== undefined && hasOneAnswer(want.value)) {
        inTheWay.push({ record: stranger.record, wanted: `${describeRecord(want)} ${writeRdata(want.value)}` });
      } else {
        create.push({ kind: 'create', record: created(want, present) });
      }
    }
    for (const candidate of left) {
      const { record, standing } = candidate;
      if (standing === 'ours' && deletes) {
        remove.push({ kind: 'delete', record });
        continue;
      }
      (standing === 'ours' ? unchanged : foreign).push(record);
      if (standing !== 'foreign' && wants.length > 0 && hasOneAnswer(record.value)) extra.push(candidate);
    }
  }
  return { create, update, delete: remove, unchanged, foreign, inTheWay, extra };
}

function compareSets(a: string, b: string): number {
  const [leftName = '', leftType = ''] = a.split(' ');
  const [rightName = '', rightType = ''] = b.split(' ');
  return compareNames(leftName, rightName) || compareText(leftType, rightType);
}
