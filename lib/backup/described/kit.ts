import { canonicalJson } from '../../canonical-json';
import { Failure } from '../../failure';
import { isObject, type Json } from '../../json';
import type { KitPlace, KitPlan, KitRecord } from '../kit/kit';
import type { RcloneConfiguration } from '../plan';
import { bad, list, object, optional, reference, text, wholeNumber, type Reader } from './reader';

const keys: Reader<Readonly<Record<string, string>>> = (value, at) => {
  if (!isObject(value)) throw bad(at, 'must be an object of names and references');
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, reference(each, `${at}.${name}`)]));
};

const paths: Reader<Readonly<Record<string, string>>> = (value, at) => {
  if (!isObject(value)) throw bad(at, 'must be an object of names and paths');
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, wholePath(each, `${at}.${name}`)]));
};

const wholePath: Reader<string> = (value, at) => {
  const path = text(value, at);
  if (!path.startsWith('/')) throw bad(at, 'must be a whole path');
  return path;
};

/** It throws at what is no JSON. */
const anything: Reader<Json> = (value) => JSON.parse(canonicalJson(value as Json)) as Json;

const description = object({
  estate: text,
  recipients: list(text),
  protects: object({ provider: text, host: optional(text) }),
  places: list(object({ name: text, remote: text, provider: text, host: optional(text) })),
  keys: optional(keys),
  files: optional(paths),
  inventory: optional(anything),
  keep: optional(wholeNumber(1, 1000)),
});

/** Where what stands in a kit comes from. */
export interface KitSources {
  readonly resolve: (reference: string) => Promise<string>;
  /** A file of the host where the kit is made; undefined where there is none. */
  readonly read: (path: string) => Promise<string | undefined>;
}

/** Where a kit lies, for whoever only wants to open it. */
export function parseKitPlaces(value: unknown): readonly KitPlace[] {
  return description(value, '').places;
}

/** The recovery kit as people describe it: JSON without secrets; keys are references and files of the host, read here. */
export async function parseDescribedKit(
  value: unknown,
  rclone: RcloneConfiguration,
  { resolve, read }: KitSources,
): Promise<KitPlan> {
  const { estate, keys: named = {}, files = {}, inventory = {}, ...rest } = description(value, '');
  if (rclone.kind === 'file') {
    throw new Failure({
      code: 'kit_configuration_elsewhere',
      subject: 'the recovery kit',
      message:
        'The recovery kit has to hold the whole rclone configuration, and this credential only says where it lies on the host',
      nextStep: 'Use an Rclone Remotes credential that has the configuration in it.',
    });
  }
  const resolved = await Promise.all(
    Object.entries(named).map(async ([name, each]) => [name, await resolve(each)] as const),
  );
  const found = await Promise.all(Object.entries(files).map(async ([name, path]) => [name, await read(path)] as const));
  const own = Object.fromEntries([
    ...found.flatMap(([name, content]) => (content === undefined ? [] : [[name, content] as const])),
    ...resolved,
  ]);
  return { ...rest, rclone, content: { estate, rcloneConf: rclone.text, keys: own, inventory } };
}

const fingerprint = object({ salt: text, hash: text });

const record = object({
  name: text,
  createdAt: text,
  size: wholeNumber(1),
  sha256: text,
  recipients: list(text),
  content: fingerprint,
  word: fingerprint,
});

/** What Write has put out about a kit, and somebody has kept. */
export function parseKitRecord(value: unknown): KitRecord {
  return record(value, 'record');
}
