import { randomUUID } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';

import { isObject } from '../../../lib/json';
import type { Asked, Reply, Route } from '../http';
import { userOf } from './access';
import { blobOf, commitOf, folderOf, git, NO_COMMIT, references } from './git';
import { tellPushes } from './pushed';
import { notFound, Refusal } from './refusal';
import { bodyOf, repositoryOf } from './repositories';
import type { Repository, State } from './state';

export function contentRoutes(state: State): readonly Route[] {
  return [
    {
      method: 'POST',
      template: '/api/v1/repos/{owner}/{repo}/contents',
      handle: (asked) => changeFiles(state, asked),
    },
    {
      method: 'GET',
      // A path has slashes, which the base of stand-ins takes for the end of a parameter; the client encodes each part.
      template: '/api/v1/repos/{owner}/{repo}/contents/{a}/{b}/{c}',
      handle: (asked) => readFile(state, asked, [asked.params['a'], asked.params['b'], asked.params['c']].join('/')),
    },
    {
      method: 'GET',
      template: '/api/v1/repos/{owner}/{repo}/contents/{a}/{b}',
      handle: (asked) => readFile(state, asked, [asked.params['a'], asked.params['b']].join('/')),
    },
    {
      method: 'GET',
      template: '/api/v1/repos/{owner}/{repo}/contents/{a}',
      handle: (asked) => readFile(state, asked, asked.params['a'] ?? ''),
    },
  ];
}

async function readFile(state: State, asked: Asked, path: string): Promise<Reply> {
  const repository = repositoryOf(state, asked);
  const folder = folderOf(state, repository);
  const commit = await commitOf(folder, asked.query.get('ref') ?? repository.defaultBranch);
  if (commit === undefined) throw notFound();
  const [entry] = (await git(folder, ['ls-tree', '-l', commit, '--', path])).split('\n');
  const [, type, sha, size] = /^\d+ (\w+) ([0-9a-f]+)\s+(\S+)\t/.exec(entry ?? '') ?? [];
  if (type === undefined) throw notFound();
  if (type === 'tree') {
    const lines = (await git(folder, ['ls-tree', '-l', commit, '--', `${path}/`])).split('\n');
    return { status: 200, json: lines.map((line) => entryOf(state, repository, line)) };
  }
  const content = await blobOf(folder, sha ?? '');
  return {
    status: 200,
    json: {
      ...described(state, repository, path, 'file', sha ?? '', Number(size)),
      encoding: 'base64',
      content: content.toString('base64'),
      last_commit_sha: commit,
    },
  };
}

function entryOf(state: State, repository: Repository, line: string): Record<string, unknown> {
  const [, type = '', sha = '', size = '', path = ''] = /^\d+ (\w+) ([0-9a-f]+)\s+(\S+)\t(.*)$/.exec(line) ?? [];
  return described(state, repository, path, type === 'tree' ? 'dir' : 'file', sha, Number(size) || 0);
}

function described(state: State, repository: Repository, path: string, type: string, sha: string, size: number) {
  const at = `${state.url()}/api/v1/repos/${repository.owner}/${repository.name}`;
  return { name: path.split('/').at(-1), path, sha, type, size, url: `${at}/contents/${path}` };
}

/** Several files in one commit, all or nothing. */
async function changeFiles(state: State, asked: Asked): Promise<Reply> {
  const repository = repositoryOf(state, asked);
  const folder = folderOf(state, repository);
  const body = bodyOf(asked);
  const branch = typeof body['branch'] === 'string' ? body['branch'] : repository.defaultBranch;
  const target = typeof body['new_branch'] === 'string' ? body['new_branch'] : branch;
  const before = await references(folder);
  const parent = before.get(`refs/heads/${branch}`);
  if (parent === undefined && before.size > 0) throw notFound();
  const index = join(folder, `index-${randomUUID()}`);
  const environment = { GIT_INDEX_FILE: index };
  try {
    if (parent !== undefined) await git(folder, ['read-tree', parent], { environment });
    const changes = Array.isArray(body['files']) ? (body['files'] as readonly unknown[]) : [];
    if (changes.length === 0) throw new Refusal(422, '[Files]: Required');
    for (const change of changes) await stage(folder, environment, change);
    const tree = await git(folder, ['write-tree'], { environment });
    const message = typeof body['message'] === 'string' && body['message'] !== '' ? body['message'] : 'Change files';
    const parents = parent === undefined ? [] : ['-p', parent];
    const sha = await git(folder, ['commit-tree', tree, ...parents], { input: message });
    await git(folder, ['update-ref', `refs/heads/${target}`, sha]);
    await tellPushes(state, repository, before, await references(folder), userOf(state, asked)?.login ?? 'ghost');
    const at = `${state.url()}/${repository.owner}/${repository.name}/commit/${sha}`;
    return { status: 201, json: { commit: { sha, html_url: at, message }, files: [] } };
  } finally {
    rmSync(index, { force: true });
  }
}

async function stage(folder: string, environment: Record<string, string>, change: unknown): Promise<void> {
  if (!isObject(change)) throw new Refusal(422, 'Invalid file');
  const path = String(change['path']);
  const [, known] = /^\d+ ([0-9a-f]+) /.exec(await git(folder, ['ls-files', '-s', '--', path], { environment })) ?? [];
  const operation = change['operation'];
  const toIndex = (input: string) => git(folder, ['update-index', '--index-info'], { environment, input });
  if (operation === 'create' && known !== undefined) {
    throw new Refusal(422, `repository file already exists [path: ${path}]`);
  }
  if (operation !== 'create' && known === undefined) {
    throw new Refusal(404, `repository file does not exist [path: ${path}]`);
  }
  if (operation !== 'create' && change['sha'] !== known) {
    throw new Refusal(422, `sha does not match [given: ${String(change['sha'])}, expected: ${known ?? ''}]`);
  }
  if (operation === 'delete') {
    await toIndex(`0 ${NO_COMMIT}\t${path}\n`);
    return;
  }
  const content = Buffer.from(typeof change['content'] === 'string' ? change['content'] : '', 'base64');
  const blob = await git(folder, ['hash-object', '-w', '--stdin'], { input: content });
  await toIndex(`100644 ${blob}\t${path}\n`);
}
