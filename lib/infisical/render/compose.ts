import { checkName, refuseCharacters, type Entry } from './entry';

const FORMAT = 'a Compose env file';
const NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

/**
 * For env_file and .env of Docker Compose 2.20 and later. Between single quotes all is as it stands, but a quote and a
 * backslash before the end are special; then double quotes are used, where \ " $ and line ends are escaped.
 */
export function renderCompose(entries: readonly Entry[]): string {
  return entries.map((entry) => `${entry.key}=${quoted(entry)}\n`).join('');
}

function quoted(entry: Entry): string {
  checkName(entry.key, FORMAT, NAME);
  refuseCharacters(
    entry,
    FORMAT,
    /\0/,
    'NUL, which no environment can hold',
    'Store it encoded, for example in base64.',
  );
  if (!/['\\\r]/.test(entry.value)) return `'${entry.value}'`;
  const escaped = entry.value
    .replace(/[\\"$]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r');
  return `"${escaped}"`;
}

/** What such a file says, by the rules Compose documents. Undefined where it is not understood. */
export function readCompose(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  let rest = text;
  while (true) {
    rest = rest.replace(/^(?:\s+|#[^\n]*)+/, '');
    if (rest === '') return found;
    const start = /^(?:export[ \t]+)?([A-Za-z0-9_.]+)[ \t]*[=:][ \t]*/.exec(rest);
    if (start?.[1] === undefined) return undefined;
    rest = rest.slice(start[0].length);
    const value = /^'((?:[^'\\]|\\[^])*)'|^"((?:[^"\\]|\\[^])*)"|^([^\n]*)/.exec(rest);
    if (value === null) return undefined;
    rest = rest.slice(value[0].length);
    found.set(start[1], meaning(value[1], value[2], value[3] ?? ''));
  }
}

function meaning(single: string | undefined, double: string | undefined, plain: string): string {
  if (single !== undefined) return single.replaceAll("\\'", "'");
  if (double !== undefined) {
    return double.replace(/\\([^])/g, (whole, character: string) => {
      if (character === 'n') return '\n';
      if (character === 'r') return '\r';
      return /[\\"$]/.test(character) ? character : whole;
    });
  }
  return plain.replace(/\s#.*$/, '').trim();
}
