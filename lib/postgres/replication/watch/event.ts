import { isObject } from '../../../json';

export const KINDS = [
  'primaryLost',
  'primaryHung',
  'replicaLost',
  'lagAbove',
  'slotGrowing',
  'syncDegraded',
  'archiverFailing',
  'splitBrainSuspected',
] as const;

export type Kind = (typeof KINDS)[number];

/** Something that is wrong for as long as it stands; told once when it begins and once when it is over. */
export interface Incident {
  /** One per kind and member: `replicaLost/eva`. */
  readonly key: string;
  readonly kind: Kind;
  readonly member: string;
  readonly since: string;
  readonly text: string;
  readonly evidence: readonly string[];
}

export interface WatchEvent {
  /** The same again when it is told again, because nobody could say whether the first time ended well. */
  readonly id: string;
  readonly event: Kind | 'recovered';
  /** What has recovered. */
  readonly of: Kind | null;
  readonly cluster: string;
  readonly member: string;
  /** Who the primary is, or was when it was lost. */
  readonly primary: string | null;
  readonly address: string | null;
  readonly epoch: number;
  /** Every acknowledged commit was on the standby when that was last looked at. */
  readonly promotable: boolean;
  readonly since: string;
  readonly at: string;
  readonly text: string;
  readonly evidence: readonly string[];
  readonly attempt: number;
}

/** What is remembered of a cluster: who is who, what is wrong, and what was not yet told to its end. */
export interface WatchState {
  readonly schema: 1;
  readonly epoch: number;
  readonly primary: string | null;
  /** For whom commits wait. */
  readonly syncset: readonly string[];
  readonly promotable: boolean;
  readonly incidents: readonly Incident[];
  readonly untold: readonly WatchEvent[];
}

export const NOTHING_SEEN: WatchState = {
  ...{ schema: 1, epoch: 0, primary: null, syncset: [], promotable: false },
  ...{ incidents: [], untold: [] },
};

/** What cannot be read is as good as nothing: everything that is still wrong is then told again. */
export function parseState(value: unknown): WatchState {
  if (!isObject(value) || value.schema !== 1) return NOTHING_SEEN;
  const { epoch, primary, syncset, promotable, incidents, untold } = value;
  const list = (from: unknown) => (Array.isArray(from) ? from.filter(isObject) : []);
  const text = (from: unknown) => (typeof from === 'string' ? from : '');
  const texts = (from: unknown) => (Array.isArray(from) ? from.filter((one) => typeof one === 'string') : []);
  const kind = (from: unknown) => KINDS.find((one) => one === from);
  return {
    schema: 1,
    epoch: typeof epoch === 'number' ? epoch : 0,
    primary: typeof primary === 'string' ? primary : null,
    syncset: texts(syncset),
    promotable: promotable === true,
    incidents: list(incidents).flatMap((one): Incident[] => {
      const known = kind(one.kind);
      if (known === undefined) return [];
      const facts = { member: text(one.member), since: text(one.since), text: text(one.text) };
      return [{ key: text(one.key), kind: known, ...facts, evidence: texts(one.evidence) }];
    }),
    untold: list(untold).flatMap((one): WatchEvent[] => {
      const known = one.event === 'recovered' ? 'recovered' : kind(one.event);
      if (known === undefined) return [];
      const facts = { cluster: text(one.cluster), member: text(one.member), since: text(one.since), at: text(one.at) };
      return [
        {
          ...{ id: text(one.id), event: known, of: kind(one.of) ?? null, ...facts, text: text(one.text) },
          ...{ primary: text(one.primary) || null, address: text(one.address) || null },
          ...{ epoch: Number(one.epoch) || 0, promotable: one.promotable === true },
          ...{ evidence: texts(one.evidence), attempt: Number(one.attempt) || 1 },
        },
      ];
    }),
  };
}
