import { stateFields } from '../shared/state';
import { text } from '../declaration';

/** Which incidents: those of one estate share a name, and every workflow that uses the name shares them. */
export const estateField = text({
  label: 'Estate',
  required: true,
  default: 'estate',
  pattern: { matches: /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,79}$/u, says: 'a name of letters, digits, spaces and .-_' },
  description: 'Name under which the incidents are kept. All workflows that use the same name share them.',
});

export const place = { estate: estateField, ...stateFields };

export const byField = text({ label: 'By', required: true, placeholder: 'daniel', description: 'Who says so' });

export const whyField = text({ label: 'Why', placeholder: 'replacing the disk' });
