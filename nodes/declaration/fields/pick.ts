import { isObject } from '../../../lib/json';
import { missing, shown } from '../field';
import type { Field, FieldFacts, Search } from '../field';
import { textFrom } from './text';

export interface PickFacts extends FieldFacts {
  readonly required?: boolean;
  readonly default?: string;
  /** How the form calls the mode in which it is typed. Default: `By ID`. */
  readonly byHand?: string;
  readonly placeholder?: string;
}

/** A searchable list of what there is, or its id typed, or an expression. Empty unless required (the default). */
export function pick(search: Search, facts: PickFacts = {}): Field<string> {
  const required = facts.required ?? true;
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'picked from a list, or its ID',
    searches: [search],
    form: {
      type: 'resourceLocator',
      default: { mode: facts.default === undefined ? 'list' : 'id', value: facts.default ?? '' },
      ...(required && { required }),
      modes: [
        {
          displayName: 'From List',
          name: 'list',
          type: 'list',
          typeOptions: { searchListMethod: search.name, searchable: true },
        },
        {
          displayName: facts.byHand ?? 'By ID',
          name: 'id',
          type: 'string',
          ...(facts.placeholder !== undefined && { placeholder: facts.placeholder }),
        },
      ],
      ...shown(facts),
    },
    read: (raw, place) => {
      // An expression over the whole field gives the bare id.
      const value = textFrom(isObject(raw) && 'value' in raw ? raw['value'] : raw, place).trim();
      if (value === '' && required) throw missing(place);
      return value;
    },
  };
}

/** A list search that `pick` can show. One search may serve any number of fields. */
export function searchable(name: string, find: Search['find']): Search {
  return { name, find };
}
