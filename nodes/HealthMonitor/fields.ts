import { json, text } from '../declaration';

export const targetsField = json({
  label: 'Targets',
  required: true,
  default: '[{"name": "photos.kua.cl", "kind": "http", "url": "https://photos.kua.cl/"}]',
  parse: (value) => value,
  description: 'One target or a list of them, for example from an inventory by an expression',
});

export const watchField = text({
  label: 'Watch',
  required: true,
  default: 'watch',
  pattern: { matches: /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,79}$/u, says: 'a name of letters, digits, spaces and .-_' },
  description: 'Name under which a Health Monitor Trigger remembers what it has seen',
});
