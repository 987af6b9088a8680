import { cannotRender, checkName, refuseCharacters, type Entry } from './entry';

const FORMAT = 'dotenv';
const NAME = /^[A-Za-z_][A-Za-z0-9_.-]*$/;

/**
 * For Node's --env-file and the dotenv library, and what follows them. They know no escape for a quote, so a value goes
 * between quotes that it does not hold; line ends stay what they are. Single quotes come first: nothing is expanded
 * between them, by whatever reads it. Between double quotes \n would become a line end. A backslash before the last
 * quote would hide that from the library, so such a value stands without quotes.
 */
export function renderDotenv(entries: readonly Entry[]): string {
  return entries.map((entry) => `${entry.key}=${quoted(entry)}\n`).join('');
}

function quoted(entry: Entry): string {
  const { key, value } = entry;
  checkName(key, FORMAT, NAME);
  refuseCharacters(entry, FORMAT, /[\0\r]/, 'a carriage return or NUL, which its readers drop', 'Write JSON or YAML.');
  if (value.endsWith('\\')) return unquoted(entry);
  if (!value.includes("'")) return `'${value}'`;
  if (!/["\\$`]/.test(value)) return `"${value}"`;
  if (!value.includes('`')) return `\`${value}\``;
  throw cannotRender(
    key,
    FORMAT,
    'it holds both single quotes and backticks, and the format has no escapes',
    'Write it for Docker Compose or a shell, or as JSON; or take a value without one of the quotes.',
  );
}

function unquoted({ key, value }: Entry): string {
  if (!/^[\s'"`]|[#\n]/.test(value)) return value;
  throw cannotRender(
    key,
    FORMAT,
    'it ends in a backslash and holds what would need quotes, behind which the format knows no backslash',
    'Write it for Docker Compose or a shell, or as JSON.',
  );
}
