import type { Repository, State } from './state';

/** Things as the API and the webhooks show them. */
export function shownUser(state: State, login: string): Record<string, unknown> {
  const user = state.users.get(login.toLowerCase());
  return {
    id: user?.id ?? 0,
    login,
    login_name: '',
    full_name: '',
    email: `${login}@noreply.localhost`,
    avatar_url: `${state.url()}/avatars/${login}`,
    html_url: `${state.url()}/${login}`,
    is_admin: user?.isAdmin ?? false,
    username: login,
  };
}

export function shownRepository(state: State, repository: Repository, isEmpty: boolean): Record<string, unknown> {
  const { id, owner, name, description, isPrivate, defaultBranch, created, topics, more } = repository;
  const at = `${state.url()}/${owner}/${name}`;
  return {
    id,
    owner: shownUser(state, owner),
    name,
    full_name: `${owner}/${name}`,
    description,
    empty: isEmpty,
    private: isPrivate,
    fork: false,
    template: false,
    mirror: false,
    archived: false,
    size: 0,
    html_url: at,
    url: `${state.url()}/api/v1/repos/${owner}/${name}`,
    clone_url: `${at}.git`,
    ssh_url: `forgejo@localhost:${owner}/${name}.git`,
    default_branch: defaultBranch,
    created_at: created,
    updated_at: created,
    topics,
    permissions: { admin: true, push: true, pull: true },
    ...more,
  };
}
