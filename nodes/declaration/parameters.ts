import type { IExecuteFunctions } from 'n8n-workflow';
import { labelOf } from './field';
import type { Fields } from './field';

/**
 * Reads the input of one item through its fields. n8n's own check is skipped: it would look for the property among all
 * of them, and ours says more.
 */
export function readInput(
  execute: Pick<IExecuteFunctions, 'getNodeParameter'>,
  fields: Fields,
  itemIndex: number,
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    const { condition } = field;
    if (condition !== undefined && !condition.values.some((value) => value === values[condition.field])) {
      values[name] = undefined;
      continue;
    }
    const raw: unknown = execute.getNodeParameter(name, itemIndex, field.form.default, { skipValidation: true });
    values[name] = field.read(raw, { label: labelOf(name, field), itemIndex });
  }
  return values;
}
