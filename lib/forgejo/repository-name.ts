import { Failure } from '../failure';

export interface RepositoryName {
  readonly owner: string;
  readonly repo: string;
}

/** `owner/name`, as people write it. */
export function parseRepositoryName(text: string): RepositoryName {
  const [, owner, repo] = /^([^\s/]+)\/([^\s/]+)$/.exec(text.trim()) ?? [];
  if (owner !== undefined && repo !== undefined) return { owner, repo };
  throw new Failure({
    code: 'invalid_parameter',
    subject: 'Repository',
    message: `'${text}' is no repository`,
    nextStep: 'Write it as owner/name.',
  });
}
