import { randomBytes } from 'node:crypto';
import { Failure, isFailure, messageOf } from '../failure';
import type { Host } from '../host/host';
import { type HeldLock, withLock } from '../host/locks/lock';
import type { InfisicalApi } from '../infisical/api';
import { describePlace, type Place } from '../infisical/place';
import { reveal, type Secret } from '../infisical/secret';
import { getSecret, updateSecret } from '../infisical/secrets';
import { SealedText } from '../secrets/sealed';
import type { StateStore } from '../state/store';
import { cancelled, type Task } from '../task';
import { endJournal, type Journal, type JournalOf, keepJournal, readJournal, rotationName } from './journal';
import type { ValueOwner } from './owner';
import { refuseUnrotatable } from './refuse';
import { bring, describeRestart, describeUse, refuseDrifted, restartUse, type Use } from './uses';

export interface Rotation {
  readonly api: InfisicalApi;
  readonly place: Place;
  readonly key: string;
  readonly owner: ValueOwner;
  /** Where the value stands in files, and what reads them. */
  readonly uses: readonly Use[];
  /** A new value; not asked of owners that make their own. */
  readonly newValue: () => string;
  readonly excluded: readonly string[];
  /** Of the owner, for the exclusions. */
  readonly role?: string;
  /** Where the lock and the journal are. */
  readonly host: Host;
  readonly store: StateStore;
  readonly boxKey: Buffer;
}

export interface RotationReport {
  readonly owner: string;
  /** In Infisical, afterwards. */
  readonly version: number;
  /** A rotation that was broken off before was gone on with, or taken back first. */
  readonly unfinished: 'none' | 'continued' | 'taken back first';
  readonly files: readonly { readonly host: string; readonly path: string; readonly altered: readonly string[] }[];
  readonly restarted: readonly string[];
  /** What the owner wants to be known of how it was done. */
  readonly notes: readonly string[];
}

export interface RotationPlan {
  readonly owner: string;
  readonly version: number;
  readonly unfinished: boolean;
  readonly steps: readonly string[];
}

const LOCK_WAIT_MS = 30_000;
const UNDO_MS = 600_000;

/** Looks at all that must be right before a rotation, and says what it would do. Changes nothing. */
export async function planRotation(rotation: Rotation, task: Task): Promise<RotationPlan> {
  const { owner, uses, key } = rotation;
  const journal = await readJournal(journalOf(rotation));
  const secret = await ownSecret(rotation, task);
  if (journal === undefined) await inspect(rotation, secret, task);
  const change =
    owner.kind === 'takes'
      ? `give a new value to ${owner.name}`
      : `let ${owner.name} make a new value, beside the old one`;
  return {
    owner: owner.name,
    version: secret.version,
    unfinished: journal !== undefined,
    steps: [
      change,
      `write it to ${key} in ${describePlace(rotation.place)}`,
      ...uses.map((use) => `write ${describeUse(use)}`),
      ...uses.flatMap(({ restart }) => (restart === undefined ? [] : [`restart ${describeRestart(restart)}`])),
      ...(owner.kind === 'makes' ? ['end the old value'] : []),
      'prove that the new value logs in and the old one does not',
    ],
  };
}

/**
 * Changes a secret everywhere it is: at its owner first, then in Infisical, in every file, and in what reads them; and
 * proves that the new one logs in and the old one does not. What fails in between puts everything back. A run that was
 * killed is gone on with by the next one: every step may be repeated.
 */
export async function rotate(rotation: Rotation, task: Task): Promise<RotationReport> {
  const request = { owner: task.owner, waitMs: LOCK_WAIT_MS };
  return withLock(rotation.host, `rotation ${rotationName(rotation)}`, request, task, async (lock, locked) => {
    const before = await settle(rotation, locked);
    if (before.kind === 'forward') return forward(rotation, before, 'continued', lock, locked);
    const secret = await ownSecret(rotation, locked);
    await inspect(rotation, secret, locked);
    return forward(rotation, await begin(rotation, secret, locked), before.kind, lock, locked);
  });
}

interface Underway {
  readonly journal: Journal;
  readonly old: SealedText;
  readonly fresh: SealedText;
}

type Settled = ({ readonly kind: 'forward' } & Underway) | { readonly kind: 'none' | 'taken back first' };

