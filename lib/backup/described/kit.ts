import { canonicalJson } from '../../canonical-json';
import { Failure } from '../../failure';
import { isObject, type Json } from '../../json';
import type { KitPlan, KitRecord } from '../kit/kit';
import type { RcloneConfiguration } from '../plan';
import { bad, list, object, optional, reference, text, wholeNumber, type Reader } from './reader';

const keys: Reader<Readonly<Record<string, string>>> = (value, at) => {
  if (!isObject(value)) throw bad(at, 'must be an object of names and references');
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, reference(each, `${at}.${name}`)]));
};

/** It throws at what is no JSON. */
const anything: Reader<Json> = (value) => JSON.parse(canonicalJson(value as Json)) as Json;

const description = object({
  estate: text,
  recipients: list(text),
  protects: object({ provider: text, host: optional(text) }),
  places: list(object({ name: text, remote: text, provider: text, host: optional(text) })),
  keys: optional(keys),
  inventory: optional(anything),
  keep: optional(wholeNumber(1, 1000)),
});

/** The recovery kit as people describe it: JSON without secrets; keys are references, resolved here. */
export async function parseDescribedKit(
  value: unknown,
  rclone: RcloneConfiguration,
  resolve: (reference: string) => Promise<string>,
): Promise<KitPlan> {
  const { estate, keys: named = {}, inventory = {}, ...rest } = description(value, '');
  if (rclone.kind === 'file') {
    throw new Failure({
      code: 'kit_configuration_elsewhere',
      subject: 'the recovery kit',
      message:
        'The recovery kit has to hold the whole rclone configuration, and this credential only says where it lies on the host',
      nextStep: 'Use an Rclone Remotes credential that has the configuration in it.',
    });
  }
  const resolved = await Promise.all(Object.entries(named).map(async ([name, each]) => [name, await resolve(each)]));
  const own = Object.fromEntries(resolved) as Record<string, string>;
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
