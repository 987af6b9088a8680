import { checkName, refuseCharacters, type Entry } from './entry';

const FORMAT = 'a Docker env file';
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/** For docker run --env-file: all behind the first = is the value, quotes included, up to the end of the line. */
export function renderDocker(entries: readonly Entry[]): string {
  return entries
    .map((entry) => {
      checkName(entry.key, FORMAT, NAME);
      refuseCharacters(
        entry,
        FORMAT,
        /[\0\r\n]/,
        'a line end, which the format cannot hold',
        'Use env_file of Docker Compose with the Compose format, or store the value in base64.',
      );
      return `${entry.key}=${entry.value}\n`;
    })
    .join('');
}

export function readDocker(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  for (const line of text.split('\n')) {
    const plain = line.replace(/^[ \t]+/, '').replace(/\r$/, '');
    if (plain === '' || plain.startsWith('#')) continue;
    const at = plain.indexOf('=');
    if (at < 1) return undefined;
    found.set(plain.slice(0, at), plain.slice(at + 1));
  }
  return found;
}
