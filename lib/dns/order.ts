import { subjectOfChange } from './change';
import { claimedSet, isClaim } from './claims';
import { compareNames, compareText } from './name';
import type { Capabilities, Change } from './provider';
import { setKey } from './record';

/**
 * The changes of a plan as the writes that carry them out. All changes of one name stay together, so that no name is
 * without its records between two requests. Within a name the order keeps ownership through a crash at any point: a
 * claim comes before what it claims and goes after it.
 */
export function orderWrites(changes: readonly Change[], batch: Capabilities['batch']): Change[][] {
  const writes: Change[][] = [];
  let write: Change[] = [];
  const finish = () => {
    if (write.length > 0) writes.push(write);
    write = [];
  };
  for (const group of groupByName(changes)) {
    if (batch.of === 'zone' && write.length + group.length <= batch.most) {
      write.push(...group);
      continue;
    }
    finish();
    for (const change of group) {
      const before = write.at(-1);
      const sameSet = before === undefined || setKey(subjectOfChange(before)) === setKey(subjectOfChange(change));
      if (write.length === batch.most || (batch.of === 'set' && !sameSet)) finish();
      write.push(change);
    }
    if (batch.of === 'set') finish();
  }
  finish();
  return writes;
}

/** The changes of each name, in a safe order; the claims of a name belong to it. */
export function groupByName(changes: readonly Change[]): Change[][] {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const name = nameOfGroup(change);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [change]);
    else group.push(change);
  }
  return [...groups]
    .sort(([a], [b]) => compareNames(a, b))
    .map(([, group]) => {
      const setsThatGo = new Set(group.filter(({ kind }) => kind === 'delete').map(keyOf));
      for (const change of group) if (change.kind !== 'delete') setsThatGo.delete(keyOf(change));
      // What goes as a whole makes room for what comes: a CNAME for addresses.
      const rank = (change: Change) => [
        claimRank(change),
        setsThatGo.has(keyOf(change)) ? 0 : 1,
        keyOf(change),
        kindRank(change),
      ];
      return group
        .map((change) => ({ change, rank: rank(change) }))
        .sort((a, b) => compareRanks(a.rank, b.rank))
        .map(({ change }) => change);
    });
}

/** The name that a change is about; of a claim, the name that is claimed. */
export function nameOfGroup(change: Change): string {
  return claimedSet(subjectOfChange(change)).split(' ')[0] ?? '';
}

function keyOf(change: Change): string {
  return setKey(subjectOfChange(change));
}

function claimRank(change: Change): number {
  if (!isClaim(subjectOfChange(change))) return 1;
  return change.kind === 'delete' ? 2 : 0;
}

function kindRank({ kind }: Change): number {
  return ['delete', 'update', 'create'].indexOf(kind);
}

function compareRanks(a: readonly (string | number)[], b: readonly (string | number)[]): number {
  for (const [index, left] of a.entries()) {
    const order = compareText(String(left), String(b[index]));
    if (order !== 0) return order;
  }
  return 0;
}
