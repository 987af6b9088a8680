import {
  base64,
  hex,
  host,
  ipv4,
  ipv6,
  longString,
  longText,
  metres,
  oneOf,
  parameters,
  sexagesimal,
  string,
  tag,
  whole,
  type Kind,
} from './kinds';

const byte = whole(255);
const word = whole(65535);
const service = { priority: word, target: host('a name or none'), value: parameters };
const certificate = { usage: byte, selector: byte, matchingType: byte, certificate: hex };

/**
 * The record types, each with its fields in the order of the zone file. Everything that is done to a type follows from
 * its line here. The fields are called as in Cloudflare's API, in camel case.
 */
export const LAYOUTS = {
  A: { address: ipv4 },
  AAAA: { address: ipv6 },
  CAA: { flags: whole(255, 0), tag, value: longString },
  CERT: { type: word, keyTag: word, algorithm: byte, certificate: base64 },
  CNAME: { target: host('a name') },
  DNSKEY: { flags: word, protocol: byte, algorithm: byte, publicKey: base64 },
  DS: { keyTag: word, algorithm: byte, digestType: byte, digest: hex },
  HTTPS: service,
  LOC: {
    latDegrees: whole(90),
    latMinutes: sexagesimal(59, 0),
    latSeconds: sexagesimal(59.999, 3),
    latDirection: oneOf('N', 'S'),
    longDegrees: whole(180),
    longMinutes: sexagesimal(59, 0),
    longSeconds: sexagesimal(59.999, 3),
    longDirection: oneOf('E', 'W'),
    altitude: metres(-100000, 42849672.95, 0),
    size: metres(0, 90000000, 1),
    precisionHorz: metres(0, 90000000, 10000),
    precisionVert: metres(0, 90000000, 10),
  },
  MX: { priority: word, target: host('a name or none') },
  NAPTR: {
    order: word,
    preference: word,
    flags: string((value) => value.toUpperCase()),
    service: string(),
    regex: string(),
    replacement: host('a name or none'),
  },
  NS: { target: host('a name') },
  OPENPGPKEY: { publicKey: base64 },
  PTR: { target: host('a name') },
  SMIMEA: certificate,
  SRV: { priority: word, weight: whole(65535, 0), port: word, target: host('a name or none') },
  SSHFP: { algorithm: byte, type: byte, fingerprint: hex },
  SVCB: service,
  TLSA: certificate,
  TXT: { text: longText },
  URI: { priority: word, weight: whole(65535, 0), target: longString },
} as const;

export type RecordType = keyof typeof LAYOUTS;

type Held<K> = K extends Kind<infer V> ? V : never;
export type DataOf<T extends RecordType> = { readonly [F in keyof (typeof LAYOUTS)[T]]: Held<(typeof LAYOUTS)[T][F]> };

export const RECORD_TYPES = Object.keys(LAYOUTS) as readonly RecordType[];

export function isRecordType(type: string): type is RecordType {
  return Object.hasOwn(LAYOUTS, type);
}
