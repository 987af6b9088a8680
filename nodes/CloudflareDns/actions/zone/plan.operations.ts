import { carryOut, makePlan, type Wanted } from '../../../../lib/dns/carry-out';
import { parseDesiredRecords } from '../../../../lib/dns/desired';
import type { ZonePlan } from '../../../../lib/dns/plan';
import type { DnsProvider } from '../../../../lib/dns/provider';
import { cloudflareDns } from '../../../../lib/dns/providers/cloudflare';
import { planUndo } from '../../../../lib/dns/undo';
import { isObject } from '../../../../lib/json';
import type { Task } from '../../../../lib/task';
import { choice, json, list, number, optional, schema, text, toggle } from '../../../declaration';
import { zoneField } from '../../fields';
import { operation } from '../../operation';
import { appliedOutput, planFacts, shownPlan } from './changes';

const limits = {
  largestShare: number({
    label: 'Largest Share (Percent)',
    default: 30,
    min: 1,
    max: 100,
    description: 'Of a zone of more than 10 records, how much may change or go without being named',
  }),
};

const wanted = {
  zone: zoneField,
  records: json({
    label: 'Records',
    required: true,
    default: '[{"name": "www", "type": "A", "content": "203.0.113.7"}]',
    parse: (value) => value,
    description:
      'List of records with name, type, content or data, and only those of ttl, proxied, comment, tags, priority and settings that matter',
  }),
  mode: choice({
    label: 'Mode',
    options: { 'upsert-only': 'Create and Update', 'full-sync': 'Full Sync: Delete Ours That Are Not Listed' },
    default: 'upsert-only',
  }),
  owner: text({
    label: 'Owner',
    required: true,
    default: 'n8n',
    description: 'Whose records these are, kept in their comments. Only records of this owner are ever deleted.',
  }),
  options: optional({
    ...limits,
    adopt: list({ label: 'Adopt', description: 'Existing records that become ours: www, or www A' }),
    change: list({ label: 'Change Foreign', description: 'Records that may change and stay their owner’s' }),
    delete: list({ label: 'Delete Named', description: 'Records of ours at the apex, MX and NS, that may go' }),
    ignore: list({ label: 'Ignore', description: 'Patterns of records that are not looked at: _acme-challenge.*' }),
    allowEmpty: toggle({ label: 'Allow Empty', description: 'Whether a full sync may delete all of ours' }),
  }),
};

const hashField = text({
  label: 'Plan Hash',
  description: 'Of the plan that was agreed to. Empty: whatever the plan is now is applied.',
});

interface Input extends Pick<Wanted, 'mode' | 'owner'> {
  readonly records: unknown;
  readonly options: Partial<Pick<Wanted, 'adopt' | 'change' | 'delete' | 'ignore' | 'allowEmpty'>> & {
    readonly largestShare?: number;
  };
}

function wantedOf(zone: string, { records, mode, owner, options: { largestShare, ...options } }: Input): Wanted {
  const desired = parseDesiredRecords(records, zone);
  return { zone, desired, mode, owner, ...options, ...limitsOf(largestShare) };
}

function limitsOf(percent: number | undefined) {
  return percent === undefined ? {} : { limits: { share: percent / 100 } };
}

async function applied(
  dns: DnsProvider,
  plan: ZonePlan,
  { planHash, dryRun }: { readonly planHash: string; readonly dryRun: boolean },
  task: Task,
) {
  const { report } = await carryOut(dns, plan, { hash: planHash, dryRun }, task);
  const { changed = false, writes = 0, undo = null } = report ?? {};
  return { ...shownPlan(plan), changed, dryRun, writes, undo };
}

export const planZoneOperation = operation({
  resource: 'zone',
  name: 'plan',
  action: 'Plan the records of a zone',
  description: 'Says what would be created, changed and deleted, and what is not ours. Changes nothing.',
  effect: 'reads',
  input: wanted,
  output: schema.object(planFacts),
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    return shownPlan(await makePlan(cloudflareDns(api, zone), wantedOf(zone.name, input), task));
  },
});

export const applyZoneOperation = operation({
  resource: 'zone',
  name: 'apply',
  action: 'Apply records to a zone',
  description: 'Plans again and applies: exactly the plan with the given hash, or nothing. Returns what Undo needs.',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: { ...wanted, planHash: hashField },
  output: appliedOutput,
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const dns = cloudflareDns(api, zone);
    return applied(dns, await makePlan(dns, wantedOf(zone.name, input), task), input, task);
  },
});

const { mode: _, ...synced } = wanted;

export const syncZoneOperation = operation({
  resource: 'zone',
  name: 'sync',
  action: 'Sync records to a zone',
  description: 'Plans a full sync and applies it at once, within the limits. Our records that are not listed go.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: synced,
  output: appliedOutput,
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const dns = cloudflareDns(api, zone);
    const plan = await makePlan(dns, wantedOf(zone.name, { ...input, mode: 'full-sync' }), task);
    return applied(dns, plan, { planHash: '', dryRun: input.dryRun }, task);
  },
});

export const undoZoneOperation = operation({
  resource: 'zone',
  name: 'undo',
  action: 'Undo an apply',
  description: 'Brings back what an apply has changed. What others have made since then stays.',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    zone: zoneField,
    undo: json({
      label: 'Undo',
      required: true,
      parse: parseUndo,
      description: 'The field "undo" that the apply has returned',
    }),
    planHash: hashField,
    options: optional(limits),
  },
  output: appliedOutput,
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    const dns = cloudflareDns(api, zone);
    const observed = await dns.listRecords(zone.name, task);
    const undo = { ...input.undo, zone: zone.name };
    const plan = planUndo({ undo, provider: dns, observed, ...limitsOf(input.options.largestShare) });
    return applied(dns, plan, input, task);
  },
});

function parseUndo(value: unknown) {
  if (!isObject(value)) throw new Error('it is no object');
  const { owner, export: file, zone } = value;
  if (typeof owner !== 'string' || typeof file !== 'string' || typeof zone !== 'string') {
    throw new Error('it has no zone, owner and export');
  }
  const texts = (list: unknown) => (Array.isArray(list) ? list.map(String) : undefined);
  const touched = texts(value['touched']);
  const ignore = texts(value['ignore']);
  return { zone, owner, export: file, ...(touched && { touched }), ...(ignore && { ignore }) };
}