/** What an earlier run left behind. */
async function settle(rotation: Rotation, task: Task): Promise<Settled> {
  const of = journalOf(rotation);
  const journal = await readJournal(of);
  if (journal === undefined) return { kind: 'none' };
  if (journal.owner !== rotation.owner.name) {
    throw new Failure({
      code: 'rotation_unfinished',
      subject: `secret ${rotation.key}`,
      message: `A rotation of ${rotation.key} at ${journal.owner} was broken off; this one is for ${rotation.owner.name}`,
      nextStep: 'Run the rotation again as it was, which finishes it; then this one.',
    });
  }
  const { fresh } = journal;
  // Its owner was asked for a value, and nobody has it: nothing else was changed.
  if (fresh === undefined) {
    await endJournal(of);
    return { kind: 'none' };
  }
  const current = await ownSecret(rotation, task);
  const old =
    current.version === journal.fromVersion
      ? current.value
      : (await getSecret(rotation.api, rotation.place, rotation.key, { ...plain, version: journal.fromVersion }, task))
          .value;
  const foreign = current.version !== journal.fromVersion && ![old, fresh].some((one) => same(one, current.value));
  if (foreign) {
    throw new Failure({
      code: 'rotation_conflict',
      subject: `secret ${rotation.key}`,
      message: `A rotation of ${rotation.key} was broken off, and somebody has changed the secret in Infisical since then`,
      nextStep: `See which value ${rotation.owner.name} takes, put it into Infisical, and remove the journal rotation/${rotationName(rotation)} from the ${rotation.store.place}.`,
    });
  }
  const underway = { journal, old, fresh };
  // Where the old value has been ended already there is no way back.
  const ended = rotation.owner.kind === 'makes' && !(await rotation.owner.accepts(old, task));
  if (journal.phase === 'forward' || ended) return { kind: 'forward', ...underway };
  await undo(rotation, underway, 'all', task);
  return { kind: 'taken back first' };
}

/** All that can be known before anything is changed. */
async function inspect(rotation: Rotation, secret: Secret, task: Task): Promise<void> {
  const { owner, excluded, role, uses, api } = rotation;
  refuseUnrotatable({ secret, excluded, ...(role !== undefined && { role }) });
  await owner.check(secret.value, task);
  if (!(await owner.accepts(secret.value, task))) {
    throw new Failure({
      code: 'rotation_value_wrong',
      subject: owner.name,
      message: `${owner.name} does not take the value that ${rotation.key} has in Infisical`,
      nextStep: 'Find out which one is right, and put it into Infisical first.',
    });
  }
  if (await owner.accepts(new SealedText(randomBytes(24).toString('hex')), task)) {
    throw new Failure({
      code: 'rotation_unprovable',
      subject: owner.name,
      message: `${owner.name} takes any password from there, so nothing could be proven`,
      nextStep: 'Let it ask for a password (for PostgreSQL: no "trust" in pg_hba.conf for this way in).',
    });
  }
  for (const use of uses) await refuseDrifted(api, use, task);
}

async function begin(rotation: Rotation, secret: Secret, task: Task): Promise<Underway> {
  const { owner, newValue } = rotation;
  const of = journalOf(rotation);
  const start: Journal = { phase: 'forward', owner: owner.name, fromVersion: secret.version, by: task.owner };
  const old = secret.value;
  if (owner.kind === 'takes') {
    const fresh = new SealedText(newValue());
    const journal = { ...start, fresh };
    await keepJournal(of, journal);
    return { journal, old, fresh };
  }
  await keepJournal(of, start);
  const fresh = await owner.make(old, task).catch(async (error: unknown) => {
    await endJournal(of);
    throw error;
  });
  const journal = { ...start, fresh };
  try {
    await keepJournal(of, journal);
  } catch (error) {
    // Nobody would know it after this.
    await owner.retire(fresh, old, task).catch(() => undefined);
    throw error;
  }
  return { journal, old, fresh };
}

async function forward(
  rotation: Rotation,
  underway: Underway,
  unfinished: RotationReport['unfinished'],
  lock: HeldLock,
  task: Task,
): Promise<RotationReport> {
  const { api, owner, uses } = rotation;
  const { old, fresh } = underway;
  const touched: Use[] = [];
  let report: RotationReport;
  try {
    const notes = owner.kind === 'takes' ? await owner.set(fresh, old, task) : [];
    await prove(owner, fresh, true, task);
    const version = await store(rotation, fresh, task);
    const files: RotationReport['files'][number][] = [];
    for (const use of uses) {
      touched.push(use);
      const { path, altered } = await bring(api, use, false, task);
      files.push({ host: use.host.target.name, path, altered });
    }
    const restarted: string[] = [];
    for (const use of uses) {
      await restartUse(use, task);
      if (use.restart !== undefined) restarted.push(describeRestart(use.restart));
    }
    if (owner.kind === 'makes') await retireOld(owner, underway, task);
    await prove(owner, fresh, true, task);
    await prove(owner, old, false, task);
    report = { owner: owner.name, version, unfinished, files, restarted, notes };
  } catch (error) {
    throw await takenBack(rotation, underway, error, touched, lock, task);
  }
  // From here on nothing is to be put back: if this fails, the next run finds all done and ends the journal.
  await endJournal(journalOf(rotation));
  return report;
}

async function prove(owner: ValueOwner, value: SealedText, wanted: boolean, task: Task): Promise<void> {
  if ((await owner.accepts(value, task)) === wanted) return;
  throw new Failure({
    code: wanted ? 'rotation_new_refused' : 'rotation_old_accepted',
    subject: owner.name,
    message: wanted ? `${owner.name} does not take the new value` : `${owner.name} still takes the old value`,
    nextStep: 'Look at how it keeps its passwords, and whether there is another server behind that address.',
  });
}

