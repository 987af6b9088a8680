import { path } from '../http/path';
import type { Task } from '../task';
import { read } from './answer';
import type { InfisicalApi } from './api';
import { folderPath, type Place } from './place';

export interface Folder {
  readonly id: string;
  readonly name: string;
  /** Whole, from the top. */
  readonly path: string;
}

export async function listFolders(
  api: InfisicalApi,
  place: Place,
  recursive: boolean,
  task: Task,
): Promise<readonly Folder[]> {
  return api.ask(
    {
      method: 'GET',
      path: path('/api/v2/folders'),
      query: { projectId: place.projectId, environment: place.environment, path: place.path, recursive },
    },
    (body) =>
      read(body, 'a list of folders')
        .list('folders')
        .map((one) => {
          const folder = read(one, 'a folder');
          const name = folder.text('name');
          const below = folder.textOr('relativePath', undefined);
          return { id: folder.text('id'), name, path: folderPath(`${place.path}/${below ?? name}`) };
        })
        .sort((one, other) => (one.path < other.path ? -1 : 1)),
    task,
  );
}

/** Makes the folder `place.path` with all above it; those that are there stay as they are. */
export async function ensureFolder(
  api: InfisicalApi,
  place: Place,
  dryRun: boolean,
  task: Task,
): Promise<{ readonly changed: boolean; readonly created: readonly string[] }> {
  const created: string[] = [];
  let above = '/';
  for (const name of place.path.split('/').filter((part) => part !== '')) {
    const parent = { ...place, path: above };
    above = folderPath(`${above}/${name}`);
    const known = created.length > 0 ? [] : await listFolders(api, parent, false, task);
    if (known.some((folder) => folder.name === name)) continue;
    if (!dryRun) {
      await api.ask(
        {
          method: 'POST',
          path: path('/api/v2/folders'),
          body: { json: { projectId: place.projectId, environment: place.environment, name, path: parent.path } },
        },
        (body) => read(body, 'an answer').part('folder').text('id'),
        task,
      );
    }
    created.push(above);
  }
  return { changed: created.length > 0, created };
}
