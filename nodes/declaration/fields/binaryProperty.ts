import { missing, shown } from '../field';
import type { Field, FieldFacts } from '../field';
import { textFrom } from './text';

export interface BinaryPropertyFacts extends FieldFacts {
  readonly default?: string;
}

/** The name of the item's binary field to read from or write to; the content itself comes from `binary` in `run`. */
export function binaryProperty(facts: BinaryPropertyFacts = {}): Field<string> {
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'name of a binary field',
    form: {
      type: 'string',
      default: facts.default ?? 'data',
      required: true,
      ...shown({ ...facts, hint: facts.hint ?? 'The name of the binary field of the item' }),
    },
    read: (raw, place) => {
      const name = textFrom(raw, place).trim();
      if (name === '') throw missing(place);
      return name;
    },
  };
}
