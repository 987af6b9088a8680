import { isObject } from '../json';
import type { Task } from '../task';
import type { HetznerApi } from './api';
import { type Changed, changeItem, command, differences, type Manner, presentItem, unchanged } from './change';
import { checkName, refuse } from './checks';
import { createItem } from './create';
import type { Item, Place } from './resource';
import { recordSets } from './resources/dns';
import { present } from './servers';
import type { Labels } from './shape';

export type RecordSet = Item<typeof recordSets>;

export interface RecordValue {
  readonly value: string;
  readonly comment?: string;
}

export interface RecordSetPlace {
  /** Id or name of the zone. */
  readonly zone: string;
  /** `www`, or `@` for the zone itself. */
  readonly name: string;
  readonly type: string;
}

const longestTtl = 2_147_483_647;

export function recordSetPlace({ zone, name, type }: RecordSetPlace): Place {
  checkName(zone, 'The name of the zone');
  const lower = name.trim().toLowerCase();
  if (lower.endsWith('.') || lower.endsWith(`.${zone.toLowerCase()}`) || lower === zone.toLowerCase()) {
    throw refuse(
      `record set ${lower.slice(0, 60)}`,
      `"${lower.slice(0, 60)}" holds the zone, and the names of record sets are below it`,
      'Write www instead of www.example.com, and @ for the zone itself.',
    );
  }
  checkName(lower, 'The name of the record set');
  return { zone, name: lower, type: type.toUpperCase() };
}

