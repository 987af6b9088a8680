import {
  createSecret,
  deleteSecrets,
  listSecrets,
  updateSecret,
  upsertSecrets,
  type Written,
} from '../../../lib/infisical/secrets';
import type { Secret } from '../../../lib/infisical/secret';
import { withoutSecrets } from '../../../lib/secrets/redact';
import { list, optional, schema, text } from '../../declaration';
import { approvalId, keyField, place, state, valueField, valuesField } from '../fields';
import { operation } from '../operation';

const changedOutput = schema.object({
  key: schema.string(),
  state,
  changed: schema.boolean('False also while it waits for approval'),
  version: schema.nullable(schema.integer()),
  approvalId,
});

function outcome(key: string, written: Written<Secret>) {
  return written.state === 'done'
    ? { key, state: written.state, changed: true, version: written.value.version, approvalId: null }
    : { key, state: written.state, changed: false, version: null, approvalId: written.approvalId };
}

const commentField = text({ label: 'Comment', multiline: true });

const createOperation = operation({
  resource: 'secret',
  name: 'create',
  action: 'Create a secret',
  description:
    'Creates a secret; one that is there already is a failure. Its value comes from a reference, or is made up.',
  effect: 'creates',
  input: {
    ...place,
    key: keyField,
    valueFrom: { ...valueField, form: { ...valueField.form, required: true } },
    options: optional({ comment: commentField }),
  },
  output: changedOutput,
  run: async ({ input, api, placeOf, secretFrom, task }) => {
    const value = await secretFrom(input.valueFrom);
    const secret = { key: input.key, value, ...input.options };
    const where = await placeOf(input);
    return outcome(input.key, await withoutSecrets([value], () => createSecret(api, where, secret, task)));
  },
});

const updateOperation = operation({
  resource: 'secret',
  name: 'update',
  action: 'Update a secret',
  description: 'Changes the value, comment or name of a secret that is there',
  effect: 'changes',
  input: {
    ...place,
    key: keyField,
    options: optional(
      { valueFrom: valueField, comment: commentField, newKey: text({ label: 'New Key' }) },
      { add: 'Add Change' },
    ),
  },
  output: changedOutput,
  run: async ({ input, api, placeOf, secretFrom, task }) => {
    const { valueFrom, comment, newKey } = input.options;
    const value = valueFrom === undefined ? undefined : await secretFrom(valueFrom);
    const change = {
      ...(value !== undefined && { value }),
      ...(comment !== undefined && { comment }),
      ...(newKey !== undefined && { newKey }),
    };
    const where = await placeOf(input);
    const known = value === undefined ? [] : [value];
    return outcome(input.key, await withoutSecrets(known, () => updateSecret(api, where, input.key, change, task)));
  },
});

const upsertOperation = operation({
  resource: 'secret',
  name: 'upsert',
  label: 'Create or Update',
  action: 'Create or update secrets',
  // The words that n8n wants for it.
  description: 'Create a new record, or update the current one if it already exists (upsert)',
  effect: 'changes',
  dryRun: true,
  input: { ...place, secrets: valuesField },
  output: schema.object({
    state,
    changed: schema.boolean('False also while it waits for approval'),
    created: schema.array(schema.string()),
    updated: schema.array(schema.string()),
    unchanged: schema.array(schema.string()),
    approvalId,
  }),
  run: async ({ input, api, placeOf, secretFrom, task }) => {
    const secrets: { key: string; value: string }[] = [];
    for (const [key, source] of Object.entries(input.secrets)) secrets.push({ key, value: await secretFrom(source) });
    const where = await placeOf(input);
    const values = secrets.map(({ value }) => value);
    const { approvalId: waits, ...names } = await withoutSecrets(values, () =>
      upsertSecrets(api, where, secrets, input.dryRun, task),
    );
    const differs = names.created.length + names.updated.length > 0;
    const now =
      waits !== undefined
        ? ('waiting for approval' as const)
        : !differs
          ? ('nothing to do' as const)
          : input.dryRun
            ? ('dry run' as const)
            : ('done' as const);
    return { state: now, changed: differs && waits === undefined, ...names, approvalId: waits ?? null };
  },
});

const deleteOperation = operation({
  resource: 'secret',
  name: 'delete',
  action: 'Delete secrets',
  description: 'Deletes secrets of a folder in one step; those that are gone already are an answer',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: { ...place, keys: list({ label: 'Keys', required: true, description: 'One on each line' }) },
  output: schema.object({
    state,
    changed: schema.boolean('False also while it waits for approval'),
    deleted: schema.array(schema.string()),
    missing: schema.array(schema.string()),
    approvalId,
  }),
  run: async ({ input, api, placeOf, task }) => {
    const where = await placeOf(input);
    const present = await listSecrets(api, where, { imports: false, expand: false, values: false }, task);
    const known = new Set(present.map(({ key }) => key));
    const keys = [...new Set(input.keys)].sort();
    const deleted = keys.filter((key) => known.has(key));
    const facts = { deleted, missing: keys.filter((key) => !known.has(key)), approvalId: null };
    if (deleted.length === 0) return { state: 'nothing to do' as const, changed: false, ...facts };
    if (input.dryRun) return { state: 'dry run' as const, changed: true, ...facts };
    const answer = await deleteSecrets(api, where, deleted, task);
    return answer.state === 'done'
      ? { state: answer.state, changed: true, ...facts }
      : { state: answer.state, changed: false, ...facts, approvalId: answer.approvalId };
  },
});

export const secretChanges = [createOperation, updateOperation, upsertOperation, deleteOperation];
