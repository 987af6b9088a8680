import { takeInventory } from '../../../lib/backup/inventory/inventory';
import { applyRetention, previewRetention, type RetentionOutcome } from '../../../lib/backup/retention/apply';
import type { RetentionPlan, Verdict } from '../../../lib/backup/retention/plan';
import { choice, optional, schema, text } from '../../declaration';
import { hostField, options, planField } from '../fields';
import { operation } from '../operation';

export const inventoryOperation = operation({
  resource: 'backup',
  name: 'inventory',
  action: 'Take an inventory of backups',
  description:
    'Tells what each destination holds of each source, one item each: how old the newest proven backup is, bytes, growth, gaps, damage',
  effect: 'reads',
  input: {
    host: hostField,
    plan: planField,
    depth: choice({
      options: {
        listing: { label: 'Listing', description: 'Sizes against the manifests' },
        hash: { label: 'Hashes', description: 'The newest of each is compared with the hashes of its remote, too' },
        full: { label: 'Everything', description: 'The newest of each is downloaded and read to its end' },
      },
      default: 'hash',
    }),
    options: optional(options),
  },
  output: schema.lazy(() =>
    schema.object({
      source: schema.string(),
      destination: schema.string(),
      planned: schema.boolean('False for what is stored there but left the plan'),
      state: schema.oneOf(['fresh', 'late', 'none', 'unreachable']),
      sentence: schema.string(),
      backups: schema.integer('Good ones'),
      damaged: schema.integer(),
      incomplete: schema.integer(),
      bytes: schema.integer(),
      oldest: schema.nullable(schema.string()),
      newest: schema.nullable(schema.string()),
      newestAgeHours: schema.nullable(schema.number()),
      newestBytes: schema.nullable(schema.integer()),
      verified: schema.nullable(schema.string('The newest that is proven just now')),
      copy: schema.oneOf(['proven', 'unproven', 'none'], 'Of the newest'),
      verifiedAgeHours: schema.nullable(schema.number('What an alert compares with its limit')),
      growthBytes: schema.nullable(schema.integer('Of the newest, against the one before')),
      gaps: schema.array(schema.object({ after: schema.string(), before: schema.string(), hours: schema.number() })),
      problems: schema.array(schema.object({ name: schema.string(), problem: schema.string() })),
    }),
  ),
  run: async ({ input, host, describe, task }) =>
    (await takeInventory(host, describe(input.plan), { depth: input.depth }, task)).holdings,
});

const verdict = {
  destination: schema.string(),
  source: schema.string(),
  folder: schema.string(),
  name: schema.string(),
  uploading: schema.boolean(),
  bytes: schema.integer(),
  reason: schema.string(),
} as const;

const planFields = () =>
  ({
    planHash: schema.string('Apply removes exactly this, or nothing'),
    sentence: schema.string(),
    removeBytes: schema.integer(),
    removals: schema.array(schema.object({ ...verdict, files: schema.array(schema.string()) })),
    kept: schema.array(schema.object(verdict)),
    untouched: schema.array(schema.object({ destination: schema.string(), why: schema.string() })),
  }) as const;

function planItem({ hash, removals, kept, untouched }: RetentionPlan) {
  const removeBytes = sum(removals);
  const places = new Set(removals.map(({ destination }) => destination)).size;
  return {
    planHash: hash,
    sentence: `${removals.length} backups of ${sum(removals)} bytes at ${places} destinations would go, ${kept.length} stay`,
    removeBytes,
    removals,
    kept,
    untouched,
  };
}

function sum(verdicts: readonly Pick<Verdict, 'bytes'>[]): number {
  return verdicts.reduce((total, { bytes }) => total + bytes, 0);
}

export const previewRetentionOperation = operation({
  resource: 'retention',
  name: 'preview',
  action: 'Preview what retention would remove',
  description: 'Says which backups would go, which stay and why. Changes nothing.',
  effect: 'reads',
  input: { host: hostField, plan: planField, options: optional(options) },
  output: schema.lazy(() => schema.object(planFields())),
  run: async ({ input, host, describe, task }) =>
    planItem(await previewRetention(host, describe(input.plan), {}, task)),
});

export const applyRetentionOperation = operation({
  resource: 'retention',
  name: 'apply',
  action: 'Remove old backups',
  description:
    'Looks again and removes exactly what the plan with the given hash removes, or nothing. The newest good backups always stay.',
  effect: 'destroys',
  needsApproval: true,
  input: {
    host: hostField,
    plan: planField,
    planHash: text({ label: 'Plan Hash', required: true, description: 'From Preview' }),
    options: optional(options),
  },
  output: schema.lazy(() =>
    schema.object({
      ...planFields(),
      changed: schema.boolean(),
      removed: schema.integer(),
      removedBytes: schema.integer(),
      failures: schema.array(
        schema.object({
          destination: schema.string(),
          folder: schema.string(),
          name: schema.string(),
          why: schema.string(),
        }),
      ),
    }),
  ),
  run: async ({ input, host, describe, task }) =>
    outcomeItem(await applyRetention(host, describe(input.plan), { hash: input.planHash }, task)),
});

function outcomeItem(outcome: RetentionOutcome) {
  const { removed, failures } = outcome;
  const trouble = failures.length === 0 ? '' : `; ${failures.length} could not be removed`;
  return {
    ...planItem(outcome),
    sentence: `${removed.length} backups of ${sum(removed)} bytes are gone, ${outcome.kept.length} stay${trouble}`,
    changed: removed.length > 0,
    removed: removed.length,
    removedBytes: sum(removed),
    failures: failures.map(({ removal: { destination, folder, name }, why }) => ({ destination, folder, name, why })),
  };
}
