import type { Task } from '../../task';
import type { Host } from '../host';
import { ask, type FileSettings } from './ask';
import { fourDigits, isoTime, type FileFacts, type FileType } from './facts';
import type { Fields } from './fields';
import { checkPath } from './path';

export interface ListOptions extends FileSettings {
  /** How many levels down. Default 1: only what is in the directory itself. */
  readonly depth?: number;
  /** How many entries at most. Default 10 000. */
  readonly limit?: number;
}

export interface Entry extends FileFacts {
  /** Relative to the directory. Bytes that are no text are shown as U+FFFD. */
  readonly name: string;
  readonly path: string;
  /** Only where the name is no valid UTF-8: its true bytes. */
  readonly nameBase64?: string;
  readonly linkTarget?: string;
  /** A directory that could not be listed. */
  readonly unreadable?: true;
}

export interface Listing {
  readonly path: string;
  /** By name. Which ones there are is up to the host when the limit cut them. */
  readonly entries: readonly Entry[];
  /** False when anything below is missing from the entries, for whatever reason. */
  readonly complete: boolean;
  readonly cut: {
    /** There is more than the limit. */
    readonly byLimit: boolean;
    /** Directories at the deepest level, which were not looked into although levels were asked for. */
    readonly byDepth: number;
    /** Directories that the user may not list. */
    readonly forbidden: number;
    /** Other errors of the host while listing. */
    readonly errors: number;
  };
}

const FIELDS_OF_ENTRY = 9;

// find writes one NUL-terminated field each; the last one is the depth of the entry, with ! where it may not be listed.
const LIST = `
path=$1 depth=$2 limit=$3
home
look "$path" -L
((\${#facts[@]} > 0)) || failed missing
[ "\${facts[0]}" = directory ] || failed not_directory
[ -r "$path" ] && [ -x "$path" ] || { echo ': Permission denied' >&2; broke find; }
printf 'ok\\0'
find "\${path%/}/" -mindepth 1 -maxdepth "$depth" -ignore_readdir_race \\
  -printf '%P\\0%y\\0%s\\0%m\\0%u\\0%g\\0%T@\\0%l\\0' \\
  '(' -type d '(' '!' -readable -o '!' -executable ')' -printf '!%d\\0' -o -printf '%d\\0' ')' |
  head -z -n "$((limit * ${FIELDS_OF_ENTRY}))"
case \${PIPESTATUS[0]} in 0) ;; 141 | 143) ;; *) echo 'selfhost: errors' >&2 ;; esac
`;

/** What is in a directory. Names of any kind are safe; links are told, not followed (but the directory may be one). */
export async function listDirectory(host: Host, path: string, options: ListOptions, task: Task): Promise<Listing> {
  const depth = Math.max(1, Math.floor(options.depth ?? 1));
  const limit = Math.max(1, Math.floor(options.limit ?? 10_000));
  const checked = checkPath(host, path);
  const { fields, stderr } = await ask(
    {
      ...options,
      host,
      path: checked,
      done: 'listed',
      script: LIST,
      arguments: [String(depth), String(limit + 1)],
    },
    task,
  );
  const found: Found[] = [];
  while (!fields.done()) found.push(readEntry(fields, checked));
  const kept = found.slice(0, limit);
  const forbidden = kept.filter(({ entry, level }) => entry.unreadable === true && level < depth).length;
  const cut = {
    byLimit: found.length > limit,
    byDepth: depth === 1 ? 0 : kept.filter(({ entry, level }) => entry.type === 'directory' && level === depth).length,
    forbidden,
    errors: stderr.includes('selfhost: errors') && forbidden === 0 ? 1 : 0,
  };
  return {
    path: checked,
    entries: kept.map(({ entry }) => entry).sort(byName),
    complete: !cut.byLimit && cut.byDepth + cut.forbidden + cut.errors === 0,
    cut,
  };
}

interface Found {
  readonly entry: Entry;
  readonly level: number;
}

function readEntry(fields: Fields, directory: string): Found {
  const raw = fields.bytes();
  const name = raw.toString();
  const type = typeOf(fields.text());
  const [size, mode, owner, group, modified] = [
    fields.text(),
    fields.text(),
    fields.text(),
    fields.text(),
    fields.text(),
  ];
  const linkTarget = fields.text();
  const level = fields.text();
  return {
    level: Number(level.replace('!', '')),
    entry: {
      name,
      path: directory.endsWith('/') ? `${directory}${name}` : `${directory}/${name}`,
      ...(Buffer.from(name).equals(raw) ? {} : { nameBase64: raw.toString('base64') }),
      type,
      size: Number(size),
      mode: fourDigits(mode),
      owner,
      group,
      modifiedAt: isoTime(modified),
      ...(type === 'link' && { linkTarget }),
      ...(level.startsWith('!') && { unreadable: true as const }),
    },
  };
}

function byName(one: Entry, other: Entry): number {
  return one.name < other.name ? -1 : one.name > other.name ? 1 : 0;
}

function typeOf(letter: string): FileType {
  switch (letter) {
    case 'f':
      return 'file';
    case 'd':
      return 'directory';
    case 'l':
      return 'link';
    case 's':
      return 'socket';
    case 'p':
      return 'fifo';
    case 'b':
      return 'block device';
    case 'c':
      return 'character device';
    default:
      return 'other';
  }
}
