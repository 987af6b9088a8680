import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { command, endpoint } from './endpoint';
import { fieldsOf } from './fields';

/** One version of a package. */
export interface PackageVersion {
  readonly id: number;
  readonly owner: string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly createdAt: string;
}

function parseVersion(body: unknown): PackageVersion {
  const found = fieldsOf(body, 'a package');
  return {
    id: found.number('id'),
    owner: found.part('owner').text('login'),
    type: found.text('type'),
    name: found.text('name'),
    version: found.text('version'),
    createdAt: found.text('created_at'),
  };
}

export interface PackageFile {
  readonly name: string;
  readonly size: number;
  /** The server keeps each content once; null where it does not say. */
  readonly sha256: string | null;
}

function parseFile(body: unknown): PackageFile {
  const file = fieldsOf(body, 'a file of a package');
  return { name: file.text('name'), size: file.number('Size'), sha256: file.textOrNull('sha256') };
}

const one = '/packages/{owner}/{type}/{name}/{version}';
const list = endpoint('GET', '/packages/{owner}', parseVersion);
const files = endpoint('GET', `${one}/files`, (body) => (Array.isArray(body) ? body.map(parseFile) : []));
const remove = command('DELETE', one);

export const packageEndpoints = [list, files, remove];

export interface PackageFilter {
  readonly owner: string;
  /** `container`, `npm`, …; empty: all. */
  readonly type: string;
  /** Part of the name; empty: all. */
  readonly search: string;
}

export async function listPackages(
  api: ForgejoApi,
  { owner, type, search }: PackageFilter,
  task: Task,
  limit?: number,
): Promise<readonly PackageVersion[]> {
  const query = { ...(type !== '' && { type }), ...(search !== '' && { q: search }) };
  return (await api.list(list, { at: { owner }, query }, task, limit)).items;
}

/** None when the version was gone already. */
export async function filesOf(api: ForgejoApi, version: PackageVersion, task: Task): Promise<readonly PackageFile[]> {
  return (await orNull(api.call(files, { at: placeOf(version) }, task))) ?? [];
}

/** False when it was gone already. */
export async function deleteVersion(api: ForgejoApi, version: PackageVersion, task: Task): Promise<boolean> {
  return (await orNull(api.call(remove, { at: placeOf(version) }, task).then(() => true))) ?? false;
}

function placeOf({ owner, type, name, version }: PackageVersion) {
  return { owner, type, name, version };
}
