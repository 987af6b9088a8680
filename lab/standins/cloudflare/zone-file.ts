import { dataOf, isStructured, types, unquote, withPriority } from './rdata';
import type { StoredRecord, Zone } from './state';

const targets = ['CNAME', 'NS', 'PTR', 'MX'];

/** The zone as Cloudflare exports it: by type, with comments and switches behind each line. */
export function zoneFile(zone: Zone): string {
  const soa = `${zone.name}\t3600\tIN\tSOA\t${zone.nameServers[0] ?? ''}. dns.cloudflare.com. 2050 10000 2400 604800 3600`;
  const byType = types
    .map((type) => [...zone.records.values()].filter((record) => record.type === type))
    .filter((records) => records.length > 0);
  const blocks = byType.map((records) => [`;; ${records[0]?.type ?? ''} Records`, ...records.map(line)].join('\n'));
  return [`;;\n;; Domain:     ${zone.name}.\n;;`, `;; SOA Record\n${soa}`, ...blocks, ''].join('\n\n');
}

function line({ name, type, content, priority, ttl, proxied, comment, tags }: StoredRecord): string {
  const dotted = targets.includes(type) ? `${content}.` : content;
  const text = type === 'TXT' && !content.startsWith('"') ? `"${content}"` : dotted;
  const rdata = priority === undefined ? text : `${priority} ${text}`;
  const marks = [...(['A', 'AAAA', 'CNAME'].includes(type) ? [`cf-proxied:${proxied}`] : []), ...tags];
  const notes = [
    ...(comment === undefined ? [] : [comment]),
    ...(marks.length > 0 ? [`cf_tags=${marks.join(',')}`] : []),
  ];
  return `${name}.\t${ttl}\tIN\t${type}\t${rdata}${notes.length > 0 ? ` ; ${notes.join(' ')}` : ''}`;
}

/** The records of a zone file as requests to create them. SOA and the zone's own NS are left out, as Cloudflare does. */
export function readZoneFile(zone: Zone, file: string): readonly Readonly<Record<string, unknown>>[] {
  return file
    .split(/\r?\n/)
    .filter((row) => !/^\s*(;|\$|$)/.test(row))
    .flatMap((row) => {
      const [, entry = '', note = ''] = /^((?:"(?:\\.|[^"\\])*"|[^";])*)(?:;\s*(.*))?$/.exec(row) ?? [];
      const [name = '', ttl = '', , type = '', ...rdata] = entry.trim().match(/(?:"(?:\\.|[^"\\])*"|[^\s"])+/g) ?? [];
      if (type === 'SOA' || (type === 'NS' && name === `${zone.name}.`)) return [];
      return [{ name, type, ttl: Number(ttl), ...valueOf(type, rdata), ...notesOf(note) }];
    });
}

function valueOf(type: string, rdata: readonly string[]): Readonly<Record<string, unknown>> {
  if (isStructured(type)) {
    const data = dataOf(type, rdata);
    return { data, ...(withPriority.includes(type) && { priority: data['priority'] }) };
  }
  if (type === 'MX') return { priority: Number(rdata[0]), content: rdata[1] };
  return { content: type === 'TXT' ? unquote(rdata.join(' ')) : rdata.join(' ') };
}

function notesOf(note: string): Readonly<Record<string, unknown>> {
  const [, comment = '', marks = ''] = /^(.*?)\s*(?:cf_tags=(\S+))?$/.exec(note) ?? [];
  const list = marks.split(',').filter((mark) => mark !== '');
  const tags = list.filter((mark) => !mark.startsWith('cf-proxied:'));
  return {
    ...(comment !== '' && { comment }),
    ...(list.includes('cf-proxied:true') && { proxied: true }),
    ...(tags.length > 0 && { tags }),
  };
}
