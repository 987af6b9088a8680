import { isAbsent, missing, shown } from '../field';
import type { Field, FieldFacts } from '../field';
import { textFrom } from './text';

export interface ListFacts extends FieldFacts {
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly default?: readonly string[];
  /** Keep white space and empty lines: for command arguments, where each of them means something. */
  readonly verbatim?: boolean;
}

/** Several texts: one per line in the form, or a list from an expression. */
export function list(facts: ListFacts = {}): Field<readonly string[]> {
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'list of texts',
    form: {
      type: 'string',
      default: (facts.default ?? []).join('\n'),
      typeOptions: { rows: 3 },
      ...(facts.required === true && { required: true }),
      ...(facts.placeholder !== undefined && { placeholder: facts.placeholder }),
      ...shown({ ...facts, hint: facts.hint ?? 'One per line, or an expression that gives a list' }),
    },
    read: (raw, place) => {
      const entries: readonly unknown[] = isAbsent(raw)
        ? []
        : Array.isArray(raw)
          ? raw
          : textFrom(raw, place).split(/\r?\n/);
      const texts = entries.map((entry) => textFrom(entry, place));
      const kept = facts.verbatim === true ? texts : texts.map((entry) => entry.trim()).filter((entry) => entry !== '');
      if (kept.length === 0 && facts.required === true) throw missing(place);
      return kept;
    },
  };
}
