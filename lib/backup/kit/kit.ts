import { randomBytes } from 'node:crypto';
import { Failure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import { backupName } from '../../manifest/names';
import { redact } from '../../secrets/redact';
import type { Task } from '../../task';
import type { Destination, RcloneConfiguration } from '../plan';
import { renderFields, secretsOf, vaultFields, type Fields } from '../plan-fields';
import { CHECK_KIT, WRITE_KIT } from '../script/kit';
import {
  drillWord,
  fingerprintOf,
  isSame,
  isWord,
  packKit,
  wordFingerprint,
  type Fingerprint,
  type KitContent,
} from './content';

/** Where a kit lies. The remote is used as it is, without crypt: who opens the kit has no crypt password yet. */
export type KitPlace = Pick<Destination, 'name' | 'remote' | 'provider' | 'host'>;

export interface KitPlan {
  readonly content: KitContent;
  /** Public keys that only humans hold the other half of: `age1…`, `ssh-ed25519 …` or `ssh-rsa …`. */
  readonly recipients: readonly string[];
  readonly rclone: RcloneConfiguration;
  readonly places: readonly KitPlace[];
  /** The provider whose loss it is made for: copies with it, or on its hosts, do not count. */
  readonly protects: { readonly provider: string; readonly host?: string };
  /** How many kits stay at a place. Default 3. */
  readonly keep?: number;
}

/** What its writer remembers. None of it helps to open the kit. */
export interface KitRecord {
  readonly name: string;
  readonly createdAt: string;
  readonly size: number;
  readonly sha256: string;
  readonly recipients: readonly string[];
  readonly content: Fingerprint;
  readonly word: Fingerprint;
}

export interface KitCopy {
  readonly place: string;
  readonly status: 'good' | 'missing' | 'damaged' | 'unreachable' | 'failed';
  readonly why?: string;
  /** Whether it counts: it is good, and outlives the provider and host it is made for. */
  readonly counts: boolean;
}

export interface KitReport {
  readonly status: 'ok' | 'degraded' | 'failed';
  readonly sentence: string;
  readonly copies: readonly KitCopy[];
}

const ENOUGH = 2;
const LARGEST = 4 * 1024 * 1024;

/** Writes a new kit to every place. It is `failed` when fewer than two copies are outside what it protects against. */
export async function writeKit(
  host: Host,
  plan: KitPlan,
  task: Task,
): Promise<{ readonly record: KitRecord; readonly report: KitReport }> {
  checkKitPlan(plan);
  const now = new Date();
  const word = drillWord();
  const tar = packKit(plan.content, word, now);
  if (tar.length > LARGEST) throw unusable(`it would hold ${tar.length} bytes, and a kit is small`);
  const name = `recovery-kit-${backupName(now)}.age`;
  const output = await onHost(
    host,
    plan,
    {
      script: WRITE_KIT,
      fields: {
        name,
        kit: tar.toString('base64'),
        page: HOW_TO_OPEN,
        keep: plan.keep ?? 3,
        recipients: plan.recipients.length,
        ...Object.fromEntries(plan.recipients.map((each, index) => [`recipient.${index}`, each.trim()])),
      },
    },
    task,
  );
  const [, size, sha256] = /^kit (\d+) ([0-9a-f]{64})$/m.exec(output) ?? [];
  if (size === undefined || sha256 === undefined) throw unreadable(host);
  const salt = randomBytes(16).toString('hex');
  const record: KitRecord = {
    name,
    createdAt: now.toISOString(),
    size: Number(size),
    sha256,
    recipients: plan.recipients.map((each) => each.trim()),
    content: fingerprintOf(plan.content, salt),
    word: wordFingerprint(word, salt),
  };
  return { record, report: judge(plan, copiesOf(output, plan), []) };
}

/**
 * Whether every place still has the kit byte for byte. With the content as it is now it says, too, whether the kit is out
 * of date. It cannot be opened with anything that is here; that is what the drill is for.
 */
export async function checkKit(
  host: Host,
  plan: Pick<KitPlan, 'rclone' | 'places' | 'protects'> & { readonly content?: KitContent },
  record: KitRecord,
  task: Task,
): Promise<KitReport & { readonly outOfDate: boolean }> {
  const { name, sha256 } = record;
  const output = await onHost(host, plan, { script: CHECK_KIT, fields: { name, sha256 } }, task);
  const outOfDate =
    plan.content !== undefined && !isSame(fingerprintOf(plan.content, record.content.salt), record.content);
  const troubles = outOfDate ? ['what it should hold has changed since it was written'] : [];
  return { ...judge(plan, copiesOf(output, plan), troubles), outOfDate };
}

/** Whether somebody has opened this kit: the word is nowhere but inside. */
export function provesOpening(record: KitRecord, typed: string): boolean {
  return isWord(typed, record.word);
}

function judge(
  plan: Pick<KitPlan, 'places' | 'protects'>,
  copies: readonly KitCopy[],
  troubles: readonly string[],
): KitReport {
  const good = copies.filter(({ status }) => status === 'good').length;
  const counted = copies.filter(({ counts }) => counts);
  const providers = new Set(
    plan.places.filter(({ name }) => counted.some(({ place }) => place === name)).map(({ provider }) => provider),
  ).size;
  const status =
    counted.length < ENOUGH
      ? 'failed'
      : good < copies.length || troubles.length > 0 || providers < 2
        ? 'degraded'
        : 'ok';
  const sentence = [
    `${good} of ${copies.length} places have the kit, ${counted.length} of them outside ${plan.protects.provider}`,
    ...(counted.length < ENOUGH ? [`${ENOUGH} are needed`] : []),
    ...(counted.length >= ENOUGH && providers < 2 ? ['all of those are with one provider'] : []),
    ...troubles,
  ].join('; ');
  return { status, sentence, copies };
}

function outlives({ provider, host }: KitPlace, { protects }: Pick<KitPlan, 'protects'>): boolean {
  return provider !== protects.provider && (host === undefined || host !== protects.host);
}

function copiesOf(output: string, plan: Pick<KitPlan, 'places' | 'protects' | 'rclone'>): KitCopy[] {
  const found = new Map(
    [...output.matchAll(/^place (\d+) (.*)$/gm)].map(([, index, rest = '']) => [Number(index), rest]),
  );
  const secrets = secretsOf({ rclone: plan.rclone, crypt: '' });
  return plan.places.map((place, index) => {
    const [word = '', ...rest] = (found.get(index) ?? 'unreachable the host gave no answer about it').split(' ');
    const why = redact(rest.join(' '), secrets);
    const status =
      word === 'good' || word === 'missing' || word === 'damaged' || word === 'failed' ? word : 'unreachable';
    return {
      place: place.name,
      status,
      ...(why !== '' && { why }),
      counts: status === 'good' && outlives(place, plan),
    };
  });
}

async function onHost(
  host: Host,
  { rclone, places }: Pick<KitPlan, 'rclone' | 'places'>,
  work: { readonly script: string; readonly fields: Fields },
  task: Task,
): Promise<string> {
  const input = renderFields({
    ...vaultFields({ rclone, crypt: '-' }),
    ...work.fields,
    places: places.length,
    ...Object.fromEntries(places.map(({ remote }, index) => [`place.${index}.remote`, remote])),
  });
  const command = { script: work.script, strict: false, input } as const;
  const { stdout } = await runCommand(host, command, { timeoutMs: 600_000 }, task);
  return stdout;
}

function checkKitPlan({ recipients, places, protects, content, ...plan }: KitPlan): void {
  if (recipients.length === 0) throw unusable('it names no public key');
  for (const each of recipients) {
    if (/SECRET-KEY|PRIVATE KEY/i.test(each))
      throw unusable('a private key was given; a kit is closed to public keys only');
    if (!/^(age1[02-9ac-hj-np-z]{58}|ssh-(ed25519|rsa) [A-Za-z0-9+/=]+( [^\n]*)?)$/.test(each.trim()))
      throw unusable(`"${each.slice(0, 40)}" is no public key of age or SSH`);
  }
  for (const { remote, name } of places)
    if (remote.trim() === '' || remote.startsWith('-')) throw unusable(`${name} has no remote`);
  const outside = places.filter((place) => outlives(place, { protects })).length;
  if (outside < ENOUGH)
    throw unusable(`only ${outside} of its places are outside ${protects.provider}, and ${ENOUGH} are needed`);
  for (const name of Object.keys(content.keys))
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$/.test(name)) throw unusable(`"${name.slice(0, 80)}" is no name for a key`);
  if (plan.keep !== undefined && (!Number.isInteger(plan.keep) || plan.keep < 1))
    throw unusable('it keeps less than one kit');
}

function unusable(why: string): Failure {
  return new Failure({
    code: 'kit_unusable',
    subject: 'the recovery kit',
    message: `The recovery kit cannot be written as it is described: ${why}`,
    nextStep: 'Correct the description. Nothing was written.',
  });
}

function unreadable(host: Host): Failure {
  return new Failure({
    code: 'kit_answer_unreadable',
    subject: `the recovery kit by way of ${describeHost(host)}`,
    message: 'The kit was written, but the answer about it cannot be read',
    nextStep: 'Write it again; older kits are still in their places.',
  });
}

const HOW_TO_OPEN = `This folder holds recovery kits: small files, closed with age (https://age-encryption.org).
You need the private key that belongs to it, which is on paper or in a safe, not on any server.

    age --decrypt --identity my-key.txt recovery-kit-DATE.age | tar -x

Take the newest. Then read READ-ME-FIRST.txt.
`;
