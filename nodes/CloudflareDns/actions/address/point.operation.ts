import { carryOut, makePlan } from '../../../../lib/dns/carry-out';
import { pointNamesAt } from '../../../../lib/dns/point';
import { cloudflareDns } from '../../../../lib/dns/providers/cloudflare';
import { choice, list, number, optional, text } from '../../../declaration';
import { zoneField } from '../../fields';
import { operation } from '../../operation';
import { appliedOutput, shownPlan } from '../zone/changes';

export const pointNamesOperation = operation({
  resource: 'address',
  name: 'point',
  label: 'Point Names',
  action: 'Point names at an address',
  description:
    'Lets many names of a zone answer with one address, in one request: the failover. All else about the records stays.',
  effect: 'changes',
  dryRun: true,
  needsApproval: true,
  input: {
    zone: zoneField,
    names: list({ label: 'Names', required: true, placeholder: 'www.example.org', description: 'Whole names' }),
    address: text({ label: 'Address', required: true, placeholder: '203.0.113.7', description: 'IPv4 or IPv6' }),
    options: optional({
      ipv6: text({ label: 'IPv6 Address', description: 'Beside an IPv4 address' }),
      proxied: choice({
        label: 'Proxied',
        options: { keep: 'As It Is', yes: 'Yes', no: 'No' },
        default: 'keep',
      }),
      ttl: number({ label: 'TTL (Seconds)', default: 60, min: 1, max: 86_400, integer: true }),
      owner: text({ label: 'Owner', default: 'n8n', description: 'Of records that have to be created' }),
    }),
  },
  output: appliedOutput,
  run: async ({ input: { zone: named, names, address, options, dryRun }, api, findZone, task }) => {
    const zone = await findZone(named);
    const dns = cloudflareDns(api, zone);
    const { ipv6 = '', proxied = 'keep', ttl, owner = 'n8n' } = options;
    const pointings = pointNamesAt({
      names,
      zones: [zone.name],
      address,
      ...(ipv6 !== '' && { ipv6 }),
      ...(proxied !== 'keep' && { proxied: proxied === 'yes' }),
      ...(ttl !== undefined && { ttl }),
    });
    const results = [];
    for (const pointing of pointings) {
      const plan = await makePlan(dns, { ...pointing, owner }, task);
      const { report } = await carryOut(dns, plan, { hash: '', dryRun }, task);
      const { changed = false, writes = 0, undo = null } = report ?? {};
      results.push({ ...shownPlan(plan), changed, dryRun, writes, undo });
    }
    return results;
  },
});
