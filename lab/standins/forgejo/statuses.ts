import type { Asked, Reply, Route } from '../http';
import { userOf } from './access';
import { commitOf, folderOf } from './git';
import { paged } from './paged';
import { notFound, Refusal } from './refusal';
import { bodyOf, repositoryOf } from './repositories';
import { shownRepository, shownUser } from './shown';
import type { Repository, State, Status } from './state';

const STATES = ['pending', 'success', 'error', 'failure', 'warning'];
/** The worst decides. */
const WORST_FIRST = ['error', 'failure', 'warning', 'pending', 'success'];

export function statusRoutes(state: State): readonly Route[] {
  const at = '/api/v1/repos/{owner}/{repo}';
  return [
    {
      method: 'POST',
      template: `${at}/statuses/{sha}`,
      handle: async (asked): Promise<Reply> => {
        const repository = repositoryOf(state, asked);
        const sha = await commit(state, repository, asked.params['sha'] ?? '');
        const body = bodyOf(asked);
        const text = (name: string) => (typeof body[name] === 'string' ? body[name] : '');
        if (!STATES.includes(text('state'))) throw new Refusal(400, `unknown state ${text('state')}`);
        const status: Status = {
          id: state.nextId(),
          sha,
          state: text('state'),
          context: text('context') || 'default',
          description: text('description'),
          targetUrl: text('target_url'),
          created: state.now(),
          creator: userOf(state, asked)?.login ?? 'ghost',
        };
        repository.statuses.push(status);
        return { status: 201, json: shown(state, status) };
      },
    },
    {
      method: 'GET',
      template: `${at}/statuses/{sha}`,
      handle: async (asked) =>
        paged(
          state,
          asked,
          (await ofCommit(state, asked, 'sha')).map((one) => shown(state, one)),
        ),
    },
    {
      method: 'GET',
      template: `${at}/commits/{ref}/statuses`,
      handle: async (asked) =>
        paged(
          state,
          asked,
          (await ofCommit(state, asked, 'ref')).map((one) => shown(state, one)),
        ),
    },
    {
      method: 'GET',
      template: `${at}/commits/{ref}/status`,
      handle: async (asked) => {
        const repository = repositoryOf(state, asked);
        const sha = await commit(state, repository, asked.params['ref'] ?? '');
        const latest = latestOf(repository.statuses.filter((status) => status.sha === sha));
        const page = paged(
          state,
          asked,
          latest.map((one) => shown(state, one)),
        );
        return {
          status: 200,
          json: {
            state: WORST_FIRST.find((worst) => latest.some((status) => status.state === worst)) ?? '',
            sha,
            total_count: latest.length,
            statuses: page.json,
            repository: shownRepository(state, repository, false),
            commit_url: '',
            url: '',
          },
        };
      },
    },
  ];
}

async function commit(state: State, repository: Repository, name: string): Promise<string> {
  const found = await commitOf(folderOf(state, repository), name);
  if (found === undefined) throw notFound();
  return found;
}

async function ofCommit(state: State, asked: Asked, parameter: string): Promise<readonly Status[]> {
  const repository = repositoryOf(state, asked);
  const sha = await commit(state, repository, asked.params[parameter] ?? '');
  return repository.statuses.filter((status) => status.sha === sha).reverse();
}

function latestOf(statuses: readonly Status[]): readonly Status[] {
  return [...new Map(statuses.map((status) => [status.context, status])).values()];
}

function shown(state: State, { id, state: what, context, description, targetUrl, created, creator }: Status) {
  return {
    id,
    status: what,
    context,
    description,
    target_url: targetUrl,
    created_at: created,
    updated_at: created,
    creator: shownUser(state, creator),
    url: '',
  };
}
