import { Failure } from '../../failure';
import { describeHost, type Host } from '../host';

/** A file on a host, as it is named in errors. */
export function describeFile(host: Host, path: string): string {
  return `${JSON.stringify(path)} on ${describeHost(host)}`;
}

/**
 * Accepts an absolute path, or one that begins with `~/`: the home of the user that the operation runs as. Nothing else
 * in it has a meaning: quotes, spaces, dollars, line ends and leading dashes are part of the name.
 */
export function checkPath(host: Host, path: string): string {
  if (path.includes('\0')) throw unusable(host, path, 'holds a NUL character, which no file name can', 'Correct it.');
  if (!path.startsWith('/') && !path.startsWith('~/') && path !== '~') {
    throw unusable(host, path, 'is not absolute', 'Begin it with / or with ~/ for the home of the user.');
  }
  if (path === '~') return '~/';
  return path.length > 1 ? path.replace(/(?<=[^~])\/+$/, '') || '/' : path;
}

/** The same for what is written or deleted, where the last part must be a name. */
export function checkNamedPath(host: Host, path: string): string {
  const checked = checkPath(host, path);
  const name = checked.slice(checked.lastIndexOf('/') + 1);
  if (name === '' || name === '.' || name === '..') {
    throw unusable(host, path, 'does not end in the name of a file', 'Name the file itself.');
  }
  return checked;
}

function unusable(host: Host, path: string, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'file_path_unusable',
    subject: describeFile(host, path),
    message: `The path ${describeFile(host, path)} ${why}`,
    nextStep,
  });
}
