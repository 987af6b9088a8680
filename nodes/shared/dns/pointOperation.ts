import { makePlan } from '../../../lib/dns/carry-out';
import { pointNamesAt } from '../../../lib/dns/point';
import type { Task } from '../../../lib/task';
import { choice, list, number, optional, text } from '../../declaration';
import type { Operation } from '../../declaration';
import type { DnsContext, DnsPlace } from './place';
import { appliedOutput } from './shownPlan';
import { applied } from './zoneOperations';

const usual = {
  ipv6: text({ label: 'IPv6 Address', description: 'Beside an IPv4 address' }),
  ttl: number({ label: 'TTL (Seconds)', default: 60, min: 1, max: 86_400, integer: true }),
  owner: text({ label: 'Owner', default: 'n8n', description: 'Of records that have to be created' }),
};

const proxied = choice({
  label: 'Proxied',
  options: { keep: 'As It Is', yes: 'Yes', no: 'No' },
  default: 'keep',
});

/** The failover: many names answer with one address, as few requests a zone as the provider takes. */
export function pointOperation<Context extends DnsContext>(
  place: DnsPlace<Context>,
  { resource, description }: { readonly resource: string; readonly description: string },
): Operation<Context> {
  const { operation, zoneField, open } = place;
  return operation({
    resource,
    name: 'point',
    label: 'Point Names',
    action: 'Point names at an address',
    description,
    effect: 'changes',
    dryRun: true,
    needsApproval: true,
    input: {
      zone: zoneField,
      names: list({ label: 'Names', required: true, placeholder: 'www.example.org', description: 'Whole names' }),
      address: text({ label: 'Address', required: true, placeholder: '203.0.113.7', description: 'IPv4 or IPv6' }),
      options: optional(place.proxies ? { ...usual, proxied } : usual),
    },
    output: appliedOutput,
    run: async (call) => {
      const { input, task, controls, approvedHash } = call;
      const { zone, dns } = await open(call, input.zone);
      const { names, address, dryRun } = input;
      const options: PointOptions = input.options;
      const { ipv6 = '', proxied: through = 'keep', ttl, owner = 'n8n' } = options;
      const pointings = pointNamesAt({
        names,
        zones: [zone],
        address,
        ...(ipv6 !== '' && { ipv6 }),
        ...(through !== 'keep' && { proxied: through === 'yes' }),
        ...(ttl !== undefined && { ttl }),
      });
      // State that went down with the failed host must not stop the failover.
      const lock = controls.lock && ({ ...controls.lock, whenUnreachable: 'go on' } as const);
      const results = [];
      for (const pointing of pointings) {
        const plan = (during: Task) => makePlan(dns, { ...pointing, owner }, during);
        results.push(await applied(dns, { zone, plan, hash: approvedHash, dryRun, lock }, task));
      }
      return results;
    },
  });
}

interface PointOptions {
  readonly ipv6?: string;
  readonly proxied?: 'keep' | 'yes' | 'no';
  readonly ttl?: number;
  readonly owner?: string;
}
