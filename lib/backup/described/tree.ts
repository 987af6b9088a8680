import type { Vault } from '../plan';
import type { PeriodRule } from '../retention/rule';
import { checkTreePlan, type TreePlan } from '../tree/plan';
import { destinationFields, periodFields, rulesOf, runFields, some } from './described';
import { flag, list, object, optional, reference, text } from './reader';

/** The plan of a tree as people keep it. The password of its repositories is still a reference. */
export interface DescribedTree {
  readonly plan: TreePlan;
  /** By the name of the destination. One that is not in it keeps everything. */
  readonly keep: ReadonlyMap<string, PeriodRule>;
}

const keep = optional(object(periodFields));

const description = object({
  ...runFields,
  tree: object({
    name: text,
    path: optional(text),
    remote: optional(text),
    marker: optional(text),
    excludes: optional(list(text)),
    oneFileSystem: optional(flag),
    tolerateChanges: optional(flag),
  }),
  password: reference,
  destinations: list(object({ ...destinationFields, repository: optional(text), keep })),
  keep,
});

export function parseDescribedTree(value: unknown, vault: Vault, homeHost: string): DescribedTree {
  const { destinations, home, quorum, keep: common, ...rest } = description(value, '');
  const plan: TreePlan = {
    ...rest,
    vault,
    quorum: quorum ?? 1,
    home: { host: home.host ?? homeHost, provider: home.provider },
    destinations: some(
      destinations.map(({ keep: _, ...each }) => each),
      'destinations',
    ),
  };
  checkTreePlan(plan);
  return { plan, keep: rulesOf(destinations, common) };
}
