import { invalid, shown } from '../field';
import type { Field, FieldFacts } from '../field';
import { textFrom } from './text';

export interface ColorFacts extends FieldFacts {
  /** Such as `#00aabb`. */
  readonly default: string;
}

/** A colour, in small letters; n8n offers a palette to choose it from. */
export function color(facts: ColorFacts): Field<string> {
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'a colour such as #00aabb',
    form: { type: 'color', default: facts.default, ...shown(facts) },
    read: (raw, place) => {
      const value = textFrom(raw, place).trim().toLowerCase();
      if (!/^#[0-9a-f]{6}$/.test(value)) throw invalid(place, 'a colour such as #00aabb', value);
      return value;
    },
  };
}
