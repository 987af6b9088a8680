import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { run } from './hosts/programs';

export interface WorkTree {
  /** Commits these files on top of what the branch has now, and pushes them; null removes one. Answers the hash. */
  readonly push: (message: string, files: Readonly<Record<string, string | null>>, at?: Date) => Promise<string>;
  readonly remove: () => Promise<void>;
}

/** What somebody works in who may push to a repository. */
export async function openWorkTree(url: string, login: { user: string; password: string }): Promise<WorkTree> {
  const folder = await mkdtemp(join(tmpdir(), 'selfhost-work-tree-'));
  const address = Object.assign(new URL(url), { username: login.user, password: login.password }).href;
  const gitAt = (at: Date | undefined, ...argv: readonly string[]) =>
    run(['git', '-C', folder, '-c', 'user.name=lab', '-c', 'user.email=lab@example.org', ...argv], {
      environment: { HOME: folder, ...(at !== undefined && { GIT_COMMITTER_DATE: at.toISOString() }) },
    });
  const git = (...argv: readonly string[]) => gitAt(undefined, ...argv);
  await run(['git', 'init', '--quiet', '--initial-branch=main', folder]);
  return {
    push: async (message, files, at) => {
      const heads = await git('ls-remote', '--heads', address, 'main');
      if (heads.trim() !== '') {
        await git('fetch', '--quiet', address, 'main');
        await git('reset', '--quiet', '--hard', 'FETCH_HEAD');
      }
      for (const [name, content] of Object.entries(files)) {
        await mkdir(dirname(join(folder, name)), { recursive: true });
        if (content === null) await rm(join(folder, name));
        else await writeFile(join(folder, name), content);
      }
      await git('add', '--all');
      await gitAt(at, 'commit', '--quiet', '--allow-empty', '--message', message);
      await git('push', '--quiet', address, 'HEAD:refs/heads/main');
      return (await git('rev-parse', 'HEAD')).trim();
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
