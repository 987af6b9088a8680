import { runStateScript, fileNameFor } from '../../host/state-folder';
import { isObject } from '../../json';
import { Failure } from '../../failure';
import { withLock } from '../../host/locks/lock';
import { stepUnderLock } from '../../host/locks/step';
import type { Task } from '../../task';
import type { DockerAccess } from '../engine/access';
import { connectEngine } from '../engine/engine';
import { listImages, removeImage } from '../engine/images';
import { FORGET, HISTORY } from './scripts';

export type Outcome =
  | { readonly kind: 'ok' | 'failed'; readonly reason: string | null; readonly live: number; readonly well: boolean }
  | { readonly kind: 'unknown'; readonly why: 'running' | 'interrupted' | 'never switched' };

export interface Release {
  readonly release: number;
  readonly base: string;
  readonly live: boolean;
  readonly commit: string;
  readonly outcome: Outcome;
  readonly at: string | null;
  readonly by: string | null;
  readonly repository: string | null;
  readonly digests: Readonly<Record<string, readonly string[]>>;
  readonly hasEnv: boolean;
  /** Of the container that was not well. */
  readonly log: string | null;
}

const FIELDS = 8;

/** The releases of a stack that the host still has, the newest first. */
export async function history(access: DockerAccess, stack: string, task: Task): Promise<readonly Release[]> {
  const { stdout } = await runStateScript(access.host, { script: HISTORY, arguments: [fileNameFor(stack)] }, task);
  return parseHistory(stdout);
}

export function parseHistory(text: string): readonly Release[] {
  const fields = text.split('\0');
  const releases: Release[] = [];
  for (let at = 0; at + FIELDS <= fields.length; at += FIELDS) {
    const [number = '', live, commit = '', outcome = '', notes = '', log = '', env, base = ''] = fields.slice(
      at,
      at + FIELDS,
    );
    releases.push({
      release: Number(number),
      base,
      live: live === 'yes',
      commit,
      outcome: parseOutcome(outcome),
      ...parseNotes(notes),
      hasEnv: env === 'yes',
      log: log === '' ? null : log,
    });
  }
  return releases.sort((a, b) => b.release - a.release);
}

function parseOutcome(text: string): Outcome {
  const [kind, reason = '', live, well] = text.split('\n');
  if (kind === 'ok' || kind === 'failed') {
    return { kind, reason: reason === '' ? null : reason, live: Number(live), well: well === 'yes' };
  }
  return { kind: 'unknown', why: kind === 'running' || kind === 'interrupted' ? kind : 'never switched' };
}

function parseNotes(text: string): Pick<Release, 'at' | 'by' | 'repository' | 'digests'> {
  const empty = { at: null, by: null, repository: null, digests: {} };
  try {
    const notes: unknown = JSON.parse(text);
    if (!isObject(notes)) return empty;
    const word = (name: string) => (typeof notes[name] === 'string' ? notes[name] : null);
    const digests = isObject(notes.digests)
      ? Object.fromEntries(
          Object.entries(notes.digests).map(([name, list]) => [name, Array.isArray(list) ? list.map(String) : []]),
        )
      : {};
    return { at: word('at'), by: word('by'), repository: word('repository'), digests };
  } catch {
    return empty;
  }
}

/** Removes old releases with their images; the live one and the newest `keep` stay. */
export async function pruneReleases(
  access: DockerAccess,
  wish: { readonly stack: string; readonly keep: number; readonly dryRun?: boolean },
  task: Task,
): Promise<{ readonly changed: boolean; readonly removed: readonly number[]; readonly kept: readonly number[] }> {
  const { stack, keep } = wish;
  if (!Number.isInteger(keep) || keep < 1) {
    throw new Failure({
      code: 'invalid_parameter',
      subject: `stack ${stack}`,
      message: `${keep} releases cannot be kept`,
      nextStep: 'Keep at least one.',
    });
  }
  return await withLock(
    access.host,
    `stack ${stack}`,
    { owner: `prune of ${stack} (${task.owner})`, waitMs: 60_000 },
    task,
    async (lock, work) => {
      const all = await history(access, stack, work);
      const staying = all.filter(({ live }, at) => live || at < keep);
      const going = all.filter((one) => !staying.includes(one)).map(({ release }) => release);
      if (wish.dryRun !== true && going.length > 0) {
        const engine = await connectEngine(access, work);
        const images = await listImages(engine, { reference: `selfhost-release/${stack}` }, work);
        for (const release of going) {
          await stepUnderLock(
            access.host,
            lock,
            { script: FORGET, arguments: [fileNameFor(stack), String(release)] },
            {},
            work,
          );
          const prefix = `selfhost-release/${stack}:${release}-`;
          for (const tag of images.flatMap(({ tags }) => tags).filter((one) => one.startsWith(prefix))) {
            await removeImage(engine, tag, {}, work);
          }
        }
      }
      return { changed: going.length > 0, removed: going, kept: staying.map(({ release }) => release) };
    },
  );
}
