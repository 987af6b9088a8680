/** A name in a folder has at most 255 bytes; longer ones become folders in folders. */
const PIECE = 200;
const SUFFIX = '.json';

/**
 * The path of a key's file below the state folder: one folder for each name of the key, readable where the key is plain
 * ASCII. No name of a key can become a suffix, a hidden file, a parent folder or an option, because a full stop is
 * written as %2E, and every path begins with a domain.
 */
export function pathOfKey(key: string): string {
  return `${key.split('/').map(encodeName).join('/')}${SUFFIX}`;
}

/** The folder below which all keys with this prefix lie. */
export function folderOfPrefix(prefix: string): string {
  return prefix.slice(0, prefix.lastIndexOf('/')).split('/').map(encodeName).join('/');
}

/** The key of a file, or undefined for a file that is not ours. */
export function keyOfPath(path: string): string | undefined {
  if (!path.endsWith(SUFFIX)) return undefined;
  const names = path.slice(0, -SUFFIX.length).replaceAll('~/', '').split('/').map(decodeName);
  const key = names.join('/');
  return names.includes('') || pathOfKey(key) !== path ? undefined : key;
}

function encodeName(name: string): string {
  const encoded = /^\p{ASCII}*$/u.test(name)
    ? name.replace(/[^A-Za-z0-9_-]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    : `=${Buffer.from(name).toString('base64url')}`;
  const pieces = encoded.match(new RegExp(`.{1,${PIECE}}`, 'g')) ?? [];
  return pieces.join('~/');
}

function decodeName(name: string): string {
  return name.startsWith('=')
    ? Buffer.from(name.slice(1), 'base64url').toString()
    : name.replace(/%([0-9A-F]{2})/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));
}
