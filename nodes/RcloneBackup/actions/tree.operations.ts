import { chooseFrom, destinationNamed } from '../../../lib/backup/inventory/choose';
import { listStored } from '../../../lib/backup/inventory/listing';
import type { TreePlan } from '../../../lib/backup/tree/plan';
import { applyTreeRetention, planTreeRetention, type TreeRetentionPlan } from '../../../lib/backup/tree/retention';
import {
  awaitTree,
  drillTree,
  restoreTree,
  startTree,
  verifyTree,
  type TreeDepth,
} from '../../../lib/backup/tree/tree';
import type { Host } from '../../../lib/host/host';
import type { Task } from '../../../lib/task';
import { choice, list, number, optional, schema, text, when } from '../../declaration';
import {
  backupField,
  destinationField,
  hostField,
  options,
  throwawayFolder,
  timeoutHours,
  treePlanField,
} from '../fields';
import { operation } from '../operation';
import { outcome } from '../outcome';
import { followed, waitFields, waitOptions } from './run.operations';

export const copyTreeOperation = operation({
  resource: 'tree',
  name: 'copy',
  action: 'Copy a tree',
  description:
    'Copies what is new in a folder or bucket to every destination, encrypted, as a version of its own, and proves it there',
  effect: 'creates',
  input: {
    host: hostField,
    plan: treePlanField,
    ...waitFields,
    options: optional({
      ...waitOptions,
      intent: text({
        placeholder: '={{ $now.toISODate() }}',
        description: 'With the same intent it runs once, however often it is started. Empty: every call starts a run.',
      }),
    }),
  },
  output: outcome,
  run: async ({ input, host, describeTree, task }) => {
    const { plan } = await describeTree(input.plan);
    const { intent } = input.options;
    const started = await startTree(host, plan, intent === undefined || intent === '' ? {} : { intent }, task);
    const followedPlan = { set: plan.set, vault: plan.vault, sources: [] };
    const awaited = (timeoutMs: number) => awaitTree(host, plan, started, { timeoutMs }, task);
    const run = { called: `tree ${plan.tree.name}`, plan: followedPlan, started, awaited };
    return await followed(host, run, { wait: input.wait, ...input.options }, task);
  },
});

async function chosen(
  host: Host,
  plan: TreePlan,
  input: { readonly backup: string; readonly destination: string },
  task: Task,
) {
  const among = input.destination === '' ? plan.destinations : [destinationNamed(plan, input.destination)];
  const { backup, at } = chooseFrom(await listStored(host, plan.vault, among, task), plan.tree, input.backup, among);
  return { backup, from: destinationNamed(plan, at[0].name) };
}

export const verifyTreeOperation = operation({
  resource: 'tree',
  name: 'verify',
  action: 'Verify a tree',
  description: 'Looks into the repositories: everything a version needs is there, and, if wanted, is as it was written',
  effect: 'reads',
  input: {
    host: hostField,
    plan: treePlanField,
    backup: backupField,
    depth: choice({
      options: {
        structure: { label: 'Structure', description: 'Everything it needs is there' },
        sample: { label: 'Sample', description: 'Some of the data is read, too' },
        full: { label: 'Everything', description: 'All of the data is read' },
      },
      default: 'structure',
    }),
    percent: when('depth', ['sample'], number({ default: 5, min: 1, max: 100, integer: true })),
    options: optional({ ...options, timeoutHours }),
  },
  output: schema.lazy(() =>
    schema.object({
      source: schema.string(),
      backup: schema.string(),
      destination: schema.string(),
      good: schema.boolean(),
      status: schema.oneOf(['proven', 'unproven', 'damaged', 'missing', 'unreachable']),
      sentence: schema.string(),
    }),
  ),
  run: async ({ input, host, describeTree, task }) => {
    const { plan } = await describeTree(input.plan);
    const { backup } = await chosen(host, plan, { ...input, destination: '' }, task);
    const depth: TreeDepth =
      input.depth === 'sample' ? { kind: 'sample', percent: input.percent ?? 5 } : { kind: input.depth };
    const timeoutMs = (input.options.timeoutHours ?? 12) * 3_600_000;
    const { copies } = await verifyTree(host, { ...plan, backup, depth, timeoutMs }, task);
    return copies.map((copy) => ({
      source: backup.source,
      backup: backup.name,
      good: copy.status === 'proven' || copy.status === 'unproven',
      ...copy,
    }));
  },
});

