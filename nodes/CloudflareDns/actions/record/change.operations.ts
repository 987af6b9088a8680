import { addRecord, removeRecord, updateRecord, upsertRecord } from '../../../../lib/dns/providers/cloudflare-record';
import { optional, text } from '../../../declaration';
import { changeOutput, contentField, recordIdField, recordOptions, typeField, zoneField } from '../../fields';
import { operation } from '../../operation';

const nameField = text({
  label: 'Name',
  required: true,
  placeholder: 'www',
  description: 'Below the zone or whole; @ is the zone itself',
});

const wanted = {
  zone: zoneField,
  type: typeField,
  name: nameField,
  content: contentField,
  options: optional(recordOptions),
};

interface Wanted {
  readonly type: string;
  readonly name: string;
  readonly content: string;
  readonly options: Readonly<Record<string, unknown>>;
}

function recordOf({ type, name, content, options }: Wanted): Readonly<Record<string, unknown>> {
  return { ...options, type, name, ...(content !== '' && { content }) };
}

export const createRecordOperation = operation({
  resource: 'record',
  name: 'create',
  action: 'Create a DNS record',
  description: 'Creates a record. One that exists with this content already is left as it is.',
  effect: 'creates',
  dryRun: true,
  input: wanted,
  output: changeOutput,
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const change = await addRecord({ api, zone }, recordOf(input), input, task);
    return { zone: zone.name, dryRun: input.dryRun, ...change };
  },
});

export const upsertRecordOperation = operation({
  resource: 'record',
  name: 'upsert',
  label: 'Create or Update',
  action: 'Create or update a DNS record',
  description: 'Create a new record, or update the current one if it already exists (upsert)',
  effect: 'changes',
  dryRun: true,
  input: wanted,
  output: changeOutput,
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const change = await upsertRecord({ api, zone }, recordOf(input), input, task);
    return { zone: zone.name, dryRun: input.dryRun, ...change };
  },
});

export const updateRecordOperation = operation({
  resource: 'record',
  name: 'update',
  action: 'Update a DNS record',
  description: 'Changes the given fields of a record, and keeps the others',
  effect: 'changes',
  dryRun: true,
  input: {
    zone: zoneField,
    recordId: recordIdField,
    changes: optional({ name: text({ label: 'Name' }), content: contentField, ...recordOptions }, { add: 'Add Field' }),
  },
  output: changeOutput,
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const change = await updateRecord({ api, zone }, input.recordId, input.changes, input, task);
    return { zone: zone.name, dryRun: input.dryRun, ...change };
  },
});

export const deleteRecordOperation = operation({
  resource: 'record',
  name: 'delete',
  action: 'Delete a DNS record',
  description: 'Deletes a record by its ID. One that is gone already is no failure.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: { zone: zoneField, recordId: recordIdField },
  output: changeOutput,
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const change = await removeRecord({ api, zone }, input.recordId, input, task);
    return { zone: zone.name, dryRun: input.dryRun, ...change };
  },
});
