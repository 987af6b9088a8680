import { quotedForCompose } from '../../docker/compose/env-file';
import { checkName, refuseCharacters, type Entry } from './entry';

const FORMAT = 'a Compose env file';
const NAME = /^[A-Za-z_][A-Za-z0-9_.]*$/;

/** For env_file and .env of Docker Compose. */
export function renderCompose(entries: readonly Entry[]): string {
  return entries.map(line).join('');
}

function line(entry: Entry): string {
  checkName(entry.key, FORMAT, NAME);
  refuseCharacters(
    entry,
    FORMAT,
    /\0/,
    'NUL, which no environment can hold',
    'Store it encoded, for example in base64.',
  );
  return `${entry.key}=${quotedForCompose(entry.value)}\n`;
}
