import { randomBytes } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import { Failure, isFailure } from '../failure';
import type { Json } from '../json';
import { pause, type Task } from '../task';
import type { Backend, Outcome } from './backend';
import { stateBusy, stateConflict, stateExists } from './failures';
import { checkKey, checkPrefix } from './key';
import type { StateStore, WriteOptions } from './store';

/** State is for decisions and journals, not for files. */
const LARGEST_VALUE = 256 * 1024;
const LARGEST_PAGE = 100;
const UPDATE_ATTEMPTS = 200;
const CLEAN_UP_EVERY_MS = 3_600_000;
const LONGEST_TTL_MS = 10 * 366 * 86_400_000;

// When this process last cleaned up each place, so that short executions do not do it every time.
const cleanedAt = new Map<string, number>();

/** Makes the whole port from what a place can do. */
export function openState(backend: Backend, task: Task): StateStore {
  const { place } = backend;

  async function write(
    key: string,
    value: Json,
    expected: number | 'absent',
    { ttlMs }: WriteOptions,
  ): Promise<Outcome> {
    checkKey(key);
    if (ttlMs !== undefined) checkTtl(key, ttlMs);
    const outcome = await backend.write({ key, id: writeId(), value: valueText(key, value), expected, ttlMs });
    if (ttlMs !== undefined && expected === 'absent') await cleanUpSometimes();
    return outcome;
  }

  async function create(key: string, value: Json, options: WriteOptions = {}): Promise<number> {
    const outcome = await write(key, value, 'absent', options);
    if (outcome.outcome === 'present') throw stateExists(place, key, outcome.version);
    if (outcome.outcome === 'absent')
      throw stateBusy(place, key, 'it kept coming and going while it was being created');
    return outcome.version;
  }

  async function replace(key: string, value: Json, version: number, options: WriteOptions = {}): Promise<number> {
    const outcome = await write(key, value, checkVersion(key, version), options);
    if (outcome.outcome === 'done') return outcome.version;
    throw stateConflict(place, key, version, outcome.outcome === 'present' ? outcome.version : null);
  }

  async function update(
    key: string,
    change: (value: Json | undefined) => Json | undefined,
    options: WriteOptions = {},
  ): Promise<Json | undefined> {
    for (let attempt = 1; attempt <= UPDATE_ATTEMPTS; attempt += 1) {
      const entry = await read(key);
      const next = change(entry?.value);
      if (next === undefined) return entry?.value;
      const outcome = await write(key, next, entry?.version ?? 'absent', options);
      if (outcome.outcome === 'done') return next;
      // Somebody was faster. The wait grows and differs, so that many callers come through one after the other.
      await pause(Math.random() * Math.min(10 * attempt, 250), task.signal, key);
    }
    throw stateBusy(place, key, `others changed it first ${UPDATE_ATTEMPTS} times`);
  }

  async function read(key: string) {
    checkKey(key);
    return backend.read(key);
  }

  async function cleanUpSometimes(): Promise<void> {
    const now = Date.now();
    if (now - (cleanedAt.get(place) ?? 0) < CLEAN_UP_EVERY_MS) return;
    cleanedAt.set(place, now);
    // What was asked for is done by now, and must not fail because the broom broke; the next one sweeps again.
    await backend.cleanUp().catch((error: unknown) => {
      cleanedAt.delete(place);
      const why = isFailure(error) ? error.message : 'for an unexpected reason';
      task.progress({ message: `The ${place} could not be cleaned up: ${why}` });
    });
  }

  return {
    place,
    read,
    create,
    replace,
    update,
    remove: async (key, version) => {
      checkKey(key);
      const expected = version === undefined ? 'any' : checkVersion(key, version);
      const outcome = await backend.remove({ key, id: writeId(), expected });
      if (outcome.outcome === 'present') throw stateConflict(place, key, version ?? 0, outcome.version);
      return outcome.outcome === 'done';
    },
    list: async (prefix, { limit = LARGEST_PAGE, after = '' } = {}) => {
      checkPrefix(prefix);
      if (after !== '') checkKey(after);
      return backend.list(prefix, after, Math.max(1, Math.min(Math.trunc(limit) || 1, LARGEST_PAGE)));
    },
    once: async (key, ttlMs) => {
      try {
        await create(key, null, { ttlMs });
        return true;
      } catch (error) {
        if (isFailure(error, 'state_exists')) return false;
        throw error;
      }
    },
    cleanUp: () => backend.cleanUp(),
    close: () => backend.close(),
  };
}

function writeId(): string {
  return randomBytes(6).toString('hex');
}

function valueText(key: string, value: Json): string {
  const text = canonicalJson(value);
  const bytes = Buffer.byteLength(text);
  if (bytes <= LARGEST_VALUE) return text;
  throw unusable(
    key,
    `its value has ${bytes} bytes, and ${LARGEST_VALUE} are allowed`,
    'Store a reference to it instead.',
  );
}

function checkTtl(key: string, ttlMs: number): void {
  if (Number.isSafeInteger(ttlMs) && ttlMs > 0 && ttlMs <= LONGEST_TTL_MS) return;
  throw unusable(key, `${ttlMs} ms is not a time to live`, 'Give a whole number of milliseconds, up to ten years.');
}

function checkVersion(key: string, version: number): number {
  if (Number.isSafeInteger(version) && version > 0) return version;
  throw unusable(key, `${version} is not a version`, 'Give the version that reading the entry returned.');
}

function unusable(key: string, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'state_value_invalid',
    subject: `state key ${key}`,
    message: `${key} cannot be written to the state: ${why}`,
    nextStep,
  });
}
