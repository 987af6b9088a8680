import { Failure } from '../failure';
import type { Host } from '../host/host';
import { isObject } from '../json';
import type { Manifest } from '../manifest/manifest';
import type { Task } from '../task';
import { runErrand } from './on-host';
import type { Destination, Vault } from './plan';
import { secretsOf } from './plan-fields';
import { VERIFY } from './script/verify';
import { backupFields, partFields, readManifests, type BackupId } from './stored';

/** `hash`: sizes and the remote's own hashes. `sample`: some parts are downloaded too. `full`: all, and decrypted and read to the end. */
export type VerifyDepth =
  { readonly kind: 'hash' } | { readonly kind: 'sample'; readonly parts: number } | { readonly kind: 'full' };

export interface PartProblem {
  readonly part: string;
  readonly problem: 'missing' | 'size' | 'hash' | 'unreadable';
}

export interface VerifiedCopy {
  readonly destination: string;
  /** `unproven`: nothing is wrong, but the remote tells no hashes and not everything was read back. */
  readonly status: 'proven' | 'unproven' | 'damaged' | 'missing' | 'unreachable';
  readonly sentence: string;
  /** What the remote was asked for: a hash, or `none`. */
  readonly compared: string;
  readonly readBack: number;
  readonly problems: readonly PartProblem[];
}

/** Looks at one backup at every destination. It downloads to the host, where nothing is written to a disk. */
export async function verifyBackup(
  host: Host,
  request: {
    readonly vault: Vault;
    readonly backup: BackupId;
    readonly destinations: readonly Destination[];
    readonly depth: VerifyDepth;
    readonly timeoutMs?: number;
  },
  task: Task,
): Promise<{ readonly copies: readonly VerifiedCopy[]; readonly good: boolean }> {
  const { vault, backup, destinations, depth, timeoutMs = 6 * 3_600_000 } = request;
  const stored = await readManifests(host, vault, backup, destinations, task);
  const manifests = stored.flatMap((each) => (each.kind === 'there' ? [each.manifest] : []));
  const [manifest] = manifests;
  const copies = new Map<string, VerifiedCopy>();
  const without: Pick<VerifiedCopy, 'compared' | 'readBack' | 'problems'> = {
    compared: 'none',
    readBack: 0,
    problems: [],
  };
  const present = destinations.filter(({ name: destination }, index) => {
    const found = stored[index];
    if (found === undefined || found.kind === 'missing') {
      copies.set(destination, {
        destination,
        status: 'missing',
        sentence: 'It has no manifest of this backup, so it has no backup',
        ...without,
      });
    } else if (found.kind === 'unreachable') {
      copies.set(destination, {
        destination,
        status: 'unreachable',
        sentence: `It could not be asked: ${found.why}`,
        ...without,
      });
    } else if (found.kind === 'damaged') {
      copies.set(destination, {
        destination,
        status: 'damaged',
        sentence: `Its manifest is no good: ${found.why}`,
        ...without,
      });
    } else if (manifest !== undefined && !sameParts(found.manifest, manifest)) {
      copies.set(destination, {
        destination,
        status: 'damaged',
        sentence: 'Its manifest is not the one that the other destinations hold',
        ...without,
      });
    } else {
      return true;
    }
    return false;
  });
  if (manifest !== undefined && present.length > 0) {
    const chosen = readNumbers(manifest.parts.length, depth);
    const answer = await runErrand(
      host,
      {
        name: 'Verify backup',
        subject: `${backup.source} ${backup.name}`,
        script: VERIFY,
        fields: {
          ...backupFields(backup, vault, present),
          ...partFields(manifest),
          ...Object.fromEntries(chosen.map((index) => [`part.${index}.read`, 'yes'])),
          depth: depth.kind,
          deadline: Math.ceil(timeoutMs / 1000),
        },
        secrets: secretsOf(vault),
        timeoutMs,
      },
      task,
    );
    for (const copy of parseCopies(answer, manifest, depth)) copies.set(copy.destination, copy);
  }
  const all = destinations.map(
    ({ name: destination }) =>
      copies.get(destination) ?? {
        destination,
        status: 'unreachable' as const,
        sentence: 'The host gave no answer about it',
        ...without,
      },
  );
  return { copies: all, good: all.every(({ status }) => status === 'proven' || status === 'unproven') };
}

function sameParts(one: Manifest, other: Manifest): boolean {
  return one.runId === other.runId && JSON.stringify(one.parts) === JSON.stringify(other.parts);
}

/** Which parts are downloaded: of a sample always the first and the last, the others by chance. */
function readNumbers(count: number, depth: VerifyDepth): number[] {
  const all = [...Array(count).keys()];
  if (depth.kind === 'hash') return [];
  if (depth.kind === 'full' || depth.parts >= count) return all;
  const chosen = new Set([0, count - 1].slice(0, Math.max(1, depth.parts)));
  while (chosen.size < Math.max(1, depth.parts)) chosen.add(Math.floor(Math.random() * count));
  return [...chosen];
}

function parseCopies(answer: unknown, manifest: Manifest, depth: VerifyDepth): VerifiedCopy[] {
  if (!Array.isArray(answer)) throw unreadable();
  return answer.map((each: unknown): VerifiedCopy => {
    if (!isObject(each)) throw unreadable();
    const { destination, compared, readBack, problems, archive, unreachable } = each;
    if (
      typeof destination !== 'string' ||
      typeof compared !== 'string' ||
      typeof readBack !== 'number' ||
      !Array.isArray(problems)
    )
      throw unreadable();
    const found = problems.map(parseProblem);
    const common = { destination, compared, readBack, problems: found };
    if (typeof unreachable === 'string')
      return { ...common, status: 'unreachable', sentence: `It could not be asked: ${unreachable}` };
    const parts = manifest.parts.length;
    if (found.length > 0) {
      const [first] = found;
      return {
        ...common,
        status: 'damaged',
        sentence: `${found.length} of ${parts} parts are not as they were written, first ${first?.part ?? ''} (${first?.problem ?? ''})`,
      };
    }
    if (depth.kind === 'full' && archive !== 'whole') {
      return {
        ...common,
        status: 'damaged',
        sentence: `It cannot be decrypted and read to its end: ${typeof archive === 'string' ? archive : 'no reason was given'}`,
      };
    }
    const proven = compared !== 'none' || readBack === parts;
    return {
      ...common,
      status: proven ? 'proven' : 'unproven',
      sentence: proven
        ? `All ${parts} parts are there as they were written`
        : `All ${parts} parts are there with the right size; ${readBack} were read back, and the remote tells no hashes of the others`,
    };
  });
}

function parseProblem(value: unknown): PartProblem {
  if (!isObject(value) || typeof value.part !== 'string') throw unreadable();
  const { part, problem } = value;
  if (problem !== 'missing' && problem !== 'size' && problem !== 'hash' && problem !== 'unreadable') throw unreadable();
  return { part, problem };
}

function unreadable(): Failure {
  return new Failure({
    code: 'verify_answer_unreadable',
    subject: 'the answer of the verification',
    message: 'The verification ran, but its answer cannot be read',
    nextStep: 'Read the log of the job on the host, and run it again.',
  });
}
