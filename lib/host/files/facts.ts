import type { Fields } from './fields';

export type FileType =
  'file' | 'directory' | 'link' | 'socket' | 'fifo' | 'block device' | 'character device' | 'other';

export interface FileFacts {
  readonly type: FileType;
  readonly size: number;
  /** Four octal digits: `0644`. */
  readonly mode: string;
  /** By name, or by number where the host knows no name for it. */
  readonly owner: string;
  readonly group: string;
  /** ISO 8601 in UTC. */
  readonly modifiedAt: string;
}

/** Reads the fields that FACTS of the prelude makes of `stat`; undefined where nothing was there. */
export function readFacts(fields: Fields): FileFacts | undefined {
  const kind = fields.text();
  const size = fields.text();
  const mode = fields.text();
  const [owner, group, uid, gid] = [fields.text(), fields.text(), fields.text(), fields.text()];
  const modified = fields.text();
  if (kind === '') return undefined;
  return {
    type: typeOf(kind),
    size: Number(size),
    mode: fourDigits(mode),
    owner: named(owner, uid),
    group: named(group, gid),
    modifiedAt: isoTime(modified),
  };
}

export function fourDigits(mode: string): string {
  return mode.padStart(4, '0');
}

/** Seconds since 1970 with a fraction, as stat and find print them; cut to milliseconds. */
export function isoTime(seconds: string): string {
  const [whole = '', fraction = ''] = seconds.split('.');
  return new Date(Number(whole) * 1000 + Number(fraction.padEnd(3, '0').slice(0, 3))).toISOString();
}

function named(name: string, number: string): string {
  return name === 'UNKNOWN' || name === '' ? number : name;
}

function typeOf(kind: string): FileType {
  switch (kind) {
    case 'regular file':
    case 'regular empty file':
      return 'file';
    case 'directory':
      return 'directory';
    case 'symbolic link':
      return 'link';
    case 'socket':
      return 'socket';
    case 'fifo':
      return 'fifo';
    case 'block special file':
      return 'block device';
    case 'character special file':
      return 'character device';
    default:
      return 'other';
  }
}
