import fc from 'fast-check';
import { desiredFromZoneFile } from '../../../../lib/dns/import';
import type { RecordFields } from '../../../../lib/dns/record';
import { writeRdata } from '../../../../lib/dns/value';
import { readZoneFile } from '../../../../lib/dns/zone-file-read';
import { writeZoneFile } from '../../../../lib/dns/zone-file-write';
import { ZONE, zones } from '../../../shared/dns-arbitraries';
import { CLOUDFLARE_LIKE } from '../../../shared/memory-dns';

it('reads a zone file as BIND does: origins, TTLs, names left out, parentheses, quotes, comments, classes', () => {
  const { records, soa } = readZoneFile(
    `; a zone
$TTL 1h30m
@\tIN SOA ns1 hostmaster ( 2026112001 ; serial
      3600 900 1209600 300 )
    IN NS ns1.example.net.
www 300 IN A 203.0.113.7 ; the web server
    IN 60 AAAA 2001:db8::7
$ORIGIN sub.example.cl.
a   A 203.0.113.8
@   TXT ( "first; not a comment"
          " second" ) ; joined
mail MX 10 @
*   CNAME www.example.cl.
`.replaceAll('\n', '\r\n'),
    ZONE,
  );
  expect(soa).toBe('ns1 hostmaster 2026112001 3600 900 1209600 300');
  expect(records.map((r) => [r.name, r.ttl, r.value.type, writeRdata(r.value), r.comment])).toEqual([
    ['example.cl', 5400, 'NS', 'ns1.example.net.', ''],
    ['www.example.cl', 300, 'A', '203.0.113.7', 'the web server'],
    ['www.example.cl', 60, 'AAAA', '2001:db8::7', ''],
    ['a.sub.example.cl', 5400, 'A', '203.0.113.8', ''],
    ['sub.example.cl', 5400, 'TXT', '"first; not a comment second"', 'joined'],
    ['mail.sub.example.cl', 5400, 'MX', '10 sub.example.cl.', ''],
    ['*.sub.example.cl', 5400, 'CNAME', 'www.example.cl.', ''],
  ]);
});

it.each([
  ['www A "open', 'Line 1 .* a quoted string does not end'],
  ['\nwww A ( 1.2.3.4', 'a parenthesis is never closed'],
  ['www A 1.2.3.4 )', 'a parenthesis is closed that was never opened'],
  ['www.other.com. A 1.2.3.4', 'www.other.com is outside the zone example.cl'],
  ['  A 1.2.3.4', 'the first record has no name'],
  ['$INCLUDE /etc/passwd', '"\\$INCLUDE" cannot be followed here'],
  ['www CH A 1.2.3.4', 'the class CH is not Internet'],
  ['www 300', 'has no record type'],
])('the zone file %j is refused: %s', (text, why) => {
  expect(() => readZoneFile(text, ZONE)).toThrow(new RegExp(why, 'u'));
});

it("writes what zone files have no place for in Cloudflare's form, and in our own where that does not fit", () => {
  const fields: Omit<RecordFields, 'name'> = {
    value: { type: 'A', data: { address: '203.0.113.7' } },
    ttl: 1,
    proxied: true,
    comment: 'by Terraform',
    tags: ['team:dns'],
    settings: {},
  };
  expect(
    writeZoneFile(ZONE, [
      { ...fields, name: 'b.example.cl', settings: { ipv4_only: true } },
      { ...fields, name: 'a.example.cl' },
      { ...fields, name: ZONE, proxied: false, comment: '', tags: [], ttl: 300 },
    ]),
  ).toBe(
    [
      '$ORIGIN example.cl.',
      'example.cl.\t300\tIN\tA\t203.0.113.7',
      'a.example.cl.\t1\tIN\tA\t203.0.113.7 ; by Terraform cf_tags=cf-proxied:true,team:dns',
      'b.example.cl.\t1\tIN\tA\t203.0.113.7 ; selfhost={"comment":"by Terraform","proxied":true,"settings":{"ipv4_only":true},"tags":["team:dns"]}',
      '',
    ].join('\n'),
  );
});

it('reads back exactly what it has written, for any zone', () => {
  fc.assert(
    fc.property(zones(CLOUDFLARE_LIKE), (zone) => {
      const text = writeZoneFile(ZONE, zone);
      const { records } = readZoneFile(text, ZONE);
      expect(records).toHaveLength(zone.length);
      expect(writeZoneFile(ZONE, records)).toBe(text);
      expect(records).toEqual(expect.arrayContaining(zone));
    }),
    { numRuns: 200 },
  );
});

it('imports a zone file as desired records, without the name servers of another provider', () => {
  expect(
    desiredFromZoneFile(
      '@ 300 NS ns1.example.net.\nwww 1 A 203.0.113.7 ; managed-by=selfhost owner=old | web cf_tags=cf-proxied:true\nx HINFO pc linux\n',
      ZONE,
    ),
  ).toEqual({
    desired: [
      {
        name: 'www.example.cl',
        value: { type: 'A', data: { address: '203.0.113.7' } },
        ttl: 1,
        proxied: true,
        comment: 'web',
      },
    ],
    skipped: [
      { record: 'record example.cl NS', reason: 'each provider has its own name servers' },
      { record: 'record x.example.cl HINFO', reason: 'its type or its data is unknown' },
    ],
  });
});
