import { invalid, shown } from '../field';
import type { Field, FieldFacts } from '../field';

export interface ToggleFacts extends FieldFacts {
  readonly default?: boolean;
}

/** Yes or no. n8n wants its description to begin with "Whether". */
export function toggle(facts: ToggleFacts = {}): Field<boolean> {
  return {
    ...(facts.label !== undefined && { label: facts.label }),
    kind: 'yes or no',
    form: { type: 'boolean', default: facts.default ?? false, ...shown(facts) },
    read: (raw, place) => {
      if (typeof raw === 'boolean') return raw;
      // An expression in a template gives text, and Boolean('false') is true.
      if (raw === 'true') return true;
      if (raw === 'false') return false;
      throw invalid(place, 'true or false', raw ?? '');
    },
  };
}
