import fc from 'fast-check';
import { RECORD_TYPES, type RecordType } from '../../lib/dns/layouts';
import { claimName, claimText, isClaimName, writeComment } from '../../lib/dns/ownership';
import type { Capabilities } from '../../lib/dns/provider';
import type { DesiredRecord, RecordFields } from '../../lib/dns/record';
import { parseData, typeOf, writeRdata, type KnownValue } from '../../lib/dns/value';

export const ZONE = 'example.cl';
export const US = 'n8n';

const word = fc.integer({ min: 0, max: 65535 });
const byte = fc.integer({ min: 0, max: 255 });
const bytes = (most: number) => fc.uint8Array({ minLength: 1, maxLength: most });
const hex = bytes(40).map((data) => Buffer.from(data).toString('hex'));
const base64 = bytes(60).map((data) => Buffer.from(data).toString('base64'));
const host = fc.constantFrom(
  'mail.example.cl',
  'a.example.net',
  'xn--bcher-kva.example',
  '_dmarc.example.org',
  'example.cl',
);
const text = fc.oneof(
  fc.constantFrom(
    'v=spf1 -all',
    'hello "world"',
    'semi; colon',
    'back\\slash',
    'tab\tand\nline',
    '',
    ' spaces  ',
    'ñandú',
  ),
  fc.string({ unit: 'grapheme', maxLength: 30 }),
  fc.integer({ min: 250, max: 600 }).map((length) => 'x'.repeat(length)),
);
const short = fc.string({ unit: 'grapheme-ascii', maxLength: 40 });
const service = fc.record({
  priority: word,
  target: fc.oneof(host, fc.constant('.')),
  value: fc.constantFrom(
    '',
    'alpn="h3,h2"',
    'port=8443 alpn=h2',
    'ipv4hint="1.2.3.4" no-default-alpn alpn="h2" key700="a b"',
  ),
});
const certificate = fc.record({ usage: byte, selector: byte, matchingType: byte, certificate: hex });

const DATA: { readonly [T in RecordType]: fc.Arbitrary<Readonly<Record<string, string | number>>> } = {
  A: fc.record({ address: fc.ipV4() }),
  AAAA: fc.record({ address: fc.ipV6() }),
  CAA: fc.record({ flags: fc.constantFrom(0, 128), tag: fc.constantFrom('issue', 'iodef', 'issuewild'), value: short }),
  CERT: fc.record({ type: word, keyTag: word, algorithm: byte, certificate: base64 }),
  CNAME: fc.record({ target: host }),
  DNSKEY: fc.record({ flags: word, protocol: byte, algorithm: byte, publicKey: base64 }),
  DS: fc.record({ keyTag: word, algorithm: byte, digestType: byte, digest: hex }),
  HTTPS: service,
  LOC: fc.record({
    latDegrees: fc.integer({ min: 0, max: 90 }),
    latMinutes: fc.integer({ min: 0, max: 59 }),
    latSeconds: fc.integer({ min: 0, max: 59999 }).map((value) => value / 1000),
    latDirection: fc.constantFrom('N', 'S'),
    longDegrees: fc.integer({ min: 0, max: 180 }),
    longMinutes: fc.integer({ min: 0, max: 59 }),
    longSeconds: fc.integer({ min: 0, max: 59999 }).map((value) => value / 1000),
    longDirection: fc.constantFrom('E', 'W'),
    altitude: fc.integer({ min: -1000, max: 90000 }).map((value) => value / 10),
    size: fc.integer({ min: 0, max: 9000 }),
    precisionHorz: fc.integer({ min: 0, max: 90000 }),
    precisionVert: fc.integer({ min: 0, max: 9000 }),
  }),
  MX: fc.record({ priority: word, target: fc.oneof(host, fc.constant('.')) }),
  NAPTR: fc.record({
    order: word,
    preference: word,
    flags: fc.constantFrom('', 'S', 'U'),
    service: fc.constantFrom('', 'E2U+sip'),
    regex: fc.constantFrom('', '!^.*$!sip:info@example.cl!'),
    replacement: fc.oneof(host, fc.constant('.')),
  }),
  NS: fc.record({ target: host }),
  OPENPGPKEY: fc.record({ publicKey: base64 }),
  PTR: fc.record({ target: host }),
  SMIMEA: certificate,
  SRV: fc.record({ priority: word, weight: word, port: word, target: host }),
  SSHFP: fc.record({ algorithm: byte, type: byte, fingerprint: hex }),
  SVCB: service,
  TLSA: certificate,
  TXT: fc.record({ text }),
  URI: fc.record({ priority: word, weight: word, target: fc.webUrl() }),
};

export function valueOf(type: RecordType): fc.Arbitrary<KnownValue> {
  return DATA[type].map((data) => parseData(type, data, `a ${type} record`, ZONE));
}

export const anyValue: fc.Arbitrary<KnownValue> = fc.constantFrom(...RECORD_TYPES).chain(valueOf);

/** Few names, types and addresses, so that records meet each other. */
const name = fc.constantFrom(
  ZONE,
  `www.${ZONE}`,
  `*.${ZONE}`,
  `a.b.${ZONE}`,
  `mail.${ZONE}`,
  `_sip._tcp.${ZONE}`,
  `x.${ZONE}`,
);
const comment = fc.constantFrom('', 'made by Terraform', 'with cf_tags=x inside', 'two\nlines', '  blanks ');

