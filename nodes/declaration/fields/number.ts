import { invalid, shown } from '../field';
import type { Field, FieldFacts } from '../field';

export interface NumberFacts extends FieldFacts {
  /** In the form before anybody typed; inside `optional`, what appears when the option is added. */
  readonly default: number;
  readonly min?: number;
  readonly max?: number;
  readonly integer?: boolean;
}

export function number(facts: NumberFacts): Field<number> {
  const kind = `${facts.integer === true ? 'a whole number' : 'a number'}${range(facts)}`;
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: kind.replace(/^a /, ''),
    form: {
      type: 'number',
      default: facts.default,
      typeOptions: {
        ...(facts.min !== undefined && { minValue: facts.min }),
        ...(facts.max !== undefined && { maxValue: facts.max }),
        ...(facts.integer === true && { numberPrecision: 0 }),
      },
      ...shown(facts),
    },
    read: (raw, place) => {
      const value = numberFrom(raw);
      const fits =
        value !== undefined &&
        (facts.integer !== true || Number.isSafeInteger(value)) &&
        (facts.min === undefined || value >= facts.min) &&
        (facts.max === undefined || value <= facts.max);
      if (!fits) throw invalid(place, kind, raw ?? '');
      return value;
    },
  };
}

// Number('') is 0 and Number('0x1f') is 31: only what a person would write as a number counts.
function numberFrom(raw: unknown): number | undefined {
  if (typeof raw === 'number') return Number.isFinite(raw) ? raw : undefined;
  if (typeof raw === 'string' && /^\s*[+-]?\d+(\.\d+)?\s*$/.test(raw)) return Number(raw);
  return undefined;
}

function range({ min, max }: NumberFacts): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}`;
  if (min !== undefined) return ` of at least ${min}`;
  if (max !== undefined) return ` of at most ${max}`;
  return '';
}
