import { batchRecords } from '../../../../lib/cloudflare/records';
import { readBatch } from '../../../../lib/dns/providers/cloudflare-record';
import { json, schema } from '../../../declaration';
import { recordOutput, zoneField } from '../../fields';
import { operation } from '../../operation';

export const batchRecordsOperation = operation({
  resource: 'record',
  name: 'batch',
  action: 'Change many DNS records at once',
  description: 'Deletes, updates and creates in one transaction: all of it is done, or nothing',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    zone: zoneField,
    changes: json({
      label: 'Changes',
      required: true,
      default: '{"deletes": [], "updates": [], "creates": []}',
      parse: (value) => value,
      description:
        'IDs to delete; whole records with their ID to update; records to create. They happen in this order.',
    }),
  },
  output: schema.object({
    zone: schema.string(),
    changed: schema.boolean(),
    dryRun: schema.boolean(),
    deleted: schema.integer(),
    updated: schema.integer(),
    created: schema.integer(),
    records: schema.array(recordOutput, 'As they are now; empty in a dry run'),
  }),
  run: async ({ input: { zone: named, changes, dryRun }, api, findZone, task }) => {
    const zone = await findZone(named);
    const batch = readBatch({ api, zone }, changes);
    const { deletes, puts, posts } = batch;
    const changed = deletes.length + puts.length + posts.length > 0;
    const result = changed && !dryRun ? await batchRecords(api, zone.id, batch, task) : undefined;
    return {
      zone: zone.name,
      changed,
      dryRun,
      deleted: deletes.length,
      updated: puts.length,
      created: posts.length,
      records: result === undefined ? [] : [...result.put, ...result.posted],
    };
  },
});
