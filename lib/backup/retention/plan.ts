import { createHash } from 'node:crypto';
import { canonicalJson } from '../../canonical-json';
import type { Json } from '../../json';
import type { Described } from '../described/described';
import { byFolder, type Inventory } from '../inventory/inventory';
import { sourceOf, type Listing, type StoredBackup } from '../inventory/listing';
import { folderOf } from '../plan';
import { decide } from './decide';
import type { KeepRule } from './rule';

export interface Verdict {
  readonly destination: string;
  readonly source: string;
  readonly folder: string;
  readonly name: string;
  /** An upload that never became a backup lies in a folder of its own. */
  readonly uploading: boolean;
  readonly bytes: number;
  readonly reason: string;
}

export interface Removal extends Verdict {
  /** All that is in the folder: the parts of its own manifest, or of an upload by their names. Nothing else is touched. */
  readonly files: readonly string[];
}

export interface RetentionPlan {
  /** Of everything below. Applying needs it, so nothing is removed that nobody has seen. */
  readonly hash: string;
  readonly removals: readonly Removal[];
  readonly kept: readonly Verdict[];
  /** Destinations where nothing is removed, and why. */
  readonly untouched: readonly { readonly destination: string; readonly why: string }[];
}

const HOUR = 3_600_000;

/** What would be removed. Pure: everything it knows is in the inventory. */
export function planRetention({ plan, keep }: Described, inventory: Inventory): RetentionPlan {
  const names = new Map(plan.sources.map((source) => [folderOf(source), source.name]));
  const undeletable = new Set(plan.destinations.filter((each) => each.undeletable === true).map(({ name }) => name));
  const removals: Removal[] = [];
  const kept: Verdict[] = [];
  const untouched: { destination: string; why: string }[] = [];
  for (const listing of inventory.listings) {
    const { destination } = listing;
    const rule = keep.get(destination);
    const why = untouchable(listing, rule, undeletable.has(destination));
    if (why !== undefined || listing.kind !== 'read' || rule === undefined) {
      untouched.push({ destination, why: why ?? 'it was not read' });
      continue;
    }
    for (const [folder, backups] of byFolder(listing.backups)) {
      const source = names.get(folder) ?? nameFrom(backups) ?? folder;
      const verdict = (backup: StoredBackup, reason: string): Verdict => ({
        destination,
        source,
        folder,
        name: backup.name,
        uploading: backup.state.kind === 'incomplete' && backup.state.uploading,
        bytes: backup.bytes,
        reason,
      });
      const whole = backups.filter(({ state }) => state.kind !== 'incomplete');
      const isGood = ({ name, state }: StoredBackup) =>
        state.kind === 'complete' && !inventory.damaged.has(`${destination}/${folder}/${name}`);
      const decisions = decide(
        whole.map((backup) => ({ name: backup.name, at: backup.at, good: isGood(backup) })),
        rule,
      );
      // The oldest first, so that what breaks off has removed the least valuable.
      for (const { name, keep: stays, reason } of decisions.toReversed()) {
        const backup = whole.find((each) => each.name === name);
        if (backup === undefined) continue;
        const foreign = foreignFile(backup);
        if (stays) kept.push(verdict(backup, reason));
        else if (foreign !== undefined) kept.push(verdict(backup, `${foreign} in it is not of its manifest`));
        else removals.push({ ...verdict(backup, reason), files: backup.files.map((file) => file.name) });
      }
      const limit = (rule.incompleteHours ?? 48) * HOUR;
      for (const backup of backups) {
        if (backup.state.kind !== 'incomplete') continue;
        if (+inventory.at - +backup.at <= limit) kept.push(verdict(backup, 'not complete, but it may be going on'));
        else
          removals.push({
            ...verdict(backup, 'never became a backup'),
            files: backup.files.map((file) => file.name),
          });
      }
    }
  }
  const content = {
    removals,
    kept: kept.map(({ destination, folder, name }) => [destination, folder, name]),
    untouched,
  };
  const hash = createHash('sha256')
    .update('selfhost backup retention\n')
    .update(canonicalJson(content as unknown as Json))
    .digest('hex');
  return { hash, removals, kept, untouched };
}

/** Only a rule of its own says that somebody comes with other credentials than those that upload. */
export const KEPT_APART =
  'its copies cannot be deleted with the credentials that upload, and it has no rule of its own';

function untouchable(listing: Listing, rule: KeepRule | undefined, undeletable: boolean): string | undefined {
  if (listing.kind === 'unreachable') return `it could not be read: ${listing.why}`;
  if (rule !== undefined) return undefined;
  return undeletable ? KEPT_APART : 'no rule says what it keeps, so it keeps everything';
}

/** A file beside those of the manifest, which somebody else must have put there. A manifest nobody can read vouches for nothing. */
function foreignFile({ files, name, state }: StoredBackup): string | undefined {
  if (state.kind === 'incomplete') return undefined;
  if (state.manifest === undefined) return `${name}.manifest.json`;
  const own = new Set([`${name}.manifest.json`, ...state.manifest.parts.map((part) => part.name)]);
  return files.find((file) => !own.has(file.name))?.name;
}

function nameFrom(backups: readonly StoredBackup[]): string | undefined {
  for (const { state } of backups)
    if ('manifest' in state && state.manifest !== undefined) return sourceOf(state.manifest);
  return undefined;
}
