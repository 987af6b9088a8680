import type { StoredRecord } from './state';

type Test = (record: StoredRecord) => boolean;

/** The records of a list request: filtered by all or any of what is asked, and in the order that is asked. */
export function select(records: Iterable<StoredRecord>, query: URLSearchParams): readonly StoredRecord[] {
  const tests = [...query].flatMap(([name, value]) => test(name, value) ?? []);
  const any = query.get('match') === 'any';
  const tagTests = [...query].flatMap(([name, value]) => tagTest(name, value) ?? []);
  const anyTag = query.get('tag_match') === 'any';
  const fits = (record: StoredRecord, list: readonly Test[], some: boolean) =>
    list.length === 0 || (some ? list.some((one) => one(record)) : list.every((one) => one(record)));
  const chosen = [...records].filter((record) => fits(record, tests, any) && fits(record, tagTests, anyTag));
  const order = query.get('order');
  if (order === null) return chosen;
  const sign = query.get('direction') === 'desc' ? -1 : 1;
  return chosen.sort((one, other) => sign * compare(keyOf(one, order), keyOf(other, order)));
}

function test(name: string, value: string): Test | undefined {
  const [field = '', how = 'exact'] = name.split('.');
  switch (field) {
    case 'type':
      return (record) => record.type === value;
    case 'proxied':
      return (record) => record.proxied === (value === 'true');
    case 'search':
      return (record) => [record.name, record.content, record.comment ?? '', ...record.tags].some(has(value));
    case 'name':
      return (record) => text(how, record.name, value.toLowerCase());
    case 'content':
      return (record) => text(how, record.content, value);
    case 'comment':
      return (record) => text(how, record.comment, value);
    default:
      return undefined;
  }
}

function tagTest(name: string, value: string): Test | undefined {
  const [field, how = 'exact'] = name.split('.');
  if (field !== 'tag') return undefined;
  switch (how) {
    case 'present':
      return ({ tags }) => tags.some((tag) => tag.split(':')[0] === value);
    case 'absent':
      return ({ tags }) => tags.every((tag) => tag.split(':')[0] !== value);
    default:
      return ({ tags }) => tags.some((tag) => text(how, tag, value));
  }
}

function text(how: string, given: string | undefined, wanted: string): boolean {
  switch (how) {
    case 'present':
      return given !== undefined;
    case 'absent':
      return given === undefined;
    case 'contains':
      return given?.includes(wanted) ?? false;
    case 'startswith':
      return given?.startsWith(wanted) ?? false;
    case 'endswith':
      return given?.endsWith(wanted) ?? false;
    default:
      return given === wanted;
  }
}

function has(part: string): (whole: string) => boolean {
  return (whole) => whole.toLowerCase().includes(part.toLowerCase());
}

function keyOf(record: StoredRecord, order: string): string | number {
  switch (order) {
    case 'ttl':
      return record.ttl;
    case 'proxied':
      return record.proxied ? 1 : 0;
    case 'content':
      return record.content;
    case 'name':
      return record.name;
    default:
      return record.type;
  }
}

function compare(one: string | number, other: string | number): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
