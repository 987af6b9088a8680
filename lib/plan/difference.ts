import { escapePointer } from '../canonical-json';
import { isObject, type Json } from '../json';

/** One field that differs. A side on which the field does not exist is absent, which is not the same as null. */
export interface Difference {
  /** JSON Pointer (RFC 6901): `/records/2/ttl`; empty for the whole. */
  readonly path: string;
  readonly before?: Json;
  readonly after?: Json;
}

/** Every field that differs, down to the smallest, in the order of the names. */
export function difference(before: Json, after: Json): Difference[] {
  return compare('', before, after);
}

function compare(path: string, before: Json | undefined, after: Json | undefined): Difference[] {
  const [left, right] = [childrenOf(before), childrenOf(after)];
  if (left === undefined || right === undefined || Array.isArray(before) !== Array.isArray(after)) {
    if (left === undefined && right === undefined && before === after) return [];
    return [{ path, ...(before !== undefined && { before }), ...(after !== undefined && { after }) }];
  }
  const names = [...new Set([...left.keys(), ...right.keys()])];
  if (!Array.isArray(before)) names.sort();
  return names.flatMap((name) => compare(`${path}/${escapePointer(name)}`, left.get(name), right.get(name)));
}

function childrenOf(value: Json | undefined): Map<string, Json> | undefined {
  if (Array.isArray(value)) return new Map((value as readonly Json[]).map((item, index) => [String(index), item]));
  return isObject(value) ? new Map(Object.entries(value as Readonly<Record<string, Json>>)) : undefined;
}
