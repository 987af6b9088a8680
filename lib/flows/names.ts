import type { Json } from '../json';

/** What nodes are called elsewhere: from the name here to the name there. */
export type Names = ReadonlyMap<string, string>;

/** The ways in which an expression names a node. */
const NAMED = /\$(?:\((["'])((?:\\.|(?!\1)[^\\])*)\1\)|node\[(["'])((?:\\.|(?!\3)[^\\])*)\3\])/g;

/** The same value, with other names in its expressions. */
export function withNames<Value extends Json>(value: Value, names: Names): Value {
  return names.size === 0 ? value : (renamed(value, names) as Value);
}

function renamed(value: Json, names: Names): Json {
  if (typeof value === 'string') return value.includes('$') ? inExpression(value, names) : value;
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((inner: Json) => renamed(inner, names));
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, renamed(inner, names)]));
}

function inExpression(text: string, names: Names): string {
  return text.replace(NAMED, (whole, quote?: string, called?: string, bracketQuote?: string, bracketed?: string) => {
    const mark = quote ?? bracketQuote ?? "'";
    const written = called ?? bracketed ?? '';
    const name = names.get(written.replace(/\\(.)/g, '$1'));
    if (name === undefined) return whole;
    const escaped = name.replace(/[\\'"]/g, (sign) => (sign === '\\' || sign === mark ? `\\${sign}` : sign));
    return whole.replace(`${mark}${written}${mark}`, () => `${mark}${escaped}${mark}`);
  });
}
