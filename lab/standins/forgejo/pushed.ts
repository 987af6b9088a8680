import { deliver } from './deliver';
import { folderOf, git, NO_COMMIT } from './git';
import { shownRepository, shownUser } from './shown';
import type { Repository, State } from './state';

const ZERO_TIME = '0001-01-01T00:00:00Z';

/** Tells the hooks of every reference that is not as it was. */
export async function tellPushes(
  state: State,
  repository: Repository,
  before: ReadonlyMap<string, string>,
  after: ReadonlyMap<string, string>,
  login: string,
): Promise<void> {
  const names = [...new Set([...before.keys(), ...after.keys()])].sort();
  for (const ref of names) {
    const old = before.get(ref) ?? NO_COMMIT;
    const now = after.get(ref) ?? NO_COMMIT;
    if (old !== now) await tellOne(state, repository, ref, old, now, login);
  }
}

async function tellOne(state: State, repository: Repository, ref: string, old: string, now: string, login: string) {
  const common = { repository, owner: repository.owner };
  const shown = shownRepository(state, repository, false);
  const sender = shownUser(state, login);
  const isTag = ref.startsWith('refs/tags/');
  const short = ref.replace(/^refs\/(heads|tags)\//, '');
  const branch = isTag ? {} : { branch: short };
  const kind = { ref: short, ref_type: isTag ? 'tag' : 'branch', repository: shown, sender };
  if (old === NO_COMMIT) {
    await deliver(state, { ...common, ...branch, type: 'create', header: 'create', payload: { sha: now, ...kind } });
  }
  if (now === NO_COMMIT) {
    await deliver(state, {
      ...common,
      ...branch,
      type: 'delete',
      header: 'delete',
      payload: { ...kind, pusher_type: 'user' },
    });
  }
  const commits = await commitsBetween(state, repository, old, now);
  const at = String(shown['html_url']);
  await deliver(state, {
    ...common,
    ...branch,
    type: 'push',
    header: 'push',
    payload: {
      ref,
      before: old,
      after: now,
      compare_url: old === NO_COMMIT || now === NO_COMMIT ? '' : `${at}/compare/${old}...${now}`,
      commits: commits.slice(0, 15),
      total_commits: commits.length,
      head_commit: commits[0] ?? null,
      repository: shown,
      pusher: sender,
      sender,
    },
  });
}

async function commitsBetween(state: State, repository: Repository, old: string, now: string) {
  if (now === NO_COMMIT || old === NO_COMMIT) return [];
  const folder = folderOf(state, repository);
  const ids = await git(folder, ['rev-list', now, `^${old}`]);
  return Promise.all(
    ids
      .split('\n')
      .filter((id) => id !== '')
      .map(async (id) => {
        const message = await git(folder, ['log', '-1', '--format=%B', id]);
        const changes = await git(folder, ['diff-tree', '--no-commit-id', '--name-status', '--root', '-r', id]);
        const paths = (letter: string) =>
          changes
            .split('\n')
            .filter((line) => line.startsWith(letter))
            .map((line) => line.split('\t')[1]);
        const author = { name: 'Forgejo', email: 'forgejo@localhost', username: '' };
        return {
          id,
          message,
          url: `${state.url()}/${repository.owner}/${repository.name}/commit/${id}`,
          author,
          committer: author,
          verification: null,
          timestamp: ZERO_TIME,
          added: paths('A'),
          removed: paths('D'),
          modified: paths('M'),
        };
      }),
  );
}
