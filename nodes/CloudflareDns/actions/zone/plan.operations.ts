import { cloudflareDns } from '../../../../lib/dns/providers/cloudflare';
import { pointOperation } from '../../../shared/dns/pointOperation';
import { type DnsPlace } from '../../../shared/dns/place';
import { zoneOperations } from '../../../shared/dns/zoneOperations';
import { zoneField } from '../../fields';
import { type CloudflareContext, operation } from '../../operation';

const place: DnsPlace<CloudflareContext> = {
  operation,
  zoneField,
  open: async ({ api, findZone }, named) => {
    const zone = await findZone(named);
    return { zone: zone.name, dns: cloudflareDns(api, zone) };
  },
  optional: 'ttl, proxied, comment, tags, priority and settings',
  proxies: true,
};

export const recordPlanOperations = zoneOperations(place);

export const pointNamesOperation = pointOperation(place, {
  resource: 'address',
  description:
    'Lets many names of a zone answer with one address, in one request: the failover. All else about the records stays.',
});
