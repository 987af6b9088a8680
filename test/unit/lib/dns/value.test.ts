import fc from 'fast-check';
import { parseDesiredRecord, parseDesiredRecords } from '../../../../lib/dns/desired';
import { RECORD_TYPES, type RecordType } from '../../../../lib/dns/layouts';
import { observedRecord } from '../../../../lib/dns/observed';
import { parseContent, parseData, readRdata, sameValue, snakeCaseData, writeRdata } from '../../../../lib/dns/value';
import { valueOf, ZONE } from '../../../shared/dns-arbitraries';

const read = (type: RecordType, content: string) => readRdata(type, content, 'the record', ZONE);

/** Two ways of writing each type, and the one way that both are kept in. */
const WAYS: Record<RecordType, readonly [string, string, string]> = {
  A: ['203.0.113.7', '203.0.113.7', '203.0.113.7'],
  AAAA: ['2001:DB8:0:0:0:0:0:1', '2001:db8::1', '2001:db8::1'],
  CAA: ['0 ISSUE letsencrypt.org', '0 issue "letsencrypt.org"', '0 issue "letsencrypt.org"'],
  CERT: ['1 12 8 AQ ID', '1 12 8 AQID', '1 12 8 AQID'],
  CNAME: ['Target', 'target.example.cl.', 'target.example.cl.'],
  DNSKEY: ['257 3 13 AQ ID', '0257 03 13 AQID', '257 3 13 AQID'],
  DS: ['12 13 2 AB CD', '12 13 2 abcd', '12 13 2 abcd'],
  HTTPS: ['1 . port=443 alpn=h3,h2', '1 . alpn="h3,h2" port="443"', '1 . alpn="h3,h2" port="443"'],
  LOC: [
    '51 30 12.748 N 0 7 39.611 W 0',
    '51 30 12.7480 N 0 07 39.611 W 0.00m 1m 10000m 10m',
    '51 30 12.748 N 0 7 39.611 W 0.00m 1.00m 10000.00m 10.00m',
  ],
  MX: ['10 mail', '010 MAIL.example.cl.', '10 mail.example.cl.'],
  NAPTR: [
    '1 2 s SIP+D2U "" _sip._udp',
    '1 2 "S" "SIP+D2U" "" _sip._udp.example.cl.',
    '1 2 "S" "SIP+D2U" "" _sip._udp.example.cl.',
  ],
  NS: ['ns1', 'NS1.example.cl.', 'ns1.example.cl.'],
  OPENPGPKEY: ['AQ I D', 'AQID', 'AQID'],
  PTR: ['host', 'host.example.cl.', 'host.example.cl.'],
  SMIMEA: ['3 1 1 AB CD', '3 1 1 abcd', '3 1 1 abcd'],
  SRV: ['1 2 5060 sip', '1 2 5060 SIP.example.cl.', '1 2 5060 sip.example.cl.'],
  SSHFP: ['4 2 AB CD', '4 2 abcd', '4 2 abcd'],
  SVCB: ['0 svc', '0 svc.example.cl.', '0 svc.example.cl.'],
  TLSA: ['3 1 1 AB CD', '3 1 1 abcd', '3 1 1 abcd'],
  TXT: ['"v=spf1 " "-all"', '"v=spf1 \\045all"', '"v=spf1 -all"'],
  URI: ['1 2 https://a.example/', '1 2 "https://a.example/"', '1 2 "https://a.example/"'],
};

it('knows all 21 record types of Cloudflare', () => {
  expect(RECORD_TYPES).toHaveLength(21);
  expect(Object.keys(WAYS).sort()).toEqual([...RECORD_TYPES].sort());
});

it.each(RECORD_TYPES)('two ways of writing the same %s are the same', (type) => {
  const [one, other, kept] = WAYS[type];
  expect(writeRdata(read(type, one))).toBe(kept);
  expect(sameValue(read(type, one), read(type, other))).toBe(true);
});

it.each(RECORD_TYPES)('any %s survives being written and read, by text and by data', (type) => {
  fc.assert(
    fc.property(valueOf(type), (value) => {
      expect(readRdata(type, writeRdata(value), 'the record', ZONE)).toEqual(value);
      expect(parseData(type, snakeCaseData(value), 'the record', ZONE)).toEqual(value);
    }),
    { numRuns: 60 },
  );
});