/** Writes the value, or sees that it is there. An answer that was lost is settled by looking. */
async function store(rotation: Rotation, value: SealedText, task: Task): Promise<number> {
  const { api, place, key } = rotation;
  const now = await ownSecret(rotation, task);
  if (same(now.value, value)) return now.version;
  try {
    const written = await updateSecret(api, place, key, { value: value.reveal() }, task);
    if (written.state === 'waiting for approval') {
      throw new Failure({
        code: 'rotation_needs_approval',
        subject: `secret ${key}`,
        message: `Infisical wants the change of ${key} approved (request ${written.approvalId}), and a rotation cannot wait for it`,
        nextStep: 'Reject that request, since its value is not used, and exempt the machine identity from the policy.',
        details: { approvalId: written.approvalId },
      });
    }
  } catch (error) {
    if (!isFailure(error, 'outcome_unknown')) throw error;
  }
  const after = await ownSecret(rotation, task);
  if (same(after.value, value)) return after.version;
  throw new Failure({
    code: 'rotation_not_stored',
    subject: `secret ${key}`,
    message: `Infisical does not have the value of ${key} that was just written there`,
    nextStep: 'Somebody may have changed it at the same moment; look at its versions, and try again.',
  });
}

async function retireOld(owner: Extract<ValueOwner, { kind: 'makes' }>, { old, fresh }: Underway, task: Task) {
  if (!(await owner.accepts(old, task))) return;
  await owner.retire(old, fresh, task);
}

/** Puts everything back, and gives the failure that tells of both. */
async function takenBack(
  rotation: Rotation,
  underway: Underway,
  error: unknown,
  touched: readonly Use[],
  lock: HeldLock,
  task: Task,
): Promise<Failure> {
  const why = messageOf(error);
  const code = isFailure(error) ? error.code : 'unexpected_error';
  const details = { reason: code, ...(isFailure(error) && error.details) };
  const subject = `secret ${rotation.key}`;
  if (lock.lost.aborted) {
    return new Failure({
      code: 'rotation_broken_off',
      subject,
      message: `The rotation of ${rotation.key} was broken off: ${why}. The lock on ${rotation.host.target.name} was lost, so nothing more was touched`,
      nextStep: 'Run it again: it goes on where this one stopped.',
      details,
      cause: error,
    });
  }
  try {
    // Stop has been heard; what is left to do is not to be stopped by it.
    const last: Task = { ...task, signal: AbortSignal.any([AbortSignal.timeout(UNDO_MS), lock.lost]) };
    await keepJournal(journalOf(rotation), { ...underway.journal, phase: 'undoing' });
    await undo(rotation, underway, touched, last);
  } catch (undoing) {
    return new Failure({
      code: 'rotation_not_undone',
      subject,
      message: `The rotation of ${rotation.key} failed: ${why}. It could not be taken back either: ${messageOf(undoing)}`,
      nextStep: 'Mend what is said there, and run the same rotation again: it first finishes taking this one back.',
      details: { ...details, undo: isFailure(undoing) ? undoing.code : 'unexpected_error' },
      cause: error,
    });
  }
  if (isFailure(error, 'cancelled')) return cancelled(`${subject}: the rotation; everything is as it was before`);
  return new Failure({
    code: 'rotation_undone',
    subject,
    message: `The rotation of ${rotation.key} failed: ${why}. Everything was put back: the old value is the right one`,
    nextStep: isFailure(error) ? error.nextStep : 'Mend what is said there, and run it again.',
    details,
    cause: error,
  });
}

/** The old value everywhere. Every step may be repeated, and one that was never done is no harm. */
async function undo(
  rotation: Rotation,
  { old, fresh }: Underway,
  touched: readonly Use[] | 'all',
  task: Task,
): Promise<void> {
  const { owner, api, uses } = rotation;
  if (owner.kind === 'takes') await owner.set(old, fresh, task);
  await prove(owner, old, true, task);
  const now = await ownSecret(rotation, task);
  if (same(now.value, fresh)) await store(rotation, old, task);
  for (const use of uses) {
    const { changed } = await bring(api, use, false, task);
    if (changed || touched === 'all' || touched.includes(use)) await restartUse(use, task);
  }
  if (owner.kind === 'makes' && (await owner.accepts(fresh, task))) await owner.retire(fresh, old, task);
  await endJournal(journalOf(rotation));
}

/** Without imports and with its references as they stand. */
const plain = { imports: false, expand: false } as const;

async function ownSecret({ api, place, key }: Rotation, task: Task): Promise<Secret> {
  const secret = await getSecret(api, place, key, plain, task);
  // What the server shows in place of a hidden value must not be taken for it.
  reveal(secret);
  return secret;
}

function same(one: SealedText, other: SealedText): boolean {
  return one.reveal() === other.reveal();
}

function journalOf({ store: state, boxKey, place, key }: Rotation): JournalOf {
  return { store: state, boxKey, place, key };
}
