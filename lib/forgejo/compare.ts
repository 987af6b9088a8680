import { each, field, type ItemOf, text } from '../shape';
import type { Task } from '../task';
import type { ForgejoApi } from './api';
import { endpoint } from './endpoint';
import { readItem } from './kind';
import type { RepositoryName } from './repository-name';
import { count } from './shapes';

export const compareShape = {
  totalCommits: field('total_commits', count),
  commits: field('commits', each('sha', text)),
  messages: field('commits', each('commit', { kind: { type: 'string' }, read: messageOf })),
  files: field('files', each('filename', text)),
} as const;

function messageOf(commit: unknown): string {
  const message = (commit as { readonly message?: unknown } | undefined)?.message;
  return typeof message === 'string' ? message : '';
}

const compare = endpoint(
  'GET',
  '/repos/{owner}/{repo}/compare/{basehead}',
  (body) => readItem(compareShape, body, 'comparison'),
  // 1.21 has it in its web pages only.
  { since: { forgejo: 7, gitea: [1, 22] } },
);

/** What the second one holds that the first one does not. */
export function compareCommits(
  api: ForgejoApi,
  name: RepositoryName,
  { base, head }: { readonly base: string; readonly head: string },
  task: Task,
): Promise<ItemOf<typeof compareShape>> {
  return api.call(compare, { at: { ...name, basehead: `${base}...${head}`.split('/') } }, task);
}
