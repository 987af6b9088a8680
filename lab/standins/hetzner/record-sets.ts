import { isIPv4, isIPv6 } from 'node:net';
import { listOf, type State, type Thing } from './state';

/** Hetzner's rules of record sets: why a request would be refused, or undefined. */
export type Rule = (set: Thing, body: Thing, state: State) => Refusal | undefined;

export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly message: string;
}

const invalid = (message: string): Refusal => ({ status: 422, code: 'invalid_input', message });

interface Entry {
  readonly value: string;
  readonly comment?: string;
}

export function entriesOf(value: unknown): readonly Entry[] {
  return Array.isArray(value) ? (value as readonly Entry[]) : [];
}

/** What would be refused of a set as it would be afterwards. */
export function refusedSet(set: Thing, state: State): Refusal | undefined {
  const records = entriesOf(set['records']);
  const values = records.map(({ value }) => value);
  if (records.length === 0) return invalid('records must not be empty');
  if (new Set(values).size < values.length) return invalid('records must be distinct');
  const bad = values.find((value) => !isWritten(String(set['type']), value));
  if (bad !== undefined) return invalid(`invalid record value: ${bad}`);
  const ttl = set['ttl'];
  if (typeof ttl === 'number' && ttl < 60) return invalid('ttl must be at least 60');
  const beside = listOf(state, 'rrsets').filter(
    (other) => other['zone'] === set['zone'] && other['name'] === set['name'] && other['type'] !== set['type'],
  );
  const isAlias = set['type'] === 'CNAME';
  if (isAlias && set['name'] === '@') return invalid('a CNAME cannot stand at the apex');
  if (isAlias && values.length > 1) return invalid('a CNAME has one record');
  if (beside.some(({ type }) => isAlias || type === 'CNAME')) return invalid('a CNAME cannot stand beside others');
  return undefined;
}

function isWritten(type: string, value: string): boolean {
  if (type === 'A') return isIPv4(value);
  if (type === 'AAAA') return isIPv6(value);
  if (type === 'TXT') return /^"(?:[^"\\]|\\.)*"(?:\s+"(?:[^"\\]|\\.)*")*$/su.test(value);
  return value !== '';
}

const isProtected: Rule = ({ protection }) =>
  (protection as Thing | undefined)?.['change'] === true
    ? { status: 423, code: 'protected', message: 'rrset change is protected' }
    : undefined;

const missing: Rule = (set, body) => {
  const values = new Set(entriesOf(set['records']).map(({ value }) => value));
  const unknown = entriesOf(body['records']).find(({ value }) => !values.has(value));
  return unknown === undefined ? undefined : invalid(`there is no record ${unknown.value}`);
};

const all =
  (...rules: readonly Rule[]): Rule =>
  (set, body, state) => {
    for (const rule of rules) {
      const refusal = rule(set, body, state);
      if (refusal !== undefined) return refusal;
    }
    return undefined;
  };

/** By the name of the action. */
export const rules: Readonly<Record<string, Rule>> = {
  set_records: all(isProtected, (set, { records }, state) => refusedSet({ ...set, records }, state)),
  add_records: all(isProtected, (set, { records, ttl }, state) => {
    if (ttl !== undefined && set['ttl'] !== null && ttl !== set['ttl']) return invalid('ttl must be that of the set');
    return refusedSet({ ...set, records: [...entriesOf(set['records']), ...entriesOf(records)] }, state);
  }),
  remove_records: all(isProtected, missing),
  update_records: all(isProtected, missing),
  change_ttl: all(isProtected, (set, { ttl }, state) => refusedSet({ ...set, ttl }, state)),
};

/** The zone as a file, as Hetzner writes it. */
export function zoneFileOf(zone: Thing, state: State): string {
  const lines = listOf(state, 'rrsets')
    .filter((set) => set['zone'] === zone['id'])
    .flatMap(({ name, type, ttl, records }) =>
      entriesOf(records).map(({ value, comment }) => {
        const said = comment === undefined || comment === '' ? '' : ` ; ${comment}`;
        return `${String(name)}\t${typeof ttl === 'number' ? ttl : ''}\tIN\t${String(type)}\t${value}${said}`;
      }),
    );
  return [`$ORIGIN\t${String(zone['name'])}.`, `$TTL\t${String(zone['ttl'])}`, ...lines, ''].join('\n');
}
