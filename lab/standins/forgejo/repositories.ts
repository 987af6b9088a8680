import { mkdirSync, rmSync } from 'node:fs';

import { isObject } from '../../../lib/json';
import { type Asked, jsonOf, type Reply, type Route } from '../http';
import { userOf } from './access';
import { deliver } from './deliver';
import { folderOf, git, references } from './git';
import { paged } from './paged';
import { notFound, Refusal } from './refusal';
import { shownRepository, shownUser } from './shown';
import { keyOf, type Repository, type State } from './state';

export function repositoryRoutes(state: State): readonly Route[] {
  const shown = (repository: Repository) => show(state, repository);
  const all = async (asked: Asked, wanted: (repository: Repository) => boolean) =>
    paged(state, asked, await Promise.all([...state.repositories.values()].filter(wanted).map(shown)));
  return [
    {
      method: 'GET',
      template: '/api/v1/user/repos',
      handle: (asked) => all(asked, ({ owner }) => owner === userOf(state, asked)?.login),
    },
    {
      method: 'POST',
      template: '/api/v1/user/repos',
      handle: (asked) => created(state, asked, userOf(state, asked)?.login ?? ''),
    },
    {
      method: 'POST',
      template: '/api/v1/orgs/{org}/repos',
      handle: (asked) => {
        const org = asked.params['org'] ?? '';
        if (!state.organizations.has(org.toLowerCase())) throw notFound();
        return created(state, asked, org);
      },
    },
    {
      method: 'GET',
      template: '/api/v1/repos/search',
      handle: async (asked) => {
        const q = (asked.query.get('q') ?? '').toLowerCase();
        const found = await all(asked, ({ name }) => name.toLowerCase().includes(q));
        return { ...found, json: { ok: true, data: found.json } };
      },
    },
    {
      method: 'GET',
      template: '/api/v1/repos/{owner}/{repo}',
      handle: async (asked) => ({ status: 200, json: await shown(repositoryOf(state, asked)) }),
    },
    {
      method: 'PATCH',
      template: '/api/v1/repos/{owner}/{repo}',
      handle: async (asked) => {
        const repository = repositoryOf(state, asked);
        const body = bodyOf(asked);
        if (typeof body['description'] === 'string') repository.description = body['description'];
        if (typeof body['private'] === 'boolean') repository.isPrivate = body['private'];
        if (typeof body['default_branch'] === 'string') repository.defaultBranch = body['default_branch'];
        const { description: _, private: __, default_branch: ___, name: ____, ...more } = body;
        Object.assign(repository.more, more);
        return { status: 200, json: await shown(repository) };
      },
    },
    {
      method: 'DELETE',
      template: '/api/v1/repos/{owner}/{repo}',
      handle: async (asked): Promise<Reply> => {
        const repository = repositoryOf(state, asked);
        const repositoryShown = await shown(repository);
        state.repositories.delete(keyOf(repository.owner, repository.name));
        rmSync(folderOf(state, repository), { recursive: true, force: true });
        await tell(state, repository, 'deleted', repositoryShown, userOf(state, asked)?.login ?? repository.owner);
        return { status: 204 };
      },
    },
    {
      method: 'GET',
      template: '/api/v1/repos/{owner}/{repo}/topics',
      handle: (asked) => {
        const page = paged(state, asked, repositoryOf(state, asked).topics);
        return { ...page, json: { topics: page.json } };
      },
    },
    {
      method: 'PUT',
      template: '/api/v1/repos/{owner}/{repo}/topics',
      handle: (asked): Reply => {
        const { topics } = bodyOf(asked);
        repositoryOf(state, asked).topics = Array.isArray(topics) ? topics.map(String) : [];
        return { status: 204 };
      },
    },
    {
      method: 'GET',
      template: '/api/v1/repos/{owner}/{repo}/branches',
      handle: async (asked) => {
        const repository = repositoryOf(state, asked);
        const refs = await references(folderOf(state, repository));
        const branches = [...refs]
          .filter(([ref]) => ref.startsWith('refs/heads/'))
          .map(([ref, id]) => ({
            name: ref.slice('refs/heads/'.length),
            commit: { id, message: '' },
            protected: false,
          }));
        return paged(state, asked, branches);
      },
    },
  ];
}

export function repositoryOf(state: State, { params }: Pick<Asked, 'params'>): Repository {
  const found = state.repositories.get(keyOf(params['owner'] ?? '', params['repo'] ?? ''));
  if (found === undefined) throw notFound();
  return found;
}

export function bodyOf(asked: Asked): Record<string, unknown> {
  const body = jsonOf(asked);
  if (!isObject(body)) throw new Refusal(422, 'Missing body');
  return body;
}

async function show(state: State, repository: Repository): Promise<Record<string, unknown>> {
  return shownRepository(state, repository, (await references(folderOf(state, repository))).size === 0);
}

async function created(state: State, asked: Asked, owner: string): Promise<Reply> {
  const body = bodyOf(asked);
  const name = String(body['name']);
  if (state.repositories.has(keyOf(owner, name))) {
    throw new Refusal(409, 'The repository with the same name already exists.');
  }
  const text = (field: string, standard = '') => (typeof body[field] === 'string' ? body[field] : '') || standard;
  const repository = await makeRepository(state, {
    owner,
    name,
    description: text('description'),
    isPrivate: body['private'] === true,
    defaultBranch: text('default_branch', 'main'),
  });
  const shown = await show(state, repository);
  await tell(state, repository, 'created', shown, userOf(state, asked)?.login ?? owner);
  return { status: 201, json: shown };
}

export async function makeRepository(
  state: State,
  given: Pick<Repository, 'owner' | 'name' | 'description' | 'isPrivate' | 'defaultBranch'>,
): Promise<Repository> {
  const repository: Repository = {
    ...given,
    id: state.nextId(),
    created: state.now(),
    more: {},
    topics: [],
    hooks: [],
    statuses: [],
  };
  const folder = folderOf(state, repository);
  mkdirSync(folder, { recursive: true });
  await git(folder, ['init', '--quiet', '--bare', '--template=', `--initial-branch=${repository.defaultBranch}`]);
  state.repositories.set(keyOf(repository.owner, repository.name), repository);
  return repository;
}

async function tell(
  state: State,
  repository: Repository,
  action: 'created' | 'deleted',
  shown: Record<string, unknown>,
  login: string,
): Promise<void> {
  const organization = state.organizations.has(repository.owner.toLowerCase())
    ? shownUser(state, repository.owner)
    : null;
  const payload = { action, repository: shown, organization, sender: shownUser(state, login) };
  await deliver(state, { type: 'repository', header: 'repository', repository, owner: repository.owner, payload });
}
