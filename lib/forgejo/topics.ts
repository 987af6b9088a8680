import type { Task } from '../task';
import type { ForgejoApi } from './api';
import { command, endpoint } from './endpoint';
import type { RepositoryName } from './repository-name';
import { unreadable } from './fields';

const list = endpoint('GET', '/repos/{owner}/{repo}/topics', (topic) => {
  if (typeof topic !== 'string') throw unreadable('a topic', 'it is no text');
  return topic;
});
const replace = command('PUT', '/repos/{owner}/{repo}/topics');

export async function listTopics(api: ForgejoApi, name: RepositoryName, task: Task): Promise<readonly string[]> {
  return (await api.list(list, { at: { ...name } }, task)).items;
}

/** Exactly these. The server writes them in small letters. */
export async function ensureTopics(
  api: ForgejoApi,
  name: RepositoryName,
  wanted: readonly string[],
  dryRun: boolean,
  task: Task,
) {
  const before = await listTopics(api, name, task);
  const after = [...new Set(wanted.map((topic) => topic.toLowerCase()))].sort();
  const changed = JSON.stringify([...before].sort()) !== JSON.stringify(after);
  if (changed && !dryRun) await api.call(replace, { at: { ...name }, body: { json: { topics: after } } }, task);
  return { changed, dryRun, before, after };
}
