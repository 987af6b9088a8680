import { LONE_SURROGATE } from '../canonical-json';
import { Failure } from '../failure';

const LONGEST = 500;
const DOMAIN = /^[a-z][a-z0-9-]*$/;
// Control characters, and the two that some programs take for line ends.
const UNSPEAKABLE = /[\p{Cc}\u2028\u2029]/u;

/** Keys are `domain/name`, with as many further names as wanted. */
export function checkKey(key: string): void {
  const [domain = '', ...names] = key.split('/');
  if (!DOMAIN.test(domain)) throw badKey(key, 'it must begin with a domain: lower-case letters, digits and dashes');
  if (names.length === 0) throw badKey(key, 'a name must follow the domain, as in domain/name');
  if (names.includes('')) throw badKey(key, 'one of its names is empty');
  checkText(key);
}

/** A prefix is the beginning of keys, at least their whole domain. */
export function checkPrefix(prefix: string): void {
  const slash = prefix.indexOf('/');
  if (slash < 0 || !DOMAIN.test(prefix.slice(0, slash))) throw badKey(prefix, 'a list needs a domain, as in domain/');
  if (prefix.includes('//')) throw badKey(prefix, 'one of its names is empty');
  checkText(prefix);
}

function checkText(key: string): void {
  if (key.length > LONGEST) throw badKey(key, `it has ${key.length} characters, and ${LONGEST} are allowed`);
  if (UNSPEAKABLE.test(key)) throw badKey(key, 'it holds a control character');
  if (LONE_SURROGATE.test(key)) throw badKey(key, 'it holds half a character (a lone surrogate)');
}

/** The order of the UTF-8 bytes, which is also that of PostgreSQL's collation C. */
export function compareKeys(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function badKey(key: string, why: string): Failure {
  const shown = JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key);
  return new Failure({
    code: 'state_key_invalid',
    subject: `state key ${shown}`,
    message: `${shown} cannot be a state key: ${why}`,
    nextStep: 'Use a key like incident/bruno/disk.',
  });
}
