import { Failure } from '../failure';

/** A folder of an environment of a project. */
export interface Place {
  readonly projectId: string;
  /** Its slug: `prod` */
  readonly environment: string;
  /** `/` or `/immich/web` */
  readonly path: string;
}

export function describePlace({ environment, path }: Place): string {
  return `${environment}:${path}`;
}

/** `/a/b` of `a/b/`, as the server keeps it. */
export function folderPath(text: string): string {
  const parts = text
    .trim()
    .split('/')
    .filter((part) => part !== '');
  const bad = parts.find((part) => !/^[A-Za-z0-9_-]+$/.test(part));
  if (bad !== undefined) {
    throw new Failure({
      code: 'invalid_secret_path',
      subject: `path ${text}`,
      message: `"${text}" is no path of folders: a folder's name has letters, digits, - and _ only`,
      nextStep: 'Write it like /immich/web, or / for the top.',
    });
  }
  return `/${parts.join('/')}`;
}

export function checkKey(key: string): string {
  if (key.trim() !== '' && !/[:/]/.test(key)) return key;
  throw new Failure({
    code: 'invalid_secret_key',
    subject: `secret ${key}`,
    message: key.trim() === '' ? 'A secret has no name' : `"${key}" cannot be the name of a secret`,
    nextStep: 'Give it a name without colon and slash, for example DB_PASSWORD.',
  });
}
