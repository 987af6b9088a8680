import { execFile } from 'node:child_process';
import type { Asked, Reply, Route } from '../http';
import { commitOf, folderOf, git, references } from './git';
import { paged } from './paged';
import { notFound, Refusal } from './refusal';
import { bodyOf, repositoryOf } from './repositories';
import type { State } from './state';

/** Branches, tags, commits and archives, from git itself. */
export function referenceRoutes(state: State): readonly Route[] {
  const repo = '/api/v1/repos/{owner}/{repo}';
  const folder = (asked: Asked) => folderOf(state, repositoryOf(state, asked));
  const named = (asked: Asked) => [asked.params['a'], asked.params['b']].filter((part) => part !== undefined).join('/');
  const both = (method: string, at: string, handle: Route['handle']): readonly Route[] =>
    [`${repo}${at}/{a}`, `${repo}${at}/{a}/{b}`].map((template) => ({ method, template, handle }));

  const branch = async (asked: Asked, name: string) => {
    const id = (await references(folder(asked))).get(`refs/heads/${name}`);
    if (id === undefined) throw notFound();
    const message = await git(folder(asked), ['log', '-1', '--format=%s', id]);
    return {
      name,
      commit: { id, message, timestamp: '2026-01-31T00:00:00Z' },
      protected: false,
      required_approvals: 0,
    };
  };
  const tag = async (asked: Asked, name: string) => {
    const id = (await references(folder(asked))).get(`refs/tags/${name}`);
    if (id === undefined) throw notFound();
    const sha = (await commitOf(folder(asked), id)) ?? id;
    return { name, id, message: '', commit: { sha, url: '' }, zipball_url: '', tarball_url: '' };
  };
  const commit = async (asked: Asked, name: string) => {
    const id = await commitOf(folder(asked), name);
    if (id === undefined) throw notFound();
    const [sha = '', parents = '', author = '', email = '', date = '', ...message] = (
      await git(folder(asked), ['show', '-s', '--format=%H%n%P%n%an%n%ae%n%aI%n%B', id])
    ).split('\n');
    const files = await git(folder(asked), ['show', '--format=', '--name-only', id]);
    return {
      sha,
      html_url: `${state.url()}/commit/${sha}`,
      commit: { message: message.join('\n'), author: { name: author, email, date } },
      author: null,
      parents: parents.split(' ').flatMap((parent) => (parent === '' ? [] : [{ sha: parent, url: '' }])),
      files: files.split('\n').flatMap((filename) => (filename === '' ? [] : [{ filename, status: 'modified' }])),
      stats: { total: 0, additions: 0, deletions: 0 },
    };
  };
  const raw = async (asked: Asked): Promise<Reply> => {
    const ref = asked.query.get('ref') ?? repositoryOf(state, asked).defaultBranch;
    const text = await git(folder(asked), ['show', `${ref}:${named(asked)}`]).catch(() => undefined);
    if (text === undefined) throw notFound();
    return { status: 200, headers: { 'content-type': 'application/octet-stream' }, bytes: Buffer.from(text) };
  };
  return [
    ...both('GET', '/branches', async (asked) => ({ status: 200, json: await branch(asked, named(asked)) })),
    {
      method: 'POST',
      template: `${repo}/branches`,
      handle: async (asked) => {
        const body = bodyOf(asked);
        const name = String(body['new_branch_name']);
        const from =
          typeof body['old_ref_name'] === 'string' ? body['old_ref_name'] : repositoryOf(state, asked).defaultBranch;
        const id = await commitOf(folder(asked), from);
        if (id === undefined) throw notFound();
        if ((await references(folder(asked))).has(`refs/heads/${name}`)) {
          throw new Refusal(409, 'The branch already exists.');
        }
        await git(folder(asked), ['update-ref', `refs/heads/${name}`, id]);
        return { status: 201, json: await branch(asked, name) };
      },
    },
    ...both('PATCH', '/branches', async (asked) => {
      const { commit: there } = await branch(asked, named(asked));
      await git(folder(asked), ['update-ref', `refs/heads/${String(bodyOf(asked)['name'])}`, there.id]);
      await git(folder(asked), ['update-ref', '-d', `refs/heads/${named(asked)}`]);
      return { status: 204 };
    }),
    ...both('DELETE', '/branches', async (asked) => {
      await branch(asked, named(asked));
      await git(folder(asked), ['update-ref', '-d', `refs/heads/${named(asked)}`]);
      return { status: 204 };
    }),
    {
      method: 'GET',
      template: `${repo}/tags`,
      handle: async (asked) => {
        const names = [...(await references(folder(asked))).keys()].filter((ref) => ref.startsWith('refs/tags/'));
        return paged(state, asked, await Promise.all(names.map((ref) => tag(asked, ref.slice('refs/tags/'.length)))));
      },
    },
    ...both('GET', '/tags', async (asked) => ({ status: 200, json: await tag(asked, named(asked)) })),
    {
      method: 'POST',
      template: `${repo}/tags`,
      handle: async (asked) => {
        const { tag_name: name, target } = bodyOf(asked);
        const to = typeof target === 'string' ? target : repositoryOf(state, asked).defaultBranch;
        const id = await commitOf(folder(asked), to);
        if (id === undefined) throw notFound();
        await git(folder(asked), ['update-ref', `refs/tags/${String(name)}`, id]);
        return { status: 201, json: await tag(asked, String(name)) };
      },
    },
    ...both('DELETE', '/tags', async (asked) => {
      await tag(asked, named(asked));
      await git(folder(asked), ['update-ref', '-d', `refs/tags/${named(asked)}`]);
      return { status: 204 };
    }),
    {
      method: 'GET',
      template: `${repo}/commits`,
      handle: async (asked) => {
        const from = asked.query.get('sha') ?? repositoryOf(state, asked).defaultBranch;
        const path = asked.query.get('path');
        const within = path === null || path === '' ? [] : [path];
        const ids = (await git(folder(asked), ['rev-list', from, '--', ...within])).split('\n').filter(Boolean);
        return paged(state, asked, await Promise.all(ids.map((id) => commit(asked, id))));
      },
    },
    {
      method: 'GET',
      template: `${repo}/git/commits/{a}`,
      handle: async (asked) => ({ status: 200, json: await commit(asked, named(asked)) }),
    },
    ...both('GET', '/compare', async (asked) => {
      const [base = '', head = ''] = named(asked).split('...');
      const ids = (await git(folder(asked), ['rev-list', `${base}..${head}`, '--'])).split('\n').filter(Boolean);
      const commits = await Promise.all(ids.map((id) => commit(asked, id)));
      return {
        status: 200,
        json: { total_commits: ids.length, commits, files: commits.flatMap(({ files }) => files) },
      };
    }),
    ...both('GET', '/raw', raw),
    ...both('GET', '/media', raw),
    ...both('GET', '/archive', async (asked) => {
      const [, ref = '', format = ''] = /^(.+?)\.(tar\.gz|zip|bundle)$/.exec(named(asked)) ?? [];
      if ((await commitOf(folder(asked), ref)) === undefined) throw notFound();
      const bytes = await archive(folder(asked), ref, format);
      return { status: 200, headers: { 'content-type': 'application/octet-stream' }, bytes };
    }),
  ];
}

function archive(folder: string, ref: string, format: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const args = ['-C', folder, 'archive', `--format=${format}`, ref];
    execFile('git', args, { encoding: 'buffer', maxBuffer: 64 * 1024 * 1024 }, (error, stdout) => {
      if (error === null) resolve(stdout);
      else reject(new Error('git archive failed', { cause: error }));
    });
  });
}
