import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import type { Json } from '../json';
import type { Parts } from './parts';

/** Fingerprints of what each release shipped: enough to tell what somebody edited from what was shipped so. */
export interface Released {
  readonly version: string;
  readonly flows: Readonly<Record<string, readonly string[]>>;
}

/** One release of one flow. */
export interface Base {
  readonly version: string;
  /** It shipped this part, whatever it held. */
  readonly had: (part: string) => boolean;
  /** It shipped this part exactly so. */
  readonly shipped: (part: string, value: Json) => boolean;
}

/** All of a flow: the names of its parts, and what is in them. */
export function fingerprints(parts: Parts): readonly string[] {
  return [...parts].flatMap(([part, value]) => [ofPart(part), ofValue(part, value)]).sort();
}

/** The release that this flow comes from: the one with most in common; of two alike the newer one. */
export function baseOf(flow: string, parts: Parts, releases: readonly Released[]): Base | undefined {
  let best: { readonly version: string; readonly prints: ReadonlySet<string> } | undefined;
  let most = 0;
  const own = fingerprints(parts);
  for (const { version, flows } of releases) {
    const prints = new Set(flows[flow]);
    const common = own.filter((print) => prints.has(print)).length;
    if (common === 0 || common < most) continue;
    most = common;
    best = { version, prints };
  }
  if (best === undefined) return undefined;
  const { version, prints } = best;
  return {
    version,
    had: (part) => prints.has(ofPart(part)),
    shipped: (part, value) => prints.has(ofValue(part, value)),
  };
}

function ofPart(part: string): string {
  return short(part);
}

function ofValue(part: string, value: Json): string {
  return short(`${part}\n${canonicalJson(value)}`);
}

/** Of a few thousand texts, two that are alike in 48 bits are not to be expected. */
function short(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
