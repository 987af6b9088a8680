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
        const lines = async (...args: readonly string[]) =>
          (await git(folder, args)).split('\n').filter((line) => line !== '');
        const ids = await lines('rev-list', to, `^${from}`);
        const commits = await Promise.all(
          ids.map(async (sha) => ({ sha, commit: { message: await git(folder, ['show', '-s', '--format=%B', sha]) } })),
        );
        // As with three dots: what the second has done since they parted.
        const [parted = from] = await lines('merge-base', from, to);
        const files = await lines('diff', '--name-only', '--no-renames', parted, to);
        return {
          status: 200,
          json: {
            total_commits: ids.length,
            commits,
            files: files.map((filename) => ({ filename, status: 'modified' })),
          },
        };
      },
    },
  ];
}
