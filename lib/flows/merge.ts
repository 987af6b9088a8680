import { canonicalJson } from '../canonical-json';
import type { Json } from '../json';
import { nodePart, type Parts, readPart } from './parts';
import type { Base } from './released';

/** What one part becomes. */
export interface Decision {
  readonly part: string;
  /** `yours`: edited here, and the release has it otherwise. */
  readonly what: 'added' | 'changed' | 'removed' | 'yours';
  readonly mine: Json | undefined;
  readonly next: Json | undefined;
}

export interface Merged {
  readonly parts: Parts;
  readonly decisions: readonly Decision[];
}

/**
 * Three ways: what nobody touched follows the release, what somebody edited, added or took away stays so. Without a base
 * (a flow that no release knows) everything that is different is somebody's edit.
 */
export function merge(mine: Parts, next: Parts, base: Base | undefined): Merged {
  const nodes = new Set([...mine.keys(), ...next.keys()].flatMap((part) => nodeIn(part)));
  const gone = new Set([...nodes].filter((id) => !staysNode(id, mine, next, base)));
  const kept = new Set([...nodes].filter((id) => !gone.has(id) && mine.has(nodePart(id)) && !next.has(nodePart(id))));
  const parts = new Map<string, Json>();
  const decisions: Decision[] = [];
  for (const part of new Set([...mine.keys(), ...next.keys()])) {
    const [was, comes] = [mine.get(part), next.get(part)];
    const becomes = touches(part, gone)
      ? undefined
      : touches(part, kept)
        ? (was ?? comes)
        : value(part, was, comes, base);
    if (becomes !== undefined) parts.set(part, becomes);
    const dropped = comes === undefined && becomes !== undefined && touches(part, kept) && base?.had(part) === true;
    const what = dropped && part.split('/').length === 2 ? 'yours' : decisionOf(was, comes, becomes);
    if (what !== undefined) decisions.push({ part, what, mine: was, next: comes });
  }
  return { parts, decisions };
}

/** A node that was taken away stays away; one that the release drops goes, unless it was edited. */
function staysNode(id: string, mine: Parts, next: Parts, base: Base | undefined): boolean {
  const part = nodePart(id);
  if (!mine.has(part)) return base?.had(part) !== true;
  if (next.has(part) || base?.had(part) !== true) return true;
  return [...mine].some(([other, value]) => other.startsWith(`${part}/`) && !base.shipped(other, value));
}

function value(part: string, mine: Json | undefined, next: Json | undefined, base: Base | undefined): Json | undefined {
  if (mine === undefined) return base?.had(part) === true ? undefined : next;
  return base?.shipped(part, mine) === true ? next : mine;
}

function decisionOf(
  mine: Json | undefined,
  next: Json | undefined,
  becomes: Json | undefined,
): Decision['what'] | undefined {
  if (same(mine, next)) return undefined;
  // What only this n8n has, is nothing that a release says anything about.
  if (same(mine, becomes)) return next === undefined ? undefined : 'yours';
  if (mine === undefined) return 'added';
  return becomes === undefined ? 'removed' : 'changed';
}

function same(one: Json | undefined, other: Json | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return canonicalJson(one) === canonicalJson(other);
}

function nodeIn(part: string): readonly string[] {
  const named = readPart(part);
  return named.kind === 'node' ? [named.id] : [];
}

function touches(part: string, ids: ReadonlySet<string>): boolean {
  const named = readPart(part);
  if (named.kind === 'node') return ids.has(named.id);
  return named.kind === 'edge' && (ids.has(named.edge.from) || ids.has(named.edge.to));
}
