import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { Failure } from '../failure';
import { quoted } from './invalid';

/*
 * A name is kept in one form everywhere: absolute, lower case, international labels in their xn-- form, without the
 * trailing dot. The root is `.`.
 */

const LABEL = /^[a-z0-9_/-]{1,63}$/u;
const LONGEST_NAME = 253;
/** Ends that a relative name practically never has: a name ending so was meant to be absolute. */
const PUBLIC_ENDS = new Set(['com', 'net', 'org']);

/** A zone's name, as it was typed. */
export function zoneName(input: string): string {
  const name = absolute(input, `zone ${quoted(input)}`);
  if (name === '.' || name.startsWith('*')) throw nameFailure(`zone ${quoted(input)}`, 'is no zone of yours');
  return name;
}

/** The owner name of a record: `@`, `www`, `www.kua.cl` or `www.kua.cl.`; it has to lie in the zone. */
export function ownerName(input: string, zone: string): string {
  const subject = `name ${quoted(input)}`;
  const typed = input.trim();
  if (typed === '@') return zone;
  if (typed === '') throw nameFailure(subject, 'is empty', 'Write @ for the zone itself.');
  const name = absolute(typed, subject);
  if (isInZone(name, zone)) return name;
  const end = name.slice(name.lastIndexOf('.') + 1);
  const looksAbsolute = name.includes('.') && (PUBLIC_ENDS.has(end) || end === zone.slice(zone.lastIndexOf('.') + 1));
  if (typed.endsWith('.') || looksAbsolute) {
    throw nameFailure(
      subject,
      `is outside the zone ${zone}`,
      `Send it to its own zone, or write it in full: ${name}.${zone}`,
    );
  }
  return absolute(`${name}.${zone}`, subject);
}

/** A name that a record points at. It is absolute with or without a trailing dot; `@` is the zone itself. */
export function targetName(input: string, zone: string): string {
  const subject = `target ${quoted(input)}`;
  const typed = input.trim();
  if (typed === '@') return zone;
  if (isIP(typed.replace(/\.$/u, '')) !== 0) {
    throw nameFailure(subject, 'is an address, where a name has to stand', 'Use an A or AAAA record for the address.');
  }
  return absolute(typed, subject);
}

export function isInZone(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

/** `@`, `www`, `*.dev`: the name as the zone sees it. */
export function relativeName(name: string, zone: string): string {
  if (name === zone) return '@';
  return name.endsWith(`.${zone}`) ? name.slice(0, -zone.length - 1) : name;
}

/** The longest of the zones that a name lies in. */
export function zoneOf(name: string, zones: readonly string[]): string | undefined {
  return zones.filter((zone) => isInZone(name, zone)).sort((a, b) => b.length - a.length)[0];
}

/** The order of a tidy zone file: a name before the names below it. */
export function compareNames(a: string, b: string): number {
  if (a === b) return 0;
  const left = a.split('.').reverse();
  const right = b.split('.').reverse();
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const order = compareText(left[index] ?? '', right[index] ?? '');
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** By code units: the same on every machine, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function absolute(input: string, subject: string): string {
  const typed = input.trim();
  if (typed === '.') return '.';
  const labels = typed.replace(/\.$/u, '').split('.').map(toAscii);
  for (const [index, label] of labels.entries()) {
    if (label === '*' && index === 0) continue;
    if (label === '*' || label.includes('*')) {
      throw nameFailure(subject, 'has a * that is not its whole first label', 'Write a wildcard as *.name.');
    }
    if (label === '') throw nameFailure(subject, 'has an empty label');
    if (label.length > 63) throw nameFailure(subject, 'has a label of more than 63 characters');
    if (!LABEL.test(label)) throw nameFailure(subject, `has the label ${quoted(label)}, which no name may have`);
  }
  const name = labels.join('.');
  if (name.length > LONGEST_NAME) throw nameFailure(subject, `is ${name.length} characters long; ${LONGEST_NAME} fit`);
  return name;
}

/** Label by label, because the whole name would be taken for an address when it ends in a number. */
function toAscii(label: string): string {
  return /^\p{ASCII}*$/u.test(label) ? label.toLowerCase() : domainToASCII(label) || label;
}

function nameFailure(subject: string, what: string, nextStep?: string): Failure {
  return new Failure({
    code: 'dns_name_invalid',
    subject,
    message: `The ${subject} ${what}`,
    nextStep: nextStep ?? 'Correct the name; nothing was sent.',
  });
}
