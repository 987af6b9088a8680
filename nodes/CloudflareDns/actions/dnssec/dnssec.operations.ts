import { type Dnssec, getDnssec, setDnssec } from '../../../../lib/cloudflare/dnssec';
import { schema } from '../../../declaration';
import { zoneField } from '../../fields';
import { operation } from '../../operation';

const facts = {
  zone: schema.string(),
  status: schema.string('pending until the parent zone has the DS record, pending-disabled until it has it no more'),
  ds: schema.string('For the registrar; empty when DNSSEC is off'),
  keyTag: schema.optional(schema.integer()),
  algorithm: schema.string(),
  digestType: schema.string(),
  digest: schema.string(),
  publicKey: schema.string(),
};

export const dnssecStatusOperation = operation({
  resource: 'dnssec',
  name: 'status',
  label: 'Get Status',
  action: 'Get the DNSSEC status of a zone',
  description: 'Tells whether DNSSEC is on, and the DS record for the registrar',
  effect: 'reads',
  input: { zone: zoneField },
  output: schema.object(facts),
  run: async ({ input, api, findZone, task }) => {
    const zone = await findZone(input.zone);
    return { zone: zone.name, ...(await getDnssec(api, zone.id, task)) };
  },
});

const isOn = ({ status }: Dnssec) => status === 'active' || status === 'pending';

function switchOperation(name: 'enable' | 'disable', description: string) {
  const on = name === 'enable';
  return operation({
    resource: 'dnssec',
    name,
    action: `${on ? 'Enable' : 'Disable'} DNSSEC for a zone`,
    description,
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: { zone: zoneField },
    output: schema.object({ ...facts, changed: schema.boolean(), dryRun: schema.boolean(), before: schema.string() }),
    run: async ({ input, api, findZone, task }) => {
      const zone = await findZone(input.zone);
      const before = await getDnssec(api, zone.id, task);
      const changed = isOn(before) !== on;
      const writes = changed && !input.dryRun;
      const after = writes ? await setDnssec(api, zone.id, on ? 'active' : 'disabled', task) : before;
      return { zone: zone.name, changed, dryRun: input.dryRun, before: before.status, ...after };
    },
  });
}

export const dnssecSwitchOperations = [
  switchOperation('enable', 'Signs the zone. The DS record then has to be put in place at the registrar.'),
  switchOperation('disable', 'Stops signing. Take the DS record away at the registrar first, or the zone goes dark.'),
];
