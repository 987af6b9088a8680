import { Failure, isFailure } from '../failure';
import type { RunAs } from '../host/command';
import { readFile } from '../host/files/read';
import { writeFile } from '../host/files/write';
import { describeHost, type Host } from '../host/host';
import { isInstant } from '../instant';
import { isObject } from '../json';
import { lockBox, openBox } from '../secrets/box';
import { SealedText } from '../secrets/sealed';
import type { Task } from '../task';
import type { Entry } from './render/entry';

/** An encrypted copy of secrets on a host, for a cold start while Infisical is away. */
export interface LastKnown {
  readonly host: Host;
  readonly path: string;
  readonly runAs?: RunAs;
  /** Made of the Infisical credential: without that the copy is of no use. */
  readonly boxKey: Buffer;
  /** What it is a copy of, in every respect: another question gets another answer. */
  readonly about: string;
}

export interface Known {
  readonly entries: readonly Entry[];
  readonly source: 'Infisical' | 'last known copy';
  /** How old the copy is; null when it was not needed. */
  readonly ageSeconds: number | null;
}

const FORMAT = 'selfhost-last-known';
const VERSION = 1;

/**
 * Asks Infisical; and only when it cannot be reached at all, the copy. What it refuses stays refused: a right that was
 * taken away must not live on in a copy.
 */
export async function askOrRemember(
  copy: LastKnown,
  ask: () => Promise<readonly Entry[]>,
  now: () => number,
  task: Task,
): Promise<Known> {
  try {
    return { entries: await ask(), source: 'Infisical', ageSeconds: null };
  } catch (error) {
    if (!isFailure(error, 'infisical_unreachable')) throw error;
    const { entries, takenAt } = await remember(copy, error, task);
    const ageSeconds = Math.max(0, Math.round((now() - Date.parse(takenAt)) / 1000));
    task.progress({ message: `Infisical cannot be reached; the last known copy is ${ageSeconds} s old` });
    return { entries, source: 'last known copy', ageSeconds };
  }
}

/** Keeps what Infisical just said. */
export async function keepCopy(
  { host, path, runAs, boxKey, about }: LastKnown,
  entries: readonly Entry[],
  now: () => number,
  task: Task,
): Promise<void> {
  const takenAt = new Date(now()).toISOString();
  const text = new SealedText(JSON.stringify(entries.map(({ key, value }) => [key, value])));
  const box = lockBox(boxKey, text, sealOf(about, takenAt));
  const content = `${JSON.stringify({ format: FORMAT, version: VERSION, takenAt, box })}\n`;
  await writeFile(host, path, content, { mode: '0600', ...(runAs !== undefined && { runAs }) }, task);
}

/** The time is under the seal too, so that an old copy cannot be passed off as a new one. */
function sealOf(about: string, takenAt: string): string {
  return `last known copy of ${about}, taken ${takenAt}`;
}

async function remember({ host, path, runAs, boxKey, about }: LastKnown, away: Failure, task: Task) {
  let content: string;
  try {
    content = (await readFile(host, path, runAs === undefined ? {} : { runAs }, task)).content.toString('utf8');
  } catch (error) {
    // That there is no copy yet is no other trouble than the one at hand.
    throw isFailure(error, 'file_missing') ? away : error;
  }
  const copy = parse(content);
  if (copy === undefined) throw unusable(host, path, 'it is not understood');
  try {
    const pairs: unknown = JSON.parse(openBox(boxKey, copy.box, sealOf(about, copy.takenAt)).reveal());
    if (!Array.isArray(pairs)) throw unusable(host, path, 'it is not understood');
    return { takenAt: copy.takenAt, entries: (pairs as [string, string][]).map(([key, value]) => ({ key, value })) };
  } catch (error) {
    if (!isFailure(error, 'box_not_opened')) throw error;
    throw unusable(host, path, 'it was made with another credential or of another place, or was changed');
  }
}

function parse(text: string): { readonly takenAt: string; readonly box: string } | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (!isObject(value) || value['format'] !== FORMAT || value['version'] !== VERSION) return undefined;
    const { takenAt, box } = value;
    return typeof takenAt === 'string' && isInstant(takenAt) && typeof box === 'string' ? { takenAt, box } : undefined;
  } catch {
    return undefined;
  }
}

function unusable(host: Host, path: string, why: string): Failure {
  return new Failure({
    code: 'last_known_unusable',
    subject: `${path} on ${describeHost(host)}`,
    message: `Infisical cannot be reached, and the last known copy ${path} on ${describeHost(host)} is of no use: ${why}`,
    nextStep: 'Bring Infisical back. The files that were written to hosts before are untouched.',
  });
}
