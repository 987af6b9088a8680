/** Names sort by time, hold no colon (which some stores refuse) and are always in UTC: `2026-01-31T020000Z`. */
export function backupName(at: Date): string {
  return `${at.toISOString().slice(0, 19).replaceAll(':', '')}Z`;
}

/** The time of a name, or undefined for what is no name of ours, a day that does not exist included. */
export function backupTime(name: string): Date | undefined {
  const match = /^(\d{4}-\d\d-\d\dT)(\d\d)(\d\d)(\d\d)Z$/.exec(name);
  if (match === null) return undefined;
  const [, day = '', hours, minutes, seconds] = match;
  const time = new Date(`${day}${hours}:${minutes}:${seconds}Z`);
  return Number.isNaN(time.getTime()) || backupName(time) !== name ? undefined : time;
}

const MANIFEST_SUFFIX = '.manifest.json';

export function manifestFile(name: string): string {
  return `${name}${MANIFEST_SUFFIX}`;
}

/** The backup that a file in a listing is the manifest of. */
export function backupOfManifestFile(file: string): string | undefined {
  const name = file.endsWith(MANIFEST_SUFFIX) ? file.slice(0, -MANIFEST_SUFFIX.length) : '';
  return backupTime(name) === undefined ? undefined : name;
}

/** The file of the nth part, counted from 1. Five digits, so that the order of the names is the order of the parts. */
export function partFile(name: string, number: number): string {
  return `${name}.part-${String(number).padStart(5, '0')}`;
}

/** A file name that is one everywhere: no folder, no hidden file, no option. */
export function isPartName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/.test(name);
}
