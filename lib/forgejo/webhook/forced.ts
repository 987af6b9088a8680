import { isFailure } from '../../failure';
import type { Task } from '../../task';
import type { ForgejoApi } from '../api';
import { endpoint } from '../endpoint';
import { fieldsOf } from '../fields';
import type { ForgejoEvent } from './event';

const compare = endpoint('GET', '/repos/{owner}/{repo}/compare/{basehead}', (body) =>
  fieldsOf(body, 'a comparison of commits').number('total_commits'),
);

export const forcedEndpoints = [compare];

/**
 * No payload says whether a push threw commits away. The server knows: the old tip has commits then that the new one
 * has not. Null when it cannot say, because the old ones are swept away already or the token may not read them.
 */
export async function wasForced(
  api: ForgejoApi,
  { repo, before, after, isTag }: ForgejoEvent,
  task: Task,
): Promise<boolean | null> {
  if (repo === null || before === null || after === null) return null;
  // git moves a tag only by force.
  if (isTag) return before !== after;
  const [owner = '', name = ''] = repo.split('/');
  try {
    const lost = await api.call(compare, { at: { owner, repo: name, basehead: `${after}...${before}` } }, task);
    return lost > 0;
  } catch (error) {
    if (isFailure(error)) return null;
    throw error;
  }
}
