import { checkPlan, type BackupPlan, type Source, type Vault } from '../plan';
import type { WantedSource } from '../expand';
import type { KeepRule } from '../retention/rule';
import { bad, flag, list, object, oneOf, optional, positive, text, wholeNumber } from './reader';
import type { Group } from './groups';
import { source } from './sources';

/**
 * A plan as people keep it, in a workflow or an inventory: JSON without secrets, passwords are references. It says more
 * than a run needs: what each destination keeps, and how often there should be a backup.
 */
export interface Described {
  /** Passwords in it are still references. Its sources are those that are named one by one. */
  readonly plan: BackupPlan;
  /** Those that stand for many. */
  readonly groups: readonly Group[];
  /** By the name of the destination. One that is not in it keeps everything. */
  readonly keep: ReadonlyMap<string, KeepRule>;
  readonly everyHours: number;
}

const count = optional(wholeNumber(0, 100_000));

/** The newest of each of so many hours, days and so on. */
export const periodFields = {
  last: count,
  hourly: count,
  daily: count,
  weekly: count,
  monthly: count,
  yearly: count,
} as const;

const keep = object({
  ...periodFields,
  minimum: optional(wholeNumber(1, 100_000)),
  incompleteHours: optional(wholeNumber(1, 100_000)),
});

export const seconds = optional(wholeNumber(1, 31_536_000));

/** What every destination may say of itself. */
export const destinationFields = {
  name: text,
  remote: text,
  provider: text,
  host: optional(text),
  bandwidth: optional(text),
  proof: optional(oneOf('remote-hash', 'read-back')),
  undeletable: optional(flag),
  attempts: optional(wholeNumber(1, 100)),
  pauseSeconds: seconds,
  idleSeconds: seconds,
  deadlineSeconds: seconds,
} as const;

const destination = object({ ...destinationFields, keep: optional(keep) });

const bytes = optional(wholeNumber(1));

/** How every run of a set is made. */
export const runFields = {
  set: text,
  home: object({ provider: text, host: optional(text) }),
  quorum: optional(wholeNumber(1, 100)),
  spool: optional(
    object({
      folder: optional(text),
      limitBytes: bytes,
      partBytes: bytes,
      reserveBytes: bytes,
      roomWaitSeconds: seconds,
      keepHours: optional(wholeNumber(1, 100_000)),
    }),
  ),
  logFile: (value: unknown, at: string) => (value === null ? null : optional(text)(value, at)),
} as const;

const description = object({
  ...runFields,
  everyHours: optional(positive),
  sources: list(source),
  destinations: list(destination),
  keep: optional(keep),
  level: optional(wholeNumber(1, 19)),
  notices: optional(object({ pushgateway: optional(text), deadMan: optional(text) })),
});

/** `homeHost` is the host that it runs on, where the plan does not name it otherwise. */
export function parseDescribed(value: unknown, vault: Vault, homeHost: string): Described {
  const { sources, destinations, home, quorum, everyHours = 24, keep: common, ...rest } = description(value, '');
  const plan: BackupPlan = {
    ...rest,
    vault,
    quorum: quorum ?? 1,
    home: { host: home.host ?? homeHost, provider: home.provider },
    sources: some(sources, 'sources').filter((each): each is Source => !isGroup(each)),
    destinations: some(
      destinations.map(({ keep: _, ...each }) => each),
      'destinations',
    ),
  };
  const groups = sources.filter(isGroup);
  checkGroups(plan, groups);
  return { plan, groups, keep: rulesOf(destinations, common), everyHours };
}

function isGroup(source: WantedSource): source is Group {
  return source.kind === 'every-postgres' || source.kind === 'every-mysql' || source.kind === 'every-sqlite';
}

/** What holds for one source holds for each of a group: names, paths and containers. */
function checkGroups(plan: BackupPlan, groups: readonly Group[]): void {
  const sources = groups.map((group): Source => {
    const { name } = group;
    if (group.kind === 'every-sqlite') return { kind: 'sqlite', name, path: group.path };
    return { kind: 'postgres-globals', name, ...(group.container !== undefined && { container: group.container }) };
  });
  checkPlan({ ...plan, sources: [...plan.sources, ...sources] });
}

/** The common rule is for all but those that the uploading credentials cannot delete from; such a one needs its own. */
export function rulesOf<Rule>(
  destinations: readonly {
    readonly name: string;
    readonly undeletable?: boolean | undefined;
    readonly keep?: Rule | undefined;
  }[],
  common: Rule | undefined,
): ReadonlyMap<string, Rule> {
  const rules = destinations.flatMap(({ name, undeletable, keep: own = undeletable === true ? undefined : common }) =>
    own === undefined ? [] : [[name, own] as const],
  );
  return new Map(rules);
}

export async function resolvedSource<Wanted extends WantedSource>(
  source: Wanted,
  resolve: (reference: string) => Promise<string>,
): Promise<Wanted> {
  return 'password' in source && source.password !== undefined
    ? { ...source, password: await resolve(source.password) }
    : source;
}

/** The plan with what its references stand for. Only who starts a dump needs it. */
export async function withSecrets(
  plan: BackupPlan,
  resolve: (reference: string) => Promise<string>,
): Promise<BackupPlan> {
  const address = async (given: string | undefined) =>
    given === undefined || /^https?:\/\//.test(given) ? given : await resolve(given);
  return {
    ...plan,
    sources: await Promise.all(plan.sources.map((each) => resolvedSource(each, resolve))),
    ...(plan.notices !== undefined && {
      notices: { pushgateway: await address(plan.notices.pushgateway), deadMan: await address(plan.notices.deadMan) },
    }),
  };
}

export function some<Value>(values: readonly Value[], at: string): readonly [Value, ...Value[]] {
  const [first, ...others] = values;
  if (first === undefined) throw bad(at, 'is empty');
  return [first, ...others];
}
