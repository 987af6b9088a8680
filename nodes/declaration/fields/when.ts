import type { Condition, Field } from '../field';

/**
 * A field that is only there while another field of the same operation has one of these values; otherwise the form
 * hides it and its value is undefined.
 */
export function when<Value>(
  field: string,
  values: Condition['values'],
  conditional: Field<Value>,
): Field<Value | undefined> {
  return { ...conditional, condition: { field, values } };
}