it.each([
  ['A', '1.2.3', 'is "1.2.3", which is no IPv4 address'],
  ['A', '1.2.3.4 5', 'has too much in it'],
  ['AAAA', 'fe80::1%eth0', 'which is no IPv6 address'],
  ['MX', '10', 'The field target of the record is missing'],
  ['MX', '70000 mail', 'is 70000, where a whole number from 0 to 65535 has to stand'],
  ['MX', '10 192.0.2.1.', 'is an address, where a name has to stand'],
  ['SRV', '1 2 3 192.0.2.1.', 'is an address, where a name has to stand'],
  ['CNAME', '.', 'is the root'],
  ['TLSA', '3 1 1 xyz', 'which is no hexadecimal text'],
  ['CERT', '1 2 3 ???', 'which is no base64 text'],
  ['HTTPS', '1 . alpn=h2 alpn=h3', 'unknown, malformed or given twice'],
  ['LOC', '91 0 0 N 0 0 0 E 0m', 'is 91'],
] as const)('%s %s is refused: %s', (type, content, why) => {
  expect(() => read(type, content)).toThrow(why);
});

it('takes content as APIs and people write it', () => {
  const content = (type: RecordType, text: string, priority?: number) =>
    writeRdata(parseContent(type, text, 'the record', ZONE, priority));
  expect(content('CNAME', 'target.example.net')).toBe('target.example.net.');
  expect(content('CNAME', '@')).toBe('example.cl.');
  expect(content('MX', 'mail.example.net', 10)).toBe('10 mail.example.net.');
  expect(content('TXT', 'v=DKIM1; p="x"')).toBe('"v=DKIM1; p=\\"x\\""');
  expect(content('TXT', '"v=DKIM1; " "p=x"')).toBe('"v=DKIM1; p=x"');
  expect(() => content('CNAME', 'target')).toThrow('is "target", a single word');
});

it('parses desired records, and says which record and which field is wrong', () => {
  expect(
    parseDesiredRecords(
      [
        { name: 'www', type: 'a', content: '203.0.113.7', ttl: '300', proxied: null },
        { name: '@', type: 'MX', data: { priority: '10', target: 'mail.example.cl' }, comment: 'mail' },
        { name: '_sip._tcp', type: 'SRV', data: { priority: 1, port: 5060, target: 'sip.example.cl.' }, ttl: 'auto' },
      ],
      ZONE,
    ),
  ).toEqual([
    { name: 'www.example.cl', value: { type: 'A', data: { address: '203.0.113.7' } }, ttl: 300 },
    { name: 'example.cl', value: { type: 'MX', data: { priority: 10, target: 'mail.example.cl' } }, comment: 'mail' },
    {
      name: '_sip._tcp.example.cl',
      value: { type: 'SRV', data: { priority: 1, weight: 0, port: 5060, target: 'sip.example.cl' } },
      ttl: 1,
    },
  ]);
  const refused: readonly (readonly [unknown, string])[] = [
    ['x', 'The field record of the record is "x", not an object'],
    [{ name: 'www' }, 'The field type of record www.example.cl is nothing'],
    [{ name: 'www', type: 'A' }, 'The field content of record www.example.cl A is missing, and so is data'],
    [{ name: 'www', type: 'A', content: '1', data: {} }, 'stands beside data'],
    [{ name: 'www', type: 'A', content: '1.2.3.4', tll: 1 }, 'The field tll of the record is unknown'],
    [
      { name: 'www', type: 'MX', data: { prio: 1 } },
      'The field prio of record www.example.cl MX is no field of its type',
    ],
    [{ name: 'www', type: 'A', content: '1.2.3.4', ttl: 0 }, 'The field ttl of record www.example.cl A is "0"'],
    [{ name: 'www', type: 'A', content: '1.2.3.4', proxied: 'yes' }, 'where true or false has to stand'],
  ];
  for (const [input, why] of refused) expect(() => parseDesiredRecord(input, ZONE)).toThrow(why);
});

it('keeps what it cannot read as it is, and refuses nothing that an API lists', () => {
  const listed = (type: string, content: string) =>
    observedRecord({ id: '1', name: 'X.example.cl.', type, content, form: 'api' }, ZONE);
  expect(listed('HINFO', '"pc" "linux"').value).toEqual({
    type: 'other',
    data: { rrtype: 'HINFO', rdata: '"pc" "linux"' },
  });
  expect(listed('TXT', '"\\255"').value).toEqual({ type: 'other', data: { rrtype: 'TXT', rdata: '"\\255"' } });
  expect(listed('TXT', '"open').value).toEqual({ type: 'TXT', data: { text: '"open' } });
  expect(listed('A', 'x ; y').value).toEqual({ type: 'other', data: { rrtype: 'A', rdata: '"x ; y"' } });
  expect(listed('A', '1.2.3.4')).toEqual({
    id: '1',
    name: 'x.example.cl',
    value: { type: 'A', data: { address: '1.2.3.4' } },
    ttl: 1,
    proxied: false,
    comment: '',
    tags: [],
    settings: {},
  });
  const structured = observedRecord(
    {
      id: '1',
      name: 'x.example.cl',
      type: 'URI',
      content: '',
      data: { weight: 2, target: 'https://a' },
      priority: 1,
      form: 'api',
    },
    ZONE,
  );
  expect(writeRdata(structured.value)).toBe('1 2 "https://a"');
});
