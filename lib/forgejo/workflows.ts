import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { endpoint } from './endpoint';
import { fieldsOf } from './fields';
import type { RepositoryName } from './repository-name';

/** Where Forgejo looks for workflows: the first of these that is there counts. */
const FOLDERS = ['.forgejo/workflows', '.gitea/workflows', '.github/workflows'];

const folder = endpoint('GET', '/repos/{owner}/{repo}/contents/{filepath}', (body) =>
  Array.isArray(body) ? body.map((entry: unknown) => fieldsOf(entry, 'a file').text('name')) : [],
);

/** File names of the workflows on the default branch. */
export async function findWorkflows(api: ForgejoApi, name: RepositoryName, task: Task): Promise<readonly string[]> {
  for (const path of FOLDERS) {
    const found = await orNull(api.call(folder, { at: { ...name, filepath: path.split('/') } }, task));
    if (found !== null) return found.filter((file) => /\.ya?ml$/.test(file));
  }
  return [];
}
