import type { INodePropertyOptions } from 'n8n-workflow';
import { alphabetical } from '../alphabetical';
import { invalid, isAbsent, missing, shown } from '../field';
import type { Field, FieldFacts } from '../field';
import { textFrom } from './text';

export type ChoiceLabel = string | { readonly label: string; readonly description: string };

export interface ChoiceFacts<Value extends string> extends FieldFacts {
  /** Values, which are API once released, and how the form calls them. */
  readonly options: Readonly<Record<Value, ChoiceLabel>>;
  readonly default: NoInfer<Value>;
}

/** One of several values; the value's type is their union. */
export function choice<Value extends string>(facts: ChoiceFacts<Value>): Field<Value> {
  const options: Readonly<Record<string, ChoiceLabel>> = facts.options;
  const isOption = (value: string): value is Value => Object.hasOwn(options, value);
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: listed(options),
    form: { type: 'options', default: facts.default, options: formOptions(options), ...shown(facts) },
    read: (raw, place) => {
      if (isAbsent(raw)) throw missing(place);
      if (typeof raw === 'string' && isOption(raw)) return raw;
      throw invalid(place, listed(options), raw);
    },
  };
}

export interface ChoicesFacts<Value extends string> extends FieldFacts {
  readonly options: Readonly<Record<Value, ChoiceLabel>>;
  readonly default?: readonly NoInfer<Value>[];
}

/** Any number of several values, each once. */
export function choices<Value extends string>(facts: ChoicesFacts<Value>): Field<readonly Value[]> {
  const options: Readonly<Record<string, ChoiceLabel>> = facts.options;
  const isOption = (value: unknown): value is Value => typeof value === 'string' && Object.hasOwn(options, value);
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: `any of ${Object.keys(options).join(', ')}`,
    form: { type: 'multiOptions', default: [...(facts.default ?? [])], options: formOptions(options), ...shown(facts) },
    read: (raw, place) => {
      if (isAbsent(raw)) return [];
      const values: readonly unknown[] = Array.isArray(raw) ? raw : textFrom(raw, place).split(/\s*,\s*/);
      return [...new Set(values)].map((value) => {
        if (isOption(value)) return value;
        throw invalid(place, `any of ${Object.keys(options).join(', ')}`, value);
      });
    },
  };
}

function listed(options: Readonly<Record<string, ChoiceLabel>>): string {
  const values = Object.keys(options);
  return values.length === 1 ? `${values[0]}` : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

// From five on, n8n wants them in alphabetical order; below that the order of the declaration says more.
function formOptions(options: Readonly<Record<string, ChoiceLabel>>): INodePropertyOptions[] {
  const rendered = Object.entries(options).map(([value, label]) =>
    typeof label === 'string' ? { name: label, value } : { name: label.label, value, description: label.description },
  );
  return rendered.length < 5 ? rendered : rendered.sort((a, b) => alphabetical(a.name, b.name));
}
