import { invalid, isAbsent, missing, shown } from '../field';
import type { Field, FieldFacts, Place } from '../field';

export interface TextFacts extends FieldFacts {
  readonly required?: boolean;
  readonly placeholder?: string;
  readonly default?: string;
  readonly multiline?: boolean;
  /** Keep white space at both ends: for file contents and the like. */
  readonly noTrim?: boolean;
  /** `says` finishes the sentence "Name of item 0 must be …". */
  readonly pattern?: { readonly matches: RegExp; readonly says: string };
}

/** A line of text, or several. Empty unless required. */
export function text(facts: TextFacts = {}): Field<string> {
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: facts.pattern?.says ?? (facts.multiline === true ? 'text, several lines' : 'text'),
    form: {
      type: 'string',
      default: facts.default ?? '',
      ...(facts.required === true && { required: true }),
      ...(facts.placeholder !== undefined && { placeholder: facts.placeholder }),
      ...(facts.multiline === true && { typeOptions: { rows: 4 } }),
      ...shown(facts),
    },
    read: (raw, place) => {
      const value = textFrom(raw, place);
      const kept = facts.noTrim === true ? value : value.trim();
      if (kept === '') {
        if (facts.required === true) throw missing(place);
        return '';
      }
      if (facts.pattern !== undefined && !facts.pattern.matches.test(kept)) {
        throw invalid(place, facts.pattern.says, kept);
      }
      return kept;
    },
  };
}

/**
 * A password field. n8n stores what is typed here in the workflow, in plain: a credential or a reference is better
 * wherever one is possible, and the description says so.
 */
export function secretText(facts: Omit<TextFacts, 'pattern' | 'multiline' | 'default'> = {}): Field<string> {
  const warning = 'n8n keeps this value readable in the workflow: prefer a credential or a reference';
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'secret text',
    form: {
      type: 'string',
      typeOptions: { password: true },
      default: '',
      ...(facts.required === true && { required: true }),
      ...(facts.placeholder !== undefined && { placeholder: facts.placeholder }),
      ...shown({
        ...facts,
        description: facts.description === undefined ? warning : `${facts.description}. ${warning}.`,
      }),
    },
    read: (raw, place) => {
      const value = textFrom(raw, place);
      const kept = facts.noTrim === true ? value : value.trim();
      if (kept === '' && facts.required === true) throw missing(place);
      return kept;
    },
  };
}

/** Numbers and booleans become text; an object would become "[object Object]", so it is refused. */
export function textFrom(raw: unknown, place: Place): string {
  if (isAbsent(raw)) return '';
  if (typeof raw === 'string') return raw;
  if (typeof raw === 'number' || typeof raw === 'boolean' || typeof raw === 'bigint') return String(raw);
  throw invalid(place, 'text', raw);
}
