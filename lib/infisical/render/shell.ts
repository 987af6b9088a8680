import { checkName, refuseCharacters, type Entry } from './entry';

const FORMAT = 'shell';

/** For `. file` in any POSIX shell. Between single quotes everything is itself but the quote. */
export function renderShell(entries: readonly Entry[]): string {
  return entries
    .map((entry) => {
      checkName(entry.key, FORMAT);
      refuseCharacters(entry, FORMAT, /\0/, 'NUL, which no shell can hold', 'Store it encoded, for example in base64.');
      return `export ${entry.key}='${entry.value.replaceAll("'", "'\\''")}'\n`;
    })
    .join('');
}

/** Only what `renderShell` writes: a script is not read, for it would have to be run. */
export function readShell(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  const line = /export ([A-Za-z_][A-Za-z0-9_]*)=((?:'[^']*'|\\')+)\n/y;
  while (line.lastIndex < text.length) {
    const match = line.exec(text);
    if (match?.[1] === undefined || match[2] === undefined) return undefined;
    found.set(
      match[1],
      match[2].replace(/'([^']*)'|\\'/g, (whole, inner?: string) => inner ?? whole.slice(1)),
    );
  }
  return found;
}
