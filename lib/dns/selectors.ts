import { Failure } from '../failure';
import { quoted } from './invalid';
import { ownerName } from './name';
import { typeOf, type RecordValue } from './value';

type Named = { readonly name: string; readonly value: RecordValue };
export type Selects = (record: Named) => boolean;

/** `www`, or `www A` for one type only: records that are named one by one. `*` is the wildcard record itself. */
export function namedRecords(selectors: readonly string[], zone: string): Selects {
  const keys = new Set(selectors.map((selector) => selectorKey(selector, zone)));
  return (record) => keys.has(record.name) || keys.has(`${record.name} ${typeOf(record.value)}`);
}

/** A pattern over names as the zone sees them: `_acme-challenge.*`, `*.dev TXT`; `*` stands for any characters. */
export function matchingRecords(patterns: readonly string[], zone: string): Selects {
  const rules = patterns.map((pattern) => {
    const [name = '', type, ...more] = pattern.trim().split(/\s+/u);
    if (name === '' || more.length > 0) throw selectorFailure(pattern);
    const absolute = name === '@' ? zone : name.replace(/\.$/u, '').toLowerCase();
    const whole = absolute === zone || absolute.endsWith(`.${zone}`) ? absolute : `${absolute}.${zone}`;
    const parts = whole.split('*').map((part) => part.replaceAll(/[.^$+?()[\]{}|\\/]/gu, '\\$&'));
    return { name: new RegExp(`^${parts.join('.*')}$`, 'u'), type: type?.toUpperCase() };
  });
  return (record) =>
    rules.some((rule) => rule.name.test(record.name) && (rule.type ?? typeOf(record.value)) === typeOf(record.value));
}

function selectorKey(selector: string, zone: string): string {
  const [name = '', type, ...more] = selector.trim().split(/\s+/u);
  if (name === '' || more.length > 0) throw selectorFailure(selector);
  const absolute = ownerName(name, zone);
  return type === undefined ? absolute : `${absolute} ${type.toUpperCase()}`;
}

function selectorFailure(selector: string): Failure {
  return new Failure({
    code: 'dns_selector_invalid',
    subject: `selector ${quoted(selector)}`,
    message: `${quoted(selector)} names no records`,
    nextStep: 'Write a name, or a name and a type: www, or www A.',
  });
}
