import { changesOf, type ZonePlan } from '../../../lib/dns/plan';
import type { Change } from '../../../lib/dns/provider';
import type { RecordFields } from '../../../lib/dns/record';
import { typeOf, writeRdata } from '../../../lib/dns/value';
import { schema } from '../../declaration';

const shownRecord = () => ({
  name: schema.string(),
  type: schema.string(),
  content: schema.string('As in a zone file'),
  ttl: schema.integer(),
  proxied: schema.boolean(),
  comment: schema.string(),
});

export const planFacts = () => ({
  zone: schema.string(),
  mode: schema.string(),
  hash: schema.string('Of what is wanted and of the zone as it is: apply with it, and only this plan is applied'),
  create: schema.integer(),
  update: schema.integer(),
  delete: schema.integer(),
  unchanged: schema.integer(),
  foreign: schema.integer('Records that are not ours and stay as they are'),
  warnings: schema.array(schema.string()),
  changes: schema.array(
    schema.object({
      action: schema.oneOf(['create', 'update', 'delete']),
      fields: schema.array(schema.string(), 'That differ, in an update'),
      before: schema.nullable(schema.object(shownRecord())),
      after: schema.nullable(schema.object(shownRecord())),
    }),
  ),
});

/** A plan as an item: what somebody who approves it has to see. */
export function shownPlan(plan: ZonePlan) {
  const { zone, mode, hash, warnings } = plan;
  return {
    zone,
    mode,
    hash,
    create: plan.create.length,
    update: plan.update.length,
    delete: plan.delete.length,
    unchanged: plan.unchanged.length,
    foreign: plan.foreign.length,
    warnings,
    changes: changesOf(plan).map(shownChange),
  };
}

function shownChange(change: Change) {
  switch (change.kind) {
    case 'create':
      return { action: change.kind, fields: [], before: null, after: shown(change.record) };
    case 'update':
      return { action: change.kind, fields: change.fields, before: shown(change.before), after: shown(change.after) };
    case 'delete':
      return { action: change.kind, fields: [], before: shown(change.record), after: null };
  }
}

function shown({ name, value, ttl, proxied, comment }: RecordFields) {
  return { name, type: typeOf(value), content: writeRdata(value), ttl, proxied, comment };
}

const undoOutput = () =>
  schema.object(
    {
      zone: schema.string(),
      provider: schema.string(),
      owner: schema.string(),
      export: schema.string('The whole zone as it was, as a BIND zone file'),
      touched: schema.array(schema.string()),
      ignore: schema.array(schema.string()),
    },
    'Give this to Undo to go back',
  );

export const appliedOutput = schema.lazy(() =>
  schema.object({
    ...planFacts(),
    changed: schema.boolean('In a dry run: whether it would change'),
    dryRun: schema.boolean(),
    writes: schema.integer('Requests that changed something'),
    undo: schema.nullable(undoOutput()),
  }),
);
