import { gunzipSync, gzipSync } from 'node:zlib';
import { Failure } from '../failure';
import { isObject, type Json } from '../json';
import type { StateStore } from '../state/store';
import { latestDigest } from './hours';
import { emptyMemory, type AlertMemory } from './memory';
import type { Message } from './message';
import { reduceAlerts, type AlertEvent } from './reduce';
import type { AlertSettings } from './settings';

const SCHEMA = 1;
/** Longer than this, the memory is stored packed: an entry of the state has at most 256 KiB. */
const PLAIN = 64 * 1024;

/**
 * Lets something happen to the incidents that are kept under this name. Of executions that come at once, one after the
 * other is heard, and each message goes to exactly one of them. A message belongs to whoever wrote it to the state.
 */
export async function happen(
  store: StateStore,
  name: string,
  event: AlertEvent,
  settings: AlertSettings,
  clock: () => number = Date.now,
): Promise<readonly Message[]> {
  let messages: readonly Message[] = [];
  await store.update(keyOf(name), (value) => {
    const now = clock();
    const before = value === undefined ? firstMemory(now, settings) : unpack(value, name);
    const reduced = reduceAlerts(before, event, now, settings);
    messages = reduced.messages;
    return pack(reduced.memory);
  });
  return messages;
}

/** What is known now; nothing is changed. */
export async function readMemory(
  store: StateStore,
  name: string,
  settings: AlertSettings,
  clock: () => number = Date.now,
): Promise<AlertMemory> {
  const entry = await store.read(keyOf(name));
  return entry === undefined ? firstMemory(clock(), settings) : unpack(entry.value, name);
}

function firstMemory(now: number, { hours }: AlertSettings): AlertMemory {
  return emptyMemory(now, latestDigest(hours, now));
}

function keyOf(name: string): string {
  return `alert/${name}`;
}

function pack(memory: AlertMemory): Json {
  const text = JSON.stringify(memory);
  if (text.length < PLAIN) return JSON.parse(text) as Json;
  return { schema: SCHEMA, packed: gzipSync(text).toString('base64') };
}

/** Only this pack writes the entry, so its schema says what is in it. */
function unpack(value: Json, name: string): AlertMemory {
  if (!isObject(value)) throw unreadable(name);
  if (typeof value['schema'] === 'number' && value['schema'] > SCHEMA) throw newer(name, value['schema']);
  const memory = typeof value['packed'] === 'string' ? inflate(value['packed'], name) : value;
  if (!isMemory(memory)) throw unreadable(name);
  return memory;
}

function inflate(packed: string, name: string): unknown {
  try {
    return JSON.parse(gunzipSync(Buffer.from(packed, 'base64')).toString('utf8'));
  } catch {
    throw unreadable(name);
  }
}

function isMemory(value: unknown): value is AlertMemory {
  return (
    isObject(value) &&
    value['schema'] === SCHEMA &&
    ['now', 'nextNumber', 'nextSuppressed', 'digestAt'].every((field) => typeof value[field] === 'number') &&
    ['conditions', 'heard'].every((field) => isObject(value[field])) &&
    ['incidents', 'silences'].every((field) => Array.isArray(value[field]))
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
