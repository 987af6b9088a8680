import { hetznerDns } from '../../../lib/dns/providers/hetzner';
import { getItem } from '../../../lib/hetzner/read';
import { zones } from '../../../lib/hetzner/resources/dns';
import { pointOperation } from '../../shared/dns/pointOperation';
import type { DnsPlace } from '../../shared/dns/place';
import { zoneOperations } from '../../shared/dns/zoneOperations';
import { type HetznerContext, operation } from '../operation';
import { pickOne } from '../searches';

export const zoneField = pickOne('zone', { label: 'Zone', byHand: 'By Name or ID', placeholder: 'example.org' });

const place: DnsPlace<HetznerContext> = {
  operation,
  zoneField,
  open: async ({ api, task }, named) => {
    // The address takes a name as well as an id.
    const zone = await getItem(api, zones, { id: named.trim().toLowerCase() }, task);
    return { zone: zone.name, dns: hetznerDns(api, zone) };
  },
  optional: 'ttl, comment and priority',
  proxies: false,
};

export const zonePlanOperations = [
  ...zoneOperations(place),
  pointOperation(place, {
    resource: 'zone',
    description:
      'Lets many names of a zone answer with one address: the failover. One request for each name that differs; all else about the records stays.',
  }),
];
