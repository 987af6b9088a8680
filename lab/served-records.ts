import type { RecordFields } from '../lib/dns/record';
import type { ServedRecord } from './dns-server';

/**
 * Records of a zone as the DNS server serves them. Types that nobody can ask Node for are left out, and so are proxied
 * ones when no address of the proxy is given.
 */
export function servedRecords(records: readonly RecordFields[], proxyAddress?: string): ServedRecord[] {
  return records.flatMap((record): ServedRecord[] => {
    const { name, value, proxied } = record;
    const ttl = record.ttl === 1 ? 300 : record.ttl;
    if (proxied) return proxyAddress === undefined ? [] : [{ name, type: 'A', ttl, data: proxyAddress }];
    const served = (data: unknown): ServedRecord[] => [{ name, type: value.type, ttl, data }];
    switch (value.type) {
      case 'A':
      case 'AAAA':
        return served(value.data.address);
      case 'CNAME':
      case 'NS':
      case 'PTR':
        return served(value.data.target);
      case 'MX':
        return served({ preference: value.data.priority, exchange: value.data.target });
      case 'TXT':
        return served(chunks(Buffer.from(value.data.text, 'utf8')));
      case 'SRV':
        return served(value.data);
      case 'CAA':
        return served(value.data);
      case 'NAPTR': {
        const { service: services, regex: regexp, ...rest } = value.data;
        return served({ ...rest, services, regexp });
      }
      default:
        return [];
    }
  });
}

function chunks(bytes: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start === 0 || start < bytes.length; start += 255) parts.push(bytes.subarray(start, start + 255));
  return parts;
}
