import { createHash } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import { Failure } from '../failure';
import { isInstant } from '../instant';
import { isObject, type Json, type JsonObject, parseJson } from '../json';
import { backupName, isPartName } from './names';

export const MANIFEST_VERSION = 1;
const FORMAT = 'selfhost-backup';

/** One stored file. Size and hash are those of the bytes as stored, after compression and encryption. */
export interface Part {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** How a program that made the data ended. A backup is whole only when all of them ended with 0. */
export interface Producer {
  readonly name: string;
  readonly exitCode: number | null;
  /** Set when it was killed; then there is no exit code. */
  readonly signal: string | null;
}

/** Written last: a backup without a manifest is none. */
export interface Manifest {
  readonly version: typeof MANIFEST_VERSION;
  /** What was backed up: `postgres/immich@bruno`. */
  readonly source: string;
  readonly runId: string;
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly parts: readonly Part[];
  readonly producers: readonly Producer[];
  /** What the engine wants to remember: log position, row counts, tool versions. No secrets. */
  readonly facts: JsonObject;
}

/** The name all files of this backup begin with. */
export function nameOf({ startedAt }: Pick<Manifest, 'startedAt'>): string {
  return backupName(new Date(startedAt));
}

/** True when every program that made the data ended well and there is data. */
export function isWhole({ parts, producers }: Manifest): boolean {
  return parts.length > 0 && producers.length > 0 && producers.every(({ exitCode }) => exitCode === 0);
}

/** The text of the manifest file. It carries a hash of itself, so that damage is seen. */
export function renderManifest(manifest: Manifest): string {
  const document = { format: FORMAT, ...manifest };
  const text = canonicalJson({ ...document, checksum: checksumOf(document) } as unknown as Json);
  parseManifest(text);
  return `${text}\n`;
}

export function parseManifest(text: string): Manifest {
  const document = parseJson(text);
  if (!isObject(document)) throw unreadable('it is not a JSON object');
  const { format, checksum, ...rest } = document;
  if (format !== FORMAT) throw unreadable('it is not a backup manifest');
  const { version, source, runId, startedAt, finishedAt, parts, producers, facts, ...others } = rest;
  if (typeof version === 'number' && version > MANIFEST_VERSION) throw newer(version);
  if (version !== MANIFEST_VERSION) throw unreadable('it has no version');
  if (checksum !== checksumOf({ format, ...rest })) throw damaged();
  const [other] = Object.keys(others);
  if (other !== undefined) throw unreadable(`it has a field "${other.slice(0, 80)}" that manifests do not have`);
  if (!isName(source)) throw unreadable('it does not name its source');
  if (!isName(runId)) throw unreadable('it does not name its run');
  if (!isInstant(startedAt) || !isInstant(finishedAt)) throw unreadable('its times are not times in UTC');
  if (finishedAt < startedAt) throw unreadable('it finished before it started');
  if (!Array.isArray(parts) || !Array.isArray(producers)) throw unreadable('parts or producers are missing');
  if (!isObject(facts)) throw unreadable('facts are missing');
  const manifest = {
    version,
    source,
    runId,
    startedAt,
    finishedAt,
    parts: parts.map(parsePart),
    producers: producers.map(parseProducer),
    facts: facts as JsonObject,
  } as const;
  const names = manifest.parts.map(({ name }) => name);
  if (new Set(names).size !== names.length) throw unreadable('two parts have the same name');
  return manifest;
}

function parsePart(value: unknown, index: number): Part {
  const bad = (why: string) => unreadable(`part ${index + 1} ${why}`);
  if (!isObject(value)) throw bad('is not an object');
  const { name, size, sha256, ...others } = value;
  if (typeof name !== 'string' || !isPartName(name)) throw bad('has no plain file name');
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw bad('has no size');
  if (typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) throw bad('has no SHA-256');
  if (Object.keys(others).length > 0) throw bad('has a field that parts do not have');
  return { name, size, sha256 };
}

function parseProducer(value: unknown, index: number): Producer {
  const bad = (why: string) => unreadable(`producer ${index + 1} ${why}`);
  if (!isObject(value)) throw bad('is not an object');
  const { name, exitCode, signal, ...others } = value;
  if (!isName(name)) throw bad('has no name');
  if (Object.keys(others).length > 0) throw bad('has a field that producers do not have');
  if (signal === null && typeof exitCode === 'number' && Number.isInteger(exitCode)) return { name, exitCode, signal };
  if (exitCode === null && typeof signal === 'string' && /^SIG[A-Z0-9+]+$/.test(signal))
    return { name, exitCode, signal };
  throw bad('has neither an exit code nor a signal');
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 500 && value.trim() !== '' && !/\p{Cc}/u.test(value);
}

function checksumOf(document: object): string {
  return `sha256:${createHash('sha256')
    .update(canonicalJson(document as Json))
    .digest('hex')}`;
}

function unreadable(why: string): Failure {
  return new Failure({
    code: 'manifest_unreadable',
    subject: 'the backup manifest',
    message: `The backup manifest cannot be read: ${why}`,
    nextStep: 'Treat this backup as not there, and look for the same one at another place.',
  });
}

function damaged(): Failure {
  return new Failure({
    code: 'manifest_damaged',
    subject: 'the backup manifest',
    message: 'The backup manifest is not as it was written: its checksum does not fit',
    nextStep: 'Use the copy of another place, and find out what changed this one.',
  });
}

function newer(version: number): Failure {
  return new Failure({
    code: 'manifest_newer_version',
    subject: 'the backup manifest',
    message: `The backup was made by a newer version of this pack (manifest ${version}, this one knows ${MANIFEST_VERSION})`,
    nextStep: 'Update this pack before you restore.',
    details: { version, supported: MANIFEST_VERSION },
  });
}
