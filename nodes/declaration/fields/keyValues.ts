import { isObject } from '../../../lib/json';
import { invalid, isAbsent, shown } from '../field';
import type { Field, FieldFacts, Place } from '../field';
import { textFrom } from './text';

export interface KeyValuesFacts extends FieldFacts {
  /** How the form calls one entry. Default: `Entry`. */
  readonly entry?: string;
}

/** Names with values: a list of pairs in the form, or an object from an expression. */
export function keyValues(facts: KeyValuesFacts = {}): Field<Readonly<Record<string, string>>> {
  const entry = facts.entry ?? 'Entry';
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'names with values',
    form: {
      type: 'fixedCollection',
      typeOptions: { multipleValues: true },
      default: {},
      placeholder: `Add ${entry}`,
      options: [
        {
          name: 'pairs',
          displayName: entry,
          values: [
            { displayName: 'Name', name: 'key', type: 'string', default: '' },
            { displayName: 'Value', name: 'value', type: 'string', default: '' },
          ],
        },
      ],
      ...shown(facts),
    },
    read: (raw, place) => {
      const pairs = pairsFrom(raw, place);
      const record: Record<string, string> = Object.create(null) as Record<string, string>;
      for (const [key, value] of pairs) {
        if (key === '') throw invalid(place, 'a list of entries that all have a name');
        if (key in record) throw invalid(place, 'a list in which every name stands once', key);
        record[key] = value;
      }
      // Spread, so that the record is an ordinary object; a name like __proto__ stays an ordinary name.
      return { ...record };
    },
  };
}

function pairsFrom(raw: unknown, place: Place): readonly (readonly [string, string])[] {
  if (isAbsent(raw)) return [];
  if (typeof raw === 'string') return pairsFrom(parsed(raw, place), place);
  if (!isObject(raw)) throw invalid(place, 'an object of names and values', raw);
  if (Array.isArray(raw['pairs']) && Object.keys(raw).length === 1) {
    return raw['pairs'].map((pair: unknown) => {
      if (!isObject(pair)) throw invalid(place, 'a list of names with values', pair);
      return [textFrom(pair['key'], place).trim(), textFrom(pair['value'], place)];
    });
  }
  return Object.entries(raw).map(([key, value]) => [key, textFrom(value, place)]);
}

function parsed(raw: string, place: Place): unknown {
  try {
    const value: unknown = JSON.parse(raw);
    if (isObject(value)) return value;
  } catch {
    // The sentence below says it; the parser's own message would quote the value.
  }
  throw invalid(place, 'an object of names and values');
}
