import type { INodeProperties } from 'n8n-workflow';
import { isObject } from '../../../lib/json';
import { alphabetical } from '../alphabetical';
import { invalid, isAbsent, labelOf, shown } from '../field';
import type { Field, FieldFacts, Fields, ValuesOf } from '../field';

export interface OptionalFacts extends FieldFacts {
  /** Text of the button. Default: `Add Option`. */
  readonly add?: string;
}

/** Rarely used fields behind one "Add Option" button. What was not added is absent from the value. */
export function optional<F extends Fields>(fields: F, facts: OptionalFacts = {}): Field<Partial<ValuesOf<F>>> {
  // n8n asks for a required option even of operations that do not have it, and so starts none of them.
  const [needed] = Object.entries(fields).find(([, { form }]) => form.required === true) ?? [];
  if (needed !== undefined) throw new Error(`The option ${needed} cannot be required: it is there when it was added`);
  const options = Object.entries(fields)
    .map(([name, field]): INodeProperties => ({ displayName: labelOf(name, field), name, ...field.form }))
    .sort((a, b) => alphabetical(a.displayName, b.displayName));
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: Object.entries(fields)
      .map(([name, field]) => `${labelOf(name, field)} (${field.kind})`)
      .join('; '),
    searches: Object.values(fields).flatMap((field) => field.searches ?? []),
    form: { type: 'collection', default: {}, placeholder: facts.add ?? 'Add Option', options, ...shown(facts) },
    read: (raw, place) => {
      if (isAbsent(raw)) return {};
      if (!isObject(raw)) throw invalid(place, 'a set of options', raw);
      const given = Object.entries(fields).filter(([name]) => raw[name] !== undefined);
      const values = given.map(([name, field]) => [
        name,
        field.read(raw[name], { ...place, label: labelOf(name, field) }),
      ]);
      return Object.fromEntries(values) as Partial<ValuesOf<F>>;
    },
  };
}
