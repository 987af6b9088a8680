import { refuseValue } from './envelope';

type Data = Readonly<Record<string, unknown>>;

/** Structured types: their fields in the order of a zone file. What has no text form of its own is written as it is. */
const layouts: Readonly<Record<string, readonly string[]>> = {
  CAA: ['flags', 'tag', 'value'],
  CERT: ['type', 'key_tag', 'algorithm', 'certificate'],
  DNSKEY: ['flags', 'protocol', 'algorithm', 'public_key'],
  DS: ['key_tag', 'algorithm', 'digest_type', 'digest'],
  HTTPS: ['priority', 'target', 'value'],
  LOC: [
    ...['lat_degrees', 'lat_minutes', 'lat_seconds', 'lat_direction'],
    ...['long_degrees', 'long_minutes', 'long_seconds', 'long_direction'],
    ...['altitude', 'size', 'precision_horz', 'precision_vert'],
  ],
  NAPTR: ['order', 'preference', 'flags', 'service', 'regex', 'replacement'],
  SMIMEA: ['usage', 'selector', 'matching_type', 'certificate'],
  SRV: ['priority', 'weight', 'port', 'target'],
  SSHFP: ['algorithm', 'type', 'fingerprint'],
  SVCB: ['priority', 'target', 'value'],
  TLSA: ['usage', 'selector', 'matching_type', 'certificate'],
  URI: ['priority', 'weight', 'target'],
};

const quoted: Readonly<Record<string, readonly string[]>> = {
  CAA: ['value'],
  NAPTR: ['flags', 'service', 'regex'],
  URI: ['target'],
};
const metres = new Set(['altitude', 'size', 'precision_horz', 'precision_vert']);

export const plainTypes = ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'OPENPGPKEY', 'PTR', 'TXT'];
export const types = [...plainTypes, ...Object.keys(layouts)].sort();
/** Types whose priority stands outside of their data too. */
export const withPriority = ['MX', 'SRV', 'URI'];

export function isStructured(type: string): boolean {
  return type in layouts;
}

/** What Cloudflare shows as content of a structured record: the zone-file form, without a priority that stands beside. */
export function contentOf(type: string, data: Data): string {
  const fields = (layouts[type] ?? []).filter((field) => field !== 'priority' || !withPriority.includes(type));
  return (
    fields
      // What may be empty has quotation marks.
      .filter((field) => data[field] !== undefined && (data[field] !== '' || quoted[type]?.includes(field) === true))
      .map((field) => {
        const value = data[field];
        const text = typeof value === 'number' ? String(value) : typeof value === 'string' ? value : '';
        if (quoted[type]?.includes(field) === true) return `"${text}"`;
        return metres.has(field) ? `${text}m` : text;
      })
      .join(' ')
  );
}

const textual = new Set([
  ...['tag', 'target', 'value', 'replacement', 'flags NAPTR', 'service', 'regex'],
  ...['digest', 'certificate', 'fingerprint', 'public_key', 'lat_direction', 'long_direction'],
]);

/** The other way round, for imported zone files. */
export function dataOf(type: string, tokens: readonly string[]): Data {
  const fields = layouts[type] ?? [];
  const last = fields.length - 1;
  return Object.fromEntries<unknown>(
    fields.map((field, index) => {
      const text = index === last ? tokens.slice(index).join(' ') : (tokens[index] ?? '');
      if (quoted[type]?.includes(field) === true) return [field, unquote(text)];
      if (textual.has(field) || textual.has(`${field} ${type}`)) return [field, text];
      return [field, Number(text.replace(/m$/, ''))];
    }),
  );
}

export function unquote(text: string): string {
  const strings = [...text.matchAll(/"((?:\\.|[^"\\])*)"/g)].map(([, inner]) => (inner ?? '').replace(/\\(.)/g, '$1'));
  return strings.length === 0 ? text : strings.join('');
}

const hostname =
  /^(?=.{1,253}\.?$)(\*\.)?([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.?$/i;

export function isHostname(text: string): boolean {
  return hostname.test(text);
}

/** Content as it is kept: checked, and in one form. */
export function normalContent(type: string, content: string): string {
  switch (type) {
    case 'A':
      if (!/^(\d{1,3}\.){3}\d{1,3}$/.test(content) || content.split('.').some((part) => Number(part) > 255)) {
        refuseValue(9005, 'Content for A record must be a valid IPv4 address.');
      }
      return content;
    case 'AAAA':
      if (!content.includes(':') || !URL.canParse(`http://[${content}]/`)) {
        refuseValue(9006, 'Content for AAAA record must be a valid IPv6 address.');
      }
      return new URL(`http://[${content}]/`).hostname.slice(1, -1);
    case 'CNAME':
    case 'NS':
    case 'PTR':
    case 'MX':
      if (!isHostname(content) && content !== '.') refuseValue(9007, `Content for ${type} record is invalid.`);
      return content.replace(/(.)\.$/, '$1').toLowerCase();
    default:
      if (content === '') refuseValue(9207, 'Content is required.');
      return content;
  }
}
