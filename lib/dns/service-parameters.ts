import { readText, writeText } from './character-string';

/** The parameters that have names (RFC 9460), by their numbers; all others are written keyN. */
const KEYS = ['mandatory', 'alpn', 'no-default-alpn', 'port', 'ipv4hint', 'ech', 'ipv6hint'];

/** The parameters of an SVCB or HTTPS record in one form: sorted by number, values quoted. Undefined when malformed. */
export function canonicalParameters(tokens: readonly string[]): string | undefined {
  const byNumber = new Map<number, string>();
  for (const token of tokens) {
    const equals = token.indexOf('=');
    const number = keyNumber((equals === -1 ? token : token.slice(0, equals)).toLowerCase());
    if (number === undefined || byNumber.has(number)) return undefined;
    const key = KEYS[number] ?? `key${number}`;
    if (equals === -1) {
      byNumber.set(number, key);
      continue;
    }
    const value = readText([token.slice(equals + 1)]);
    if (value === undefined || value.length > 255) return undefined;
    byNumber.set(number, `${key}=${writeText(value)}`);
  }
  return [...byNumber]
    .sort(([a], [b]) => a - b)
    .map(([, parameter]) => parameter)
    .join(' ');
}

function keyNumber(key: string): number | undefined {
  const known = KEYS.indexOf(key);
  if (known !== -1) return known;
  const digits = /^key([0-9]{1,5})$/u.exec(key)?.[1];
  return digits === undefined || Number(digits) > 65535 ? undefined : Number(digits);
}
