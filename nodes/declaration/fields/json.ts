import { Failure, messageOf } from '../../../lib/failure';
import { invalid, isAbsent, missing, shown } from '../field';
import type { Field, FieldFacts } from '../field';

export interface JsonFacts<Value> extends FieldFacts {
  /** Checks and types what was given. It throws a Failure, or an Error whose message finishes "is not usable: …". */
  readonly parse: (value: unknown) => Value;
  readonly required?: boolean;
  /** As text, the way it stands in the form. */
  readonly default?: string;
}

/** Structured input: JSON text in the form, or any value from an expression. */
export function json<Value>(facts: JsonFacts<Value>): Field<Value> {
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'JSON',
    form: {
      type: 'json',
      default: facts.default ?? '{}',
      ...(facts.required === true && { required: true }),
      ...shown(facts),
    },
    read: (raw, place) => {
      if (isAbsent(raw) && facts.required === true) throw missing(place);
      let value: unknown = raw;
      if (typeof raw === 'string' && raw.trim() !== '') {
        try {
          value = JSON.parse(raw);
        } catch {
          // JSON.parse quotes what it read, which may be a secret.
          throw invalid(place, 'valid JSON');
        }
      }
      try {
        return facts.parse(value);
      } catch (error) {
        if (error instanceof Failure) throw error;
        const subject = `${place.label} of item ${place.itemIndex}`;
        throw new Failure({
          code: 'invalid_parameter',
          subject,
          message: `${subject} is not usable: ${messageOf(error)}`,
          nextStep: `Correct the field ${place.label}, or the expression that fills it.`,
        });
      }
    },
  };
}
