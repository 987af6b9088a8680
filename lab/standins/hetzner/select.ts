import type { Thing } from './state';

/** `env=prod`, `env!=prod`, `env`, `!env`, joined by commas. */
export function matchesSelector(thing: Thing, selector: string): boolean {
  const labels = (thing['labels'] ?? {}) as Readonly<Record<string, string>>;
  return selector.split(',').every((part) => {
    const [, key = '', not, value] = /^\s*([^=!\s]+)\s*(!)?==?\s*(\S*)\s*$/.exec(part) ?? [];
    if (key !== '') return (labels[key] === value) !== (not === '!');
    const name = part.trim();
    return name.startsWith('!') ? !(name.slice(1) in labels) : name in labels;
  });
}

const plainFilters = ['name', 'type', 'status', 'architecture', 'mode', 'ip', 'fingerprint', 'username'];

export function filtered(things: readonly Thing[], query: URLSearchParams): readonly Thing[] {
  const selector = query.get('label_selector');
  const automatic = query.get('is_automatic');
  return things.filter((thing) => {
    if (selector !== null && !matchesSelector(thing, selector)) return false;
    if (automatic !== null && String(thing['is_automatic']) !== automatic) return false;
    return plainFilters.every((name) => {
      const wanted = query.getAll(name);
      return wanted.length === 0 || wanted.includes(String(thing[name]));
    });
  });
}

export function sorted(things: readonly Thing[], query: URLSearchParams): readonly Thing[] {
  const [by = '', direction = 'asc'] = (query.get('sort') ?? '').split(':');
  if (by === '') return things;
  const sign = direction === 'desc' ? -1 : 1;
  return [...things].sort((one, other) => {
    const [a, b] = [one[by], other[by]];
    if (typeof a === 'number' && typeof b === 'number') return sign * (a - b);
    return sign * String(a).localeCompare(String(b));
  });
}
