import { Failure } from '../failure';
import type { JsonObject } from '../json';
import type { Task } from '../task';
import type { ForgejoApi } from './api';
import type { Change } from './change';
import { endpoint } from './endpoint';
import { readFound } from './kind';
import { repositories } from './kinds/repository';
import type { RepositoryName } from './repository-name';
import { findFound } from './things';

export const MIGRATION_SERVICES = {
  git: 'Git',
  github: 'GitHub',
  gitea: 'Forgejo or Gitea',
  gitlab: 'GitLab',
  gogs: 'Gogs',
  onedev: 'OneDev',
  gitbucket: 'GitBucket',
  codebase: 'Codebase',
} as const;

/** A large repository takes its time, and the server answers when it is there. */
const MIGRATION_MS = 60 * 60 * 1000;

const migrate = endpoint('POST', '/repos/migrate', (body) => readFound(repositories, body).item);

export interface Migration {
  readonly name: RepositoryName;
  readonly cloneAddress: string;
  readonly service: keyof typeof MIGRATION_SERVICES;
  readonly token: string;
  readonly settings: JsonObject;
}

/** Copies a repository, unless it was copied from there already. */
export async function migrateRepository(
  api: ForgejoApi,
  { name, cloneAddress, service, token, settings }: Migration,
  dryRun: boolean,
  task: Task,
): Promise<Change<typeof repositories.shape>> {
  const there = await findFound(api, repositories, { path: '/repos/{owner}/{repo}', at: { ...name } }, {}, task);
  if (there !== null) {
    if (bare(there.raw['original_url']) !== bare(cloneAddress)) throw isAnother(name);
    return { changed: false, dryRun, before: there.item, after: there.item };
  }
  if (dryRun) return { changed: true, dryRun, before: null, after: null };
  const json = {
    clone_addr: cloneAddress,
    service,
    repo_owner: name.owner,
    repo_name: name.repo,
    ...(token !== '' && { auth_token: token }),
    ...settings,
  };
  const after = await api.call(migrate, { at: {}, body: { json }, deadlineMs: MIGRATION_MS }, task);
  return { changed: true, dryRun, before: null, after };
}

function bare(address: unknown): string {
  return (typeof address === 'string' ? address : '').replace(/\/+$/, '').replace(/\.git$/, '');
}

function isAnother({ owner, repo }: RepositoryName): Failure {
  return new Failure({
    code: 'exists_otherwise',
    subject: `repository ${owner}/${repo}`,
    message: `There is a repository ${owner}/${repo} already, and it does not come from that address`,
    nextStep: 'Choose another name, or delete the one that is there first.',
  });
}
