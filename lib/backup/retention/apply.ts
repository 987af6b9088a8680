import { Failure } from '../../failure';
import type { Host } from '../../host/host';
import { refuseWhenHeld } from '../../host/hold';
import type { Task } from '../../task';
import type { Described } from '../described/described';
import { takeInventory } from '../inventory/inventory';
import { runErrand } from '../on-host';
import { DEFAULTS } from '../plan';
import { secretsOf, vaultFields } from '../plan-fields';
import { REMOVE_STORED } from '../script/remove';
import { planRetention, type Removal, type RetentionPlan } from './plan';

export interface RetentionOutcome extends RetentionPlan {
  readonly removed: readonly Removal[];
  readonly failures: readonly { readonly removal: Removal; readonly why: string }[];
}

const DEADLINE_SECONDS = 6 * 3600;

/** Looks at every destination, compares the newest copies with their hashes, and says what would be removed. */
export async function previewRetention(
  host: Host,
  described: Described,
  options: { readonly now?: Date },
  task: Task,
): Promise<RetentionPlan> {
  return planRetention(described, await takeInventory(host, described, { depth: 'hash', ...options }, task));
}

/** Removes exactly what the plan with this hash removes, or nothing: it looks again, and everything must be as it was. */
export async function applyRetention(
  host: Host,
  described: Described,
  { hash, now }: { readonly hash: string; readonly now?: Date },
  task: Task,
): Promise<RetentionOutcome> {
  await refuseWhenHeld(host, task);
  const plan = await previewRetention(host, described, { ...(now !== undefined && { now }) }, task);
  const { set, vault, destinations, spool } = described.plan;
  if (plan.hash !== hash) {
    throw new Failure({
      code: 'retention_plan_changed',
      subject: `retention of ${set}`,
      message: `What would be removed of ${set} is not what was agreed to: backups or rules have changed since`,
      nextStep: 'Preview again, look at it, and apply with the new hash. Nothing was removed.',
      details: { agreed: hash, now: plan.hash, removals: plan.removals.length },
    });
  }
  if (plan.removals.length === 0) return { ...plan, removed: [], failures: [] };
  const legs = destinations.filter(({ name }) => plan.removals.some((removal) => removal.destination === name));
  const ofLeg = legs.map(({ name }) => plan.removals.filter((removal) => removal.destination === name));
  const answer = await runErrand(
    host,
    {
      name: 'Backup retention',
      subject: set,
      script: REMOVE_STORED,
      fields: {
        ...vaultFields(vault),
        set,
        spool: spool?.folder ?? DEFAULTS.folder,
        deadline: DEADLINE_SECONDS,
        legs: legs.length,
        ...Object.fromEntries(
          legs.flatMap(({ remote }, leg): [string, string | number][] => [
            [`leg.${leg}.remote`, remote],
            [`leg.${leg}.removals`, ofLeg[leg]?.length ?? 0],
            ...(ofLeg[leg] ?? []).flatMap(({ folder, name, uploading, files }, index): [string, string][] => [
              [`leg.${leg}.${index}.place`, `${folder}/${name}${uploading ? '.uploading' : ''}`],
              [`leg.${leg}.${index}.name`, name],
              [`leg.${leg}.${index}.files`, files.join('\n')],
            ]),
          ]),
        ),
      },
      secrets: secretsOf(vault),
      timeoutMs: (DEADLINE_SECONDS + 600) * 1000,
    },
    task,
  );
  const told = new Map<string, string>();
  const lines = Array.isArray(answer) ? (answer as unknown[]) : [];
  for (const line of lines) {
    const [, kind, leg, index, why = ''] = /^(removed|failed) (\d+) (\d+) ?(.*)$/.exec(String(line)) ?? [];
    if (kind !== undefined) told.set(`${leg} ${index}`, kind === 'removed' ? '' : why);
  }
  const outcomes = ofLeg.flatMap((removals, leg) =>
    removals.map((removal, index) => ({
      removal,
      why: told.get(`${leg} ${index}`) ?? 'the host gave no answer about it',
    })),
  );
  return {
    ...plan,
    removed: outcomes.flatMap(({ removal, why }) => (why === '' ? [removal] : [])),
    failures: outcomes.filter(({ why }) => why !== ''),
  };
}
