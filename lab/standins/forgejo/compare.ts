import type { Reply, Route } from '../http';
import { commitOf, folderOf, git } from './git';
import { notFound } from './refusal';
import { repositoryOf } from './repositories';
import type { State } from './state';

/** The commits of the second that the first has not. */
export function compareRoutes(state: State): readonly Route[] {
  return [
    {
      method: 'GET',
      template: '/api/v1/repos/{owner}/{repo}/compare/{basehead}',
      handle: async (asked): Promise<Reply> => {
        const folder = folderOf(state, repositoryOf(state, asked));
        const [base = '', head = ''] = (asked.params['basehead'] ?? '').split('...');
        const [from, to] = [await commitOf(folder, base), await commitOf(folder, head)];
        if (from === undefined || to === undefined) throw notFound();
        const ids = (await git(folder, ['rev-list', to, `^${from}`])).split('\n').filter((id) => id !== '');
        return { status: 200, json: { total_commits: ids.length, commits: ids.map((sha) => ({ sha })), files: [] } };
      },
    },
  ];
}
