import type { Contract } from './contract';

/** Operations that a client does not use, each with the reason. */
export type Excluded = Readonly<Record<string, string>>;

export interface Coverage {
  readonly reached: readonly string[];
  /** Neither reached nor excluded: somebody forgot one. */
  readonly forgotten: readonly string[];
  /** Excluded, and reached all the same: the reason is no longer true. */
  readonly reachedAnyway: readonly string[];
  /** Excluded, and not in the description at all. */
  readonly unknown: readonly string[];
}

export function coverageOf({ operations, reached }: Contract, excluded: Excluded): Coverage {
  const isExcluded = (name: string) => name in excluded;
  return {
    reached: operations.filter((name) => reached.has(name)),
    forgotten: operations.filter((name) => !reached.has(name) && !isExcluded(name)),
    reachedAnyway: operations.filter((name) => reached.has(name) && isExcluded(name)),
    unknown: Object.keys(excluded).filter((name) => !operations.includes(name)),
  };
}