export const drillTreeOperation = operation({
  resource: 'tree',
  name: 'drill',
  action: 'Prove that a tree restores',
  description: 'Restores a version into a folder that is thrown away, compares it, and times it',
  effect: 'creates',
  input: {
    host: hostField,
    plan: treePlanField,
    backup: backupField,
    destination: destinationField,
    options: optional({
      ...options,
      timeoutHours,
      folder: throwawayFolder,
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      source: schema.string(),
      backup: schema.string(),
      destination: schema.string(),
      restorable: schema.boolean(),
      files: schema.integer(),
      seconds: schema.number(),
      sentence: schema.string(),
    }),
  ),
  run: async ({ input, host, describeTree, task }) => {
    const { plan } = await describeTree(input.plan);
    const { backup, from } = await chosen(host, plan, input, task);
    const { folder, timeoutHours: hours = 12 } = input.options;
    const place = folder === undefined || folder === '' ? {} : { folder };
    const drill = await drillTree(host, { ...plan, backup, from, timeoutMs: hours * 3_600_000, ...place }, task);
    return { source: backup.source, backup: backup.name, ...drill };
  },
});

export const restoreTreeOperation = operation({
  resource: 'tree',
  name: 'restore',
  action: 'Restore a tree',
  description:
    'Restores a version, or some paths of it, into a new folder. Nothing that is there is ever written over.',
  effect: 'creates',
  input: {
    host: hostField,
    plan: treePlanField,
    backup: backupField,
    destination: destinationField,
    path: text({ required: true, placeholder: '/root/restored', description: 'Must not be there yet' }),
    only: list({ label: 'Only These Paths', description: 'Files and folders within it. Empty: everything.' }),
    options: optional({ ...options, timeoutHours }),
  },
  output: schema.object({
    source: schema.string(),
    backup: schema.string(),
    destination: schema.string(),
    target: schema.string(),
    files: schema.integer(),
    seconds: schema.number(),
  }),
  run: async ({ input, host, describeTree, task }) => {
    const { plan } = await describeTree(input.plan);
    const { backup, from } = await chosen(host, plan, input, task);
    const timeoutMs = (input.options.timeoutHours ?? 24) * 3_600_000;
    const { path: target, only } = input;
    const restored = await restoreTree(host, { ...plan, backup, from, target, only, timeoutMs }, task);
    return { source: backup.source, backup: backup.name, target, ...restored };
  },
});

const retentionFields = () =>
  ({
    planHash: schema.string('Forget removes exactly this, or nothing'),
    sentence: schema.string(),
    forgotten: schema.array(snapshot()),
    kept: schema.array(snapshot()),
    untouched: schema.array(schema.object({ destination: schema.string(), why: schema.string() })),
  }) as const;

const snapshot = () =>
  schema.object({
    destination: schema.string(),
    snapshot: schema.string(),
    name: schema.nullable(schema.string('Null for one whose run was not complete')),
    at: schema.string(),
  });

function retentionItem({ hash, places, untouched }: TreeRetentionPlan, verb: string) {
  const flat = (which: 'kept' | 'forgotten') =>
    places.flatMap(({ destination, ...lists }) => lists[which].map((each) => ({ destination, ...each })));
  const [forgotten, kept] = [flat('forgotten'), flat('kept')];
  const sentence = `${forgotten.length} versions at ${places.length} destinations ${verb}, ${kept.length} stay`;
  return { planHash: hash, sentence, forgotten, kept, untouched };
}

export const previewForgetOperation = operation({
  resource: 'tree',
  name: 'previewForget',
  label: 'Preview Forget',
  action: 'Preview which versions of a tree would go',
  description: 'Says which versions the rules of every destination keep, and which would go. Changes nothing.',
  effect: 'reads',
  input: { host: hostField, plan: treePlanField, options: optional(options) },
  output: schema.lazy(() => schema.object(retentionFields())),
  run: async ({ input, host, describeTree, task }) =>
    retentionItem(await planTreeRetention(host, await describeTree(input.plan), task), 'would go'),
});

export const forgetTreeOperation = operation({
  resource: 'tree',
  name: 'forget',
  action: 'Forget old versions of a tree',
  description: 'Looks again and forgets exactly what the plan with the given hash forgets, or nothing',
  effect: 'destroys',
  needsApproval: true,
  input: {
    host: hostField,
    plan: treePlanField,
    planHash: text({ label: 'Plan Hash', required: true, description: 'From Preview Forget' }),
    options: optional(options),
  },
  output: schema.lazy(() => schema.object({ ...retentionFields(), changed: schema.boolean() })),
  run: async ({ input, host, describeTree, task }) => {
    const item = retentionItem(
      await applyTreeRetention(host, await describeTree(input.plan), input.planHash, task),
      'are gone',
    );
    return { ...item, changed: item.forgotten.length > 0 };
  },
});
