import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { Failure } from '../failure';
import { isObject, type Json } from '../json';
import type { StateStore } from '../state/store';
import type { Labels, Severity } from '../alert/report';
import type { History } from './history';
import type { News, Told } from './news';
import type { Status } from './standing';

const SCHEMA = 1;

/** What is believed of one target, as it outlives n8n. */
export interface Kept {
  readonly status?: Status;
  readonly begunAt: number;
  /** What it was told as; when it is watched no more, or under other labels, that has to be taken back. */
  readonly told?: Told;
}

/** What is told in one execution: written down first, and taken out when an execution has ended well with it. */
export interface Batch {
  readonly id: string;
  /** Counted from 1. Told again under the same one, it starts no second execution. */
  readonly attempt: number;
  readonly news: readonly News[];
}

export interface WatchRecord {
  readonly standings: Readonly<Record<string, Kept>>;
  readonly waiting: readonly Batch[];
}

/** For the status page: what there is to see, and how it went. */
export interface Seen {
  readonly name: string;
  readonly group: string;
  readonly status: Status | 'unknown';
  readonly labels: Labels;
  readonly severity: Severity;
  readonly history?: History;
}

export interface SeenPage {
  readonly at: number;
  readonly targets: readonly Seen[];
}

export async function readRecord(store: StateStore, watch: string): Promise<WatchRecord> {
  const value = await read(store, standingsKey(watch));
  if (value === undefined) return { standings: {}, waiting: [] };
  const { standings, waiting } = value;
  if (!isObject(standings) || !Array.isArray(waiting)) throw unreadable(watch);
  return { standings: standings as Readonly<Record<string, Kept>>, waiting: waiting as readonly Batch[] };
}

export async function writeRecord(store: StateStore, watch: string, record: WatchRecord): Promise<void> {
  const packed = await pack(record as unknown as Json);
  await store.update(standingsKey(watch), () => packed);
}

export async function readSeen(store: StateStore, watch: string): Promise<SeenPage | undefined> {
  const pages: SeenPage[] = [];
  for (let part = 0; ; part += 1) {
    const value = await read(store, seenKey(watch, part));
    if (value === undefined) break;
    const { at, targets, last } = value;
    if (typeof at !== 'number' || !Array.isArray(targets)) throw unreadable(watch);
    pages.push({ at, targets: targets as readonly Seen[] });
    if (last !== false) break;
  }
  const [first] = pages;
  return first && { at: Math.min(...pages.map(({ at }) => at)), targets: pages.flatMap(({ targets }) => targets) };
}

/** Some hundred targets an entry: with 60 days of history, thousands would not fit into one. */
const PART = 1_000;

export async function writeSeen(store: StateStore, watch: string, { at, targets }: SeenPage): Promise<void> {
  for (let part = 0; part === 0 || part * PART < targets.length; part += 1) {
    const some = targets.slice(part * PART, (part + 1) * PART);
    const packed = await pack({ at, targets: some, last: (part + 1) * PART >= targets.length } as unknown as Json);
    await store.update(seenKey(watch, part), () => packed);
  }
}

function standingsKey(watch: string): string {
  return `watch/${watch}`;
}

function seenKey(watch: string, part: number): string {
  return `watch-history/${watch}/${part}`;
}

const compress = promisify(gzip);

async function pack(value: Json): Promise<Json> {
  return { schema: SCHEMA, packed: (await compress(JSON.stringify(value))).toString('base64') };
}

async function read(store: StateStore, key: string): Promise<Record<string, unknown> | undefined> {
  const entry = await store.read(key);
  if (entry === undefined) return undefined;
  const { value } = entry;
  if (!isObject(value) || value['schema'] !== SCHEMA || typeof value['packed'] !== 'string') throw unreadable(key);
  try {
    const document: unknown = JSON.parse(gunzipSync(Buffer.from(value['packed'], 'base64')).toString('utf8'));
    if (isObject(document)) return document;
  } catch {
    // Said below.
  }
  throw unreadable(key);
}

function unreadable(what: string): Failure {
  return new Failure({
    code: 'watch_state_unreadable',
    subject: `watch ${what}`,
    message: `What is stored of the watch ${what} cannot be read; it was damaged, or a newer version of this pack wrote it`,
    nextStep: 'Update this pack, or remove the entry from the state: then the watch begins anew.',
  });
}
