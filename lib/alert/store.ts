import { gunzipSync, gzipSync } from 'node:zlib';
import { Failure } from '../failure';
import { isObject, type Json } from '../json';
import type { StateStore } from '../state/store';
import { latestDigest } from './hours';
import { emptyMemory, type AlertMemory } from './memory';
import { confirm, handOut, setAside, type HandedOut, type Waiting } from './outbox';
import { reduceAlerts, type AlertEvent } from './reduce';
import { USUAL_SETTINGS, type AlertSettings } from './settings';

const SCHEMA = 1;
/** Longer than this, the memory is stored packed: an entry of the state has at most 256 KiB. */
const PLAIN = 64 * 1024;

/** Everything that is kept under one name. */
export interface AlertBook {
  readonly memory: AlertMemory;
  /** By which rules; absent: the usual ones. */
  readonly settings?: AlertSettings;
  readonly outbox: readonly Waiting[];
}

/**
 * Lets something happen to the incidents that are kept under this name. Of executions that come at once, one after the
 * other is heard. A message is written down together with what it is about, and handed to the one execution that wrote
 * it; when that one does not confirm it in time, whoever comes next is given it again, under the same id.
 */
export async function happen(
  store: StateStore,
  name: string,
  event: AlertEvent,
  clock: () => number = Date.now,
): Promise<readonly HandedOut[]> {
  let messages: readonly HandedOut[] = [];
  await change(store, name, clock, (book, now) => {
    const { settings = USUAL_SETTINGS } = book;
    const reduced = reduceAlerts(book.memory, event, now, settings);
    const given = handOut(book.outbox, reduced.messages, reduced.memory.now, settings.patienceMs);
    messages = given.messages;
    return { ...book, memory: reduced.memory, outbox: settings.confirmed ? given.outbox : [] };
  });
  return messages;
}

/** The same for whoever does not send messages: what becomes due is left for the next that does. */
export async function note(
  store: StateStore,
  name: string,
  event: AlertEvent,
  clock: () => number = Date.now,
): Promise<AlertMemory> {
  const noted: AlertMemory[] = [];
  await change(store, name, clock, (book, now) => {
    const { memory, messages } = reduceAlerts(book.memory, event, now, book.settings ?? USUAL_SETTINGS);
    noted.push(memory);
    return { ...book, memory, outbox: setAside(book.outbox, messages, memory.now) };
  });
  const [last] = noted.slice(-1);
  if (last === undefined) throw unreadable(name);
  return last;
}

/** What has arrived is not given to anybody again. True for those that were still waited for. */
export async function confirmMessages(
  store: StateStore,
  name: string,
  ids: readonly string[],
  clock: () => number = Date.now,
): Promise<readonly { readonly id: string; readonly confirmed: boolean }[]> {
  let waiting = new Set<string>();
  await change(store, name, clock, (book) => {
    waiting = new Set(book.outbox.map(({ message }) => message.id));
    return { ...book, outbox: confirm(book.outbox, ids) };
  });
  return ids.map((id) => ({ id, confirmed: waiting.has(id) }));
}

/** From now on these rules hold, for every execution that uses the name. Undefined: the usual ones. */
export async function keepSettings(
  store: StateStore,
  name: string,
  settings: AlertSettings | undefined,
  clock: () => number = Date.now,
): Promise<void> {
  await change(store, name, clock, ({ memory, outbox }) => ({
    memory,
    outbox,
    ...(settings !== undefined && { settings }),
  }));
}

/** What is known now; nothing is changed. */
export async function readBook(store: StateStore, name: string, clock: () => number = Date.now): Promise<AlertBook> {
  const entry = await store.read(keyOf(name));
  return entry === undefined ? firstBook(clock()) : unpack(entry.value, name);
}

async function change(
  store: StateStore,
  name: string,
  clock: () => number,
  work: (book: AlertBook, now: number) => AlertBook,
): Promise<void> {
  await store.update(keyOf(name), (value) => {
    const now = clock();
    return pack(work(value === undefined ? firstBook(now) : unpack(value, name), now));
  });
}

function firstBook(now: number): AlertBook {
  return { memory: emptyMemory(now, latestDigest(USUAL_SETTINGS.hours, now)), outbox: [] };
}

function keyOf(name: string): string {
  return `alert/${name}`;
}

function pack(book: AlertBook): Json {
  const text = JSON.stringify({ schema: SCHEMA, ...book });
  if (text.length < PLAIN) return JSON.parse(text) as Json;
  return { schema: SCHEMA, packed: gzipSync(text).toString('base64') };
}

/** Only this pack writes the entry, so its schema says what is in it. */
function unpack(value: Json, name: string): AlertBook {
  if (!isObject(value)) throw unreadable(name);
  if (typeof value['schema'] === 'number' && value['schema'] > SCHEMA) throw newer(name, value['schema']);
  const book = typeof value['packed'] === 'string' ? inflate(value['packed'], name) : value;
  if (!isBook(book)) throw unreadable(name);
  const { memory, settings, outbox } = book;
  // A setting that came later has its usual value.
  return { memory, outbox, ...(settings !== undefined && { settings: { ...USUAL_SETTINGS, ...settings } }) };
}

function inflate(packed: string, name: string): unknown {
  try {
    return JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString('utf8'));
  } catch {
    throw unreadable(name);
  }
}

function isBook(value: unknown): value is AlertBook {
  if (!isObject(value) || value['schema'] !== SCHEMA || !Array.isArray(value['outbox'])) return false;
  const { memory } = value;
  return (
    isObject(memory) &&
    ['now', 'nextNumber', 'nextSuppressed', 'digestAt'].every((field) => typeof memory[field] === 'number') &&
    ['conditions', 'heard'].every((field) => isObject(memory[field])) &&
    ['incidents', 'silences'].every((field) => Array.isArray(memory[field]))
  );
}

function unreadable(name: string): Failure {
  return new Failure({
    code: 'alert_state_unreadable',
    subject: `incidents of ${name}`,
    message: `The stored incidents of ${name} cannot be read`,
    nextStep: `Look at ${keyOf(name)} in the state, and restore or remove it by hand. Nothing was changed.`,
  });
}

function newer(name: string, schema: number): Failure {
  return new Failure({
    code: 'alert_state_newer',
    subject: `incidents of ${name}`,
    message: `The incidents of ${name} were stored by a newer version of this pack (schema ${schema}, this one knows ${SCHEMA})`,
    nextStep: 'Update this pack on every n8n that uses this state. Nothing was changed.',
  });
}
