import { checkPlan, type BackupPlan, type Source, type Vault } from '../plan';
import type { KeepRule } from '../retention/rule';
import { bad, flag, list, object, oneOf, optional, positive, text, wholeNumber } from './reader';
import { source } from './sources';

/**
 * A plan as people keep it, in a workflow or an inventory: JSON without secrets, passwords are references. It says more
 * than a run needs: what each destination keeps, and how often there should be a backup.
 */
export interface Described {
  /** Passwords in it are still references. */
  readonly plan: BackupPlan;
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
    sources: some(sources, 'sources'),
    destinations: some(
      destinations.map(({ keep: _, ...each }) => each),
      'destinations',
    ),
  };
  checkPlan(plan);
  return { plan, keep: rulesOf(destinations, common), everyHours };
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

/** The plan with what its references stand for. Only who starts a dump needs it. */
export async function withSecrets(
  plan: BackupPlan,
  resolve: (reference: string) => Promise<string>,
): Promise<BackupPlan> {
  const resolved = async (each: Source): Promise<Source> =>
    'password' in each && each.password !== undefined ? { ...each, password: await resolve(each.password) } : each;
  const [first, ...others] = plan.sources;
  const address = async (given: string | undefined) =>
    given === undefined || /^https?:\/\//.test(given) ? given : await resolve(given);
  return {
    ...plan,
    sources: [await resolved(first), ...(await Promise.all(others.map(resolved)))],
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
