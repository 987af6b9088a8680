import { checkName, refuseCharacters, type Entry } from './entry';

const FORMAT = 'an environment file of systemd';

/**
 * For EnvironmentFile= of a unit, which is no shell: `export` is no name there, and quotes cannot follow each other.
 * Between double quotes \ " $ ` are escaped, and a line end is itself. systemd leaves out, with a line in its log only,
 * what holds other control characters or what is no character.
 */
export function renderSystemd(entries: readonly Entry[]): string {
  return entries
    .map((entry) => {
      checkName(entry.key, FORMAT);
      refuseCharacters(
        entry,
        FORMAT,
        /[^\P{Cc}\t\n\u0080-\u009f]|\p{Noncharacter_Code_Point}/u,
        'a control character or what is no character, which systemd leaves out',
        'Store it encoded, for example in base64, or have the service read a file.',
      );
      return `${entry.key}="${entry.value.replace(/[\\"$`]/g, '\\$&')}"\n`;
    })
    .join('');
}

/** Only what `renderSystemd` writes. */
export function readSystemd(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  const line = /([A-Za-z_][A-Za-z0-9_]*)="((?:[^\\"]|\\[\\"$`])*)"\n/y;
  while (line.lastIndex < text.length) {
    const match = line.exec(text);
    if (match?.[1] === undefined || match[2] === undefined) return undefined;
    found.set(match[1], match[2].replace(/\\([^])/g, '$1'));
  }
  return found;
}