/** TXT stands in quotes, in pieces of at most 255 bytes; people paste it without. */
export function recordValue(type: string, text: string): string {
  const value = text.trim();
  if (value === '') throw refuse('record', 'A record has no value', 'Give every record a value.');
  if (type.toUpperCase() !== 'TXT' || value.startsWith('"')) return value;
  const pieces: string[] = [];
  let piece = '';
  for (const character of value) {
    if (Buffer.byteLength(piece) + Buffer.byteLength(character) > 255) {
      pieces.push(piece);
      piece = '';
    }
    piece += character;
  }
  return [...pieces, piece].map((one) => `"${one.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(' ');
}

export interface RecordSetWish {
  readonly records: readonly RecordValue[];
  readonly ttl?: number;
  readonly labels?: Labels;
}

/** The record set as it should be: made, or its records and TTL set where they differ. */
export async function setRecordSet(
  api: HetznerApi,
  at: RecordSetPlace,
  wish: RecordSetWish,
  manner: Manner,
  task: Task,
): Promise<Changed<RecordSet | undefined>> {
  const { ttl } = wish;
  const place = recordSetPlace(at);
  checkTtl(ttl);
  const records = asSent(at.type, wish.records);
  if (records.length === 0) {
    throw refuse('record set', 'A record set has at least one record', 'Use Delete to remove the record set.');
  }
  const before = await presentItem(api, recordSets, place, task);
  if (before === undefined) return createRecordSet(api, at, wish, manner, task);
  const withRecords = await changeItem(
    api,
    recordSets,
    { place, command: 'set_records', body: { records }, isDone: (item) => sameRecords(item, records) },
    manner,
    task,
  );
  const withTtl = ttl === undefined ? unchanged(withRecords.item) : await changeTtl(api, place, ttl, manner, task);
  const changed = withRecords.changed || withTtl.changed;
  const actions = [...withRecords.actions, ...withTtl.actions];
  return { changed, item: withTtl.item, changes: differences(before, withTtl.item), actions, answer: null };
}

export async function createRecordSet(
  api: HetznerApi,
  at: RecordSetPlace,
  { records: wanted, ttl, labels = {} }: RecordSetWish,
  manner: Manner,
  task: Task,
): Promise<Changed<RecordSet | undefined>> {
  const place = recordSetPlace(at);
  checkTtl(ttl);
  const records = asSent(at.type, wanted);
  const { zone, name, type } = place as Readonly<Record<string, string>>;
  return createItem(
    api,
    recordSets,
    {
      within: { zone: zone ?? '' },
      name: name ?? '',
      labels,
      body: () => present({ name, type, ttl, labels, records }),
      find: () => presentItem(api, recordSets, place, task),
      mismatch: (item) => (sameRecords(item, records) ? undefined : 'it has other records'),
      placeOf: () => place,
    },
    manner,
    task,
  );
}

export function changeTtl(
  api: HetznerApi,
  place: Place,
  ttl: number,
  manner: Manner,
  task: Task,
): Promise<Changed<RecordSet>> {
  checkTtl(ttl);
  return changeItem(
    api,
    recordSets,
    { place, command: 'change_ttl', body: { ttl }, isDone: (item) => item.ttl === ttl },
    manner,
    task,
  );
}

/** Adds to or takes from what is there; the others are not touched. A set whose last record goes is gone as well. */
export async function changeRecords(
  api: HetznerApi,
  at: RecordSetPlace,
  how: 'add_records' | 'remove_records' | 'update_records',
  wish: RecordSetWish,
  manner: Manner,
  task: Task,
): Promise<Changed<RecordSet | undefined>> {
  const place = recordSetPlace(at);
  const records = asSent(at.type, wish.records);
  if (records.length === 0) throw refuse('record set', 'No record was given', 'Give at least one record.');
  const before = await presentItem(api, recordSets, place, task);
  if (before === undefined && how === 'add_records') return createRecordSet(api, at, wish, manner, task);
  if (before === undefined && how === 'remove_records') return unchanged(undefined);
  const body = present({
    // Comments are no part of what is to be removed.
    records: how === 'remove_records' ? records.map(({ value }) => ({ value })) : records,
    ttl: how === 'add_records' ? wish.ttl : undefined,
  });
  const isDone = (item: RecordSet) => {
    const has = new Map(valuesOf(item).map(({ value, comment }) => [value, comment ?? '']));
    if (how === 'add_records') return records.every(({ value }) => has.has(value));
    if (how === 'remove_records') return records.every(({ value }) => !has.has(value));
    return records.every(({ value, comment }) => has.get(value) === (comment ?? ''));
  };
  const change = { place, command: how, body, isDone };
  const gone = new Set(records.map(({ value }) => value));
  const left = before === undefined ? [] : valuesOf(before).filter(({ value }) => !gone.has(value));
  if (how !== 'remove_records' || left.length > 0 || manner.dryRun || before === undefined) {
    return changeItem(api, recordSets, change, manner, task);
  }
  const { answer, actions } = await command(api, recordSets, change, manner, task);
  const item = await presentItem(api, recordSets, place, task);
  return { changed: true, item, changes: item === undefined ? [] : differences(before, item), actions, answer };
}

function asSent(type: string, records: readonly RecordValue[]): readonly { value: string; comment?: string }[] {
  return records.map(({ value, comment }) => ({
    value: recordValue(type, value),
    ...(comment !== undefined && comment !== '' && { comment }),
  }));
}

function sameRecords(item: RecordSet, wanted: readonly RecordValue[]): boolean {
  const key = (records: readonly RecordValue[]) =>
    JSON.stringify(records.map(({ value, comment }) => [value, comment ?? '']).sort());
  return key(valuesOf(item)) === key(wanted);
}

function valuesOf({ records }: RecordSet): readonly RecordValue[] {
  return records.flatMap((record) =>
    isObject(record) && typeof record['value'] === 'string'
      ? [{ value: record['value'], ...(typeof record['comment'] === 'string' && { comment: record['comment'] }) }]
      : [],
  );
}

export function checkTtl(ttl: number | undefined): void {
  if (ttl === undefined || (Number.isInteger(ttl) && ttl >= 60 && ttl <= longestTtl)) return;
  throw refuse('TTL', `A TTL of ${ttl} is not possible`, 'Give whole seconds, from 60 up.');
}