const crowdedValue = (types: readonly RecordType[]): fc.Arbitrary<KnownValue> =>
  fc.oneof(
    {
      weight: 3,
      arbitrary: fc.constantFrom('A', 'AAAA', 'TXT', 'MX', 'CNAME').chain((type) => valueOf(type as RecordType)),
    },
    {
      weight: 2,
      arbitrary: fc
        .constantFrom('203.0.113.1', '203.0.113.2', '203.0.113.3')
        .map((address): KnownValue => ({ type: 'A', data: { address } })),
    },
    { weight: 1, arbitrary: fc.constantFrom(...types).chain(valueOf) },
  );

function tidy<R extends { readonly name: string; readonly value: KnownValue }>(records: readonly R[]): R[] {
  const seen = new Set<string>();
  const alias = new Map<string, boolean>();
  return records.filter(({ name: owner, value }) => {
    const key = `${owner} ${value.type} ${writeRdata(value)}`;
    const isAlias = value.type === 'CNAME';
    if (seen.has(key) || (alias.has(owner) && (isAlias || alias.get(owner) === true))) return false;
    const isSpf = value.type === 'TXT' && value.data.text.startsWith('v=spf1');
    if (isSpf && seen.has(`${owner} spf`)) return false;
    if (value.type === 'SRV' && !owner.startsWith('_sip')) return false;
    if (value.type === 'TLSA' || (owner === ZONE && ['NS', 'DS', 'CNAME'].includes(value.type))) return false;
    if (isAlias && (value.data.target === owner || owner === ZONE)) return false;
    seen.add(key);
    if (isSpf) seen.add(`${owner} spf`);
    alias.set(owner, isAlias);
    return true;
  });
}

function oneTtlEachSet<R extends { readonly name: string; readonly value: KnownValue; readonly ttl?: number }>(
  records: readonly R[],
): R[] {
  const ttls = new Map<string, number | undefined>();
  return records.map((record) => {
    const key = `${record.name} ${record.value.type}`;
    if (!ttls.has(key)) ttls.set(key, record.ttl);
    const { ttl: _, ...rest } = record;
    const ttl = ttls.get(key);
    return (ttl === undefined ? rest : { ...rest, ttl }) as R;
  });
}

export function desiredRecords(capabilities: Capabilities): fc.Arbitrary<DesiredRecord[]> {
  const record = fc.record(
    {
      name,
      value: crowdedValue(capabilities.types),
      ttl: fc.constantFrom(...(capabilities.ttl.auto ? [1, 60, 300] : [60, 300])),
      ...(capabilities.comments ? { comment } : {}),
      ...(capabilities.tags ? { tags: fc.constantFrom([], ['team:dns'], ['a,b', 'c d']) } : {}),
      ...(capabilities.settings ? { settings: fc.constantFrom({}, { ipv4_only: true }) } : {}),
    },
    { requiredKeys: ['name', 'value'] },
  ) as fc.Arbitrary<DesiredRecord>;
  return fc
    .array(record, { maxLength: 12 })
    .map((records) => (capabilities.ttl.each === 'set' ? oneTtlEachSet(tidy(records)) : tidy(records)));
}

/** A zone in which some records are ours, some another's, most nobody's. */
export function zones(capabilities: Capabilities): fc.Arbitrary<RecordFields[]> {
  const record = fc.record({
    name,
    value: crowdedValue(capabilities.types),
    ttl: capabilities.ttl.auto ? fc.constantFrom(1, 60, 300) : fc.constantFrom(60, 300),
    proxied: fc.boolean(),
    comment,
    tags: capabilities.tags ? fc.constantFrom([], ['team:dns'], ['a,b', 'c d']) : fc.constant([]),
    settings: capabilities.settings ? fc.constantFrom({}, { ipv4_only: true }) : fc.constant({}),
    owner: fc.constantFrom(US, US, 'another', undefined, undefined),
  });
  return fc.array(record, { maxLength: 25 }).map((drawn) => {
    const records = capabilities.ttl.each === 'set' ? oneTtlEachSet(tidy(drawn)) : tidy(drawn);
    return records.flatMap(({ owner, ...fields }): RecordFields[] => {
      const proxied = capabilities.proxied && fields.proxied && fields.value.type === 'CNAME';
      const shown = { ...fields, proxied, ttl: proxied ? 1 : fields.ttl };
      if (capabilities.comments) {
        return [{ ...shown, comment: owner === undefined ? fields.comment : writeComment(owner, fields.comment) }];
      }
      const plain = { ...shown, comment: '' };
      if (owner === undefined) return [plain];
      const value: KnownValue = { type: 'TXT', data: { text: claimText(owner, plain) } };
      return [plain, { ...plain, name: claimName(plain.name), value, proxied: false, ttl: 3600 }];
    });
  });
}

export const selectors: fc.Arbitrary<string[]> = fc.array(name, { maxLength: 3 });

export const EVERY_NAME = [
  ZONE,
  `www.${ZONE}`,
  `*.${ZONE}`,
  `a.b.${ZONE}`,
  `mail.${ZONE}`,
  `_sip._tcp.${ZONE}`,
  `x.${ZONE}`,
];

export function describeFields(record: RecordFields): string {
  return `${record.name} ${typeOf(record.value)} ${writeRdata(record.value)} ${record.ttl} ${record.proxied} ${record.comment}`;
}

export function isOursOrClaim({ comment: shown, name: owner }: RecordFields): boolean {
  return shown.startsWith(`managed-by=selfhost owner=${US}`) || isClaimName(owner);
}
