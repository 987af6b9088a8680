import type { Wanted } from '../../../lib/dns/carry-out';
import { parseDesiredRecords } from '../../../lib/dns/desired';
import type { UndoPoint } from '../../../lib/dns/undo';
import { isObject } from '../../../lib/json';
import { choice, json, list, number, optional, text, toggle } from '../../declaration';

export const limits = {
  largestShare: number({
    label: 'Largest Share (Percent)',
    default: 30,
    min: 1,
    max: 100,
    description: 'Of a zone of more than 10 records, how much may change or go without being named',
  }),
  mostCreates: number({ label: 'Most Records to Create', default: 100, min: 0, integer: true }),
  mostUpdates: number({ label: 'Most Records to Update', default: 100, min: 0, integer: true }),
  mostDeletes: number({ label: 'Most Records to Delete', default: 100, min: 0, integer: true }),
};

export const modeField = choice({
  label: 'Mode',
  options: { 'upsert-only': 'Create and Update', 'full-sync': 'Full Sync: Delete Ours That Are Not Listed' },
  default: 'upsert-only',
});

export const ownerField = text({
  label: 'Owner',
  required: true,
  default: 'n8n',
  description: 'Whose records these are, kept in their comments. Only records of this owner are ever deleted.',
});

export const recordsField = (others: string) =>
  json({
    label: 'Records',
    required: true,
    default: '[{"name": "www", "type": "A", "content": "203.0.113.7"}]',
    parse: (value) => value,
    description: `List of records with name, type, content or data, and only those of ${others} that matter`,
  });

const planOptions = {
  ...limits,
  adopt: list({ label: 'Adopt', description: 'Existing records that become ours: www, or www A' }),
  change: list({ label: 'Change Foreign', description: 'Records that may change and stay their owner’s' }),
  delete: list({ label: 'Delete Named', description: 'Records of ours at the apex, MX and NS, that may go' }),
  ignore: list({ label: 'Ignore', description: 'Patterns of records that are not looked at: _acme-challenge.*' }),
  allowEmpty: toggle({ label: 'Allow Empty', description: 'Whether a full sync may delete all of ours' }),
};

export const planOptionsField = optional(planOptions);

export const returningOptionsField = optional({
  ...planOptions,
  returnPlan: toggle({
    label: 'Return Plan',
    description: 'Whether to put out the whole plan, sealed, for Apply Plan. Needs the Plan Key credential.',
  }),
  planMinutes: number({
    label: 'Plan Valid For (Minutes)',
    default: 60,
    min: 1,
    max: 10_080,
    description: 'How long a returned plan may be applied',
  }),
});

export const hashField = text({
  label: 'Plan Hash',
  description: 'Of the plan that was agreed to. Empty: whatever the plan is now is applied.',
});

export const undoField = json({
  label: 'Undo',
  parse: parseUndo,
  description:
    'The field "undo" that the apply has returned. Empty: the newest apply of this zone, as the State credential knows it.',
});

type GivenUndo = Pick<UndoPoint, 'zone' | 'owner' | 'export'> & Partial<Pick<UndoPoint, 'touched' | 'ignore'>>;

interface LimitOptions {
  readonly largestShare?: number;
  readonly mostCreates?: number;
  readonly mostUpdates?: number;
  readonly mostDeletes?: number;
}

interface Input extends Pick<Wanted, 'mode' | 'owner'> {
  readonly records: unknown;
  readonly options: LimitOptions & Partial<Pick<Wanted, 'adopt' | 'change' | 'delete' | 'ignore' | 'allowEmpty'>>;
}

export function wantedOf(zone: string, { records, mode, owner, options }: Input): Wanted {
  const { adopt, change, delete: remove, ignore, allowEmpty } = options;
  return {
    zone,
    desired: parseDesiredRecords(records, zone),
    mode,
    owner,
    ...(adopt && { adopt }),
    ...(change && { change }),
    ...(remove && { delete: remove }),
    ...(ignore && { ignore }),
    ...(allowEmpty !== undefined && { allowEmpty }),
    ...limitsOf(options),
  };
}

export function limitsOf({
  largestShare,
  mostCreates,
  mostUpdates,
  mostDeletes,
}: LimitOptions): Pick<Wanted, 'limits'> {
  return {
    limits: {
      ...(largestShare !== undefined && { share: largestShare / 100 }),
      ...(mostCreates !== undefined && { creates: mostCreates }),
      ...(mostUpdates !== undefined && { updates: mostUpdates }),
      ...(mostDeletes !== undefined && { deletes: mostDeletes }),
    },
  };
}

function parseUndo(value: unknown): GivenUndo | undefined {
  if (value === undefined || value === null || value === '') return undefined;
  if (!isObject(value)) throw new Error('it is no object');
  if (Object.keys(value).length === 0) return undefined;
  const { owner, export: file, zone } = value;
  if (typeof owner !== 'string' || typeof file !== 'string' || typeof zone !== 'string') {
    throw new Error('it has no zone, owner and export');
  }
  const texts = (list: unknown) => (Array.isArray(list) ? list.map(String) : undefined);
  const touched = texts(value['touched']);
  const ignore = texts(value['ignore']);
  return { zone, owner, export: file, ...(touched && { touched }), ...(ignore && { ignore }) };
}
