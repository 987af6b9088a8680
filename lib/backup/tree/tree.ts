import { randomBytes } from 'node:crypto';
import { Failure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import { refuseWhenHeld } from '../../host/hold';
import { startJob } from '../../host/jobs/start';
import { isObject } from '../../json';
import type { Manifest } from '../../manifest/manifest';
import { backupTime } from '../../manifest/names';
import { redact } from '../../secrets/redact';
import type { Task } from '../../task';
import { runErrand } from '../on-host';
import { folderOf } from '../plan';
import { renderFields } from '../plan-fields';
import { listStored } from '../inventory/listing';
import { decide } from '../retention/decide';
import type { PeriodRule } from '../retention/rule';
import { awaitBackup, type BackupRun } from '../scatter';
import type { BackupReport } from '../report';
import { CHECK_TREE, FORGET_TREE, LIST_SNAPSHOTS, RESTORE_TREE, TREE } from '../script/tree';
import { needManifest, readManifests, type BackupId } from '../stored';
import {
  checkTreePlan,
  treeFields,
  treePlanFields,
  treeSecrets,
  type TreeDestination,
  type TreePlace,
  type TreePlan,
} from './plan';

/** Starts one run on the host of the tree. Its report is one of a backup with one source. */
export async function startTree(
  host: Host,
  plan: TreePlan,
  options: { readonly intent?: string },
  task: Task,
): Promise<BackupRun> {
  checkTreePlan(plan);
  await refuseWhenHeld(host, task);
  const run = `run-${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '')}-${randomBytes(4).toString('hex')}`;
  const { changed, ...job } = await startJob(
    host,
    {
      name: `Tree ${plan.set}`,
      intent: options.intent ?? run,
      owner: task.owner,
      command: { script: TREE, strict: false, arguments: [run] },
      secretInput: renderFields(treePlanFields(plan, run)),
    },
    task,
  );
  const [named] = 'script' in job.command ? job.command.arguments : [];
  return { job, run: named ?? run, changed };
}

export async function awaitTree(
  host: Host,
  plan: TreePlan,
  { job }: Pick<BackupRun, 'job'>,
  options: { readonly timeoutMs: number },
  task: Task,
): Promise<BackupReport> {
  const report = await awaitBackup(host, { set: plan.set, vault: plan.vault, sources: [] }, { job }, options, task);
  return redact(report, [plan.password]);
}

export interface CheckedTree {
  readonly destination: string;
  /** `unproven`: its structure is right, but not all of its data was read. */
  readonly status: 'proven' | 'unproven' | 'damaged' | 'missing' | 'unreachable';
  readonly sentence: string;
}

/** `structure`: every snapshot leads to packs that are there. `sample`: some data is read, too. `full`: all of it. */
export type TreeDepth = { readonly kind: 'structure' | 'full' } | { readonly kind: 'sample'; readonly percent: number };

export async function verifyTree(
  host: Host,
  request: TreePlace & {
    readonly backup: BackupId;
    readonly destinations: readonly TreeDestination[];
    readonly depth: TreeDepth;
    readonly timeoutMs?: number;
  },
  task: Task,
): Promise<{ readonly copies: readonly CheckedTree[]; readonly good: boolean }> {
  const { backup, destinations, depth, timeoutMs = 12 * 3_600_000 } = request;
  const stored = await readManifests(host, request.vault, backup, destinations, task);
  const copies = new Map<string, CheckedTree>();
  const present = destinations.flatMap((destination, index) => {
    const found = stored[index];
    if (found?.kind === 'there') return [{ destination, snapshot: snapshotOf(found.manifest, backup) }];
    const sentence =
      found === undefined || found.kind === 'missing'
        ? 'It has no manifest of this backup'
        : `Its manifest: ${found.why}`;
    copies.set(destination.name, { destination: destination.name, status: found?.kind ?? 'missing', sentence });
    return [];
  });
  if (present.length > 0) {
    const answer = await runErrand(
      host,
      {
        name: 'Verify tree',
        subject: `${backup.source} ${backup.name}`,
        script: CHECK_TREE,
        fields: {
          ...treeFields(
            request,
            present.map(({ destination }) => destination),
          ),
          ...Object.fromEntries(present.map(({ snapshot }, index) => [`leg.${index}.snapshot`, snapshot])),
          subset: depth.kind === 'full' ? '100%' : depth.kind === 'sample' ? `${depth.percent}%` : undefined,
        },
        secrets: treeSecrets(request),
        timeoutMs,
      },
      task,
    );
    const list = Array.isArray(answer) ? (answer as unknown[]) : [];
    present.forEach(({ destination: { name } }, index) => copies.set(name, checkedTree(name, list[index], depth)));
  }
  const all = destinations.map(({ name }) => copies.get(name) ?? checkedTree(name, undefined, depth));
  return { copies: all, good: all.every(({ status }) => status === 'proven' || status === 'unproven') };
}

function checkedTree(destination: string, answer: unknown, depth: TreeDepth): CheckedTree {
  const { status, why } = isObject(answer)
    ? answer
    : { status: 'unreachable', why: 'the host gave no answer about it' };
  switch (status) {
    case 'good':
      return depth.kind === 'full'
        ? { destination, status: 'proven', sentence: 'All of its repository was read and is as it was written' }
        : {
            destination,
            status: 'unproven',
            sentence: 'Everything its snapshots need is there; not all of it was read',
          };
    case 'damaged':
    case 'missing':
      return { destination, status, sentence: `Its repository is not whole: ${String(why)}` };
    default:
      return { destination, status: 'unreachable', sentence: `It could not be asked: ${String(why)}` };
  }
}

export interface RestoreTreeRequest extends TreePlace {
  readonly backup: BackupId;
  readonly from: TreeDestination;
  readonly timeoutMs?: number;
}

/** Restores a tree, or some paths of it, into a folder that is not there yet. */
export async function restoreTree(
  host: Host,
  request: RestoreTreeRequest & { readonly target: string; readonly only?: readonly string[] },
  task: Task,
): Promise<{ readonly destination: string; readonly files: number; readonly seconds: number }> {
  const { target, only = [], backup, from } = request;
  if (!target.startsWith('/') || target.length < 2 || /[\n\0]/.test(target))
    throw unusable(backup, 'the place to restore to is not an absolute path');
  for (const path of only)
    if (path === '' || path.startsWith('/') || path.split('/').includes('..'))
      throw unusable(backup, `"${path.slice(0, 100)}" is no path below the tree`);
  const outcome = await restore(host, request, { target, only, throwaway: false }, task);
  if (outcome.restored) return { destination: from.name, files: outcome.files, seconds: outcome.seconds };
  throw new Failure({
    code: 'restore_failed',
    subject: `backup ${backup.source} ${backup.name} from ${from.name}`,
    message: `Nothing was restored on ${describeHost(host)}: ${outcome.why}`,
    nextStep: 'What was begun has been taken away again. Verify this copy, or restore from another destination.',
  });
}

export interface TreeDrill {
  readonly destination: string;
  readonly restorable: boolean;
  readonly files: number;
  readonly seconds: number;
  readonly sentence: string;
}

/** Restores everything into a folder that is thrown away, compares it with the snapshot, and says how long it took. */
export async function drillTree(
  host: Host,
  request: RestoreTreeRequest & { readonly folder?: string },
  task: Task,
): Promise<TreeDrill> {
  const { from, folder = '/var/tmp' } = request;
  const target = `${folder.replace(/\/+$/, '')}/.selfhost-drill.${randomBytes(6).toString('hex')}`;
  const { restored, files, seconds, why } = await restore(host, request, { target, only: [], throwaway: true }, task);
  return {
    destination: from.name,
    restorable: restored,
    files,
    seconds,
    sentence: restored
      ? `Restorable: yes, ${files} files from ${from.name} in ${seconds.toFixed(1)} s`
      : `Restorable: no, not from ${from.name}: ${why}`,
  };
}

async function restore(
  host: Host,
  request: RestoreTreeRequest,
  to: { readonly target: string; readonly only: readonly string[]; readonly throwaway: boolean },
  task: Task,
) {
  const { backup, from, timeoutMs = 24 * 3_600_000 } = request;
  const manifest = await needManifest(host, request.vault, backup, from, task);
  const answer = await runErrand(
    host,
    {
      name: to.throwaway ? 'Restore drill' : 'Restore tree',
      subject: `${backup.source} ${backup.name}`,
      script: RESTORE_TREE,
      fields: {
        ...treeFields(request, [from]),
        'leg.0.snapshot': snapshotOf(manifest, backup),
        target: to.target,
        throwaway: to.throwaway ? 'yes' : undefined,
        onlys: to.only.length,
        ...Object.fromEntries(to.only.map((each, index) => [`only.${index}`, each])),
      },
      secrets: treeSecrets(request),
      timeoutMs,
    },
    task,
  );
  if (
    !isObject(answer) ||
    typeof answer.restored !== 'boolean' ||
    typeof answer.files !== 'number' ||
    typeof answer.seconds !== 'number'
  )
    throw unreadable(backup);
  const { restored, files, seconds, why } = answer;
  return { restored, files, seconds, why: typeof why === 'string' && why !== '' ? why : 'no reason was given' };
}

export interface TreeSnapshot {
  readonly snapshot: string;
  /** Of its backup; null for one that has no manifest because its run was not complete. */
  readonly name: string | null;
  readonly at: string;
}

export interface TreeRetention {
  readonly destination: string;
  readonly kept: readonly TreeSnapshot[];
  readonly forgotten: readonly TreeSnapshot[];
}

/** So long a snapshot without a manifest may be one whose run is going on. */
const INCOMPLETE_HOURS = 48;

/**
 * What a rule would keep and forget at one destination. Nothing is changed. Only snapshots that a manifest names count
 * for the rule: what a run has left that was not complete never takes the place of a version that is.
 */
export async function previewTreeRetention(
  host: Host,
  request: TreePlace & { readonly at: TreeDestination; readonly keep: PeriodRule; readonly now?: Date },
  task: Task,
): Promise<TreeRetention> {
  const { at, keep, tree, now = new Date() } = request;
  const backup = { source: tree.name, name: 'retention' };
  const counts = Object.values(keep).filter((count) => count !== undefined);
  if (!counts.some((count) => count >= 1) || counts.some((count) => !Number.isInteger(count) || count < 0))
    throw unusable(backup, 'its rule keeps nothing');
  const [listing] = await listStored(host, request.vault, [at], task);
  if (listing?.kind !== 'read')
    throw unusable(backup, `${at.name} could not be read: ${listing?.why ?? 'the host gave no answer about it'}`);
  const names = new Map(
    listing.backups.flatMap(({ folder, name, state }) =>
      folder === folderOf(tree) && state.kind === 'complete' ? [[state.manifest.facts.snapshot, name]] : [],
    ),
  );
  const answer = await runErrand(
    host,
    {
      name: 'Preview retention',
      subject: `${tree.name} at ${at.name}`,
      script: LIST_SNAPSHOTS,
      fields: treeFields(request, [at]),
      secrets: treeSecrets(request),
      timeoutMs: 3_600_000,
    },
    task,
  );
  const text = typeof answer === 'string' ? Buffer.from(answer, 'base64').toString('utf8') : '';
  const snapshots = parseSnapshots(text, backup).map((each) => ({ ...each, name: names.get(each.snapshot) ?? null }));
  const decisions = decide(
    snapshots.flatMap(({ name }) => (name === null ? [] : [{ name, at: backupTime(name) ?? now, good: true }])),
    keep,
  );
  const stays = new Set(decisions.flatMap((each) => (each.keep ? [each.name] : [])));
  const isKept = ({ name, at: since }: TreeSnapshot) =>
    name === null ? +now - Date.parse(since) < INCOMPLETE_HOURS * 3_600_000 : stays.has(name);
  return {
    destination: at.name,
    kept: snapshots.filter(isKept),
    forgotten: snapshots.filter((each) => !isKept(each)),
  };
}

/** Forgets exactly what a preview has named. Never all of a repository's snapshots. */
export async function forgetSnapshots(
  host: Host,
  request: TreePlace & { readonly at: TreeDestination },
  { kept, forgotten }: Pick<TreeRetention, 'kept' | 'forgotten'>,
  task: Task,
): Promise<void> {
  const { at, tree } = request;
  if (forgotten.length === 0) return;
  if (!kept.some(({ name }) => name !== null))
    throw unusable({ source: tree.name, name: 'retention' }, 'nothing of it would be kept');
  await runErrand(
    host,
    {
      name: 'Forget snapshots',
      subject: `${tree.name} at ${at.name}`,
      script: FORGET_TREE,
      fields: {
        ...treeFields(request, [at]),
        folder: folderOf(tree),
        forgets: forgotten.length,
        ...Object.fromEntries(
          forgotten.flatMap(({ snapshot, name }, index) => [
            [`forget.${index}.snapshot`, snapshot],
            [`forget.${index}.name`, name ?? undefined],
          ]),
        ),
      },
      secrets: treeSecrets(request),
      timeoutMs: 12 * 3_600_000,
    },
    task,
  );
}

function parseSnapshots(text: string, backup: BackupId): Omit<TreeSnapshot, 'name'>[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw unreadable(backup);
  }
  if (!Array.isArray(value)) throw unreadable(backup);
  return value.map((each: unknown) => {
    const known = isObject(each) && typeof each.id === 'string' && /^[0-9a-f]{64}$/.test(each.id);
    if (!known || typeof each.time !== 'string' || Number.isNaN(Date.parse(each.time))) throw unreadable(backup);
    return { snapshot: String(each.id), at: each.time };
  });
}

function snapshotOf({ facts }: Manifest, backup: BackupId): string {
  if (facts.kind === 'tree' && typeof facts.snapshot === 'string' && /^[0-9a-f]{64}$/.test(facts.snapshot))
    return facts.snapshot;
  throw unusable(backup, 'it is no snapshot of a tree');
}

function unusable(backup: BackupId, why: string): Failure {
  return new Failure({
    code: 'tree_unusable',
    subject: `tree ${backup.source} ${backup.name}`,
    message: `This cannot be done with the tree ${backup.source}: ${why}`,
    nextStep: 'Correct the request. Nothing was changed.',
  });
}

function unreadable(backup: BackupId): Failure {
  return new Failure({
    code: 'tree_answer_unreadable',
    subject: `tree ${backup.source} ${backup.name}`,
    message: 'The work on the tree ended, but its answer cannot be read',
    nextStep: 'Read the log of the job on the host, and verify the tree.',
  });
}
