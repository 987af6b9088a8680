import { ageHours } from '../../age';
import { Failure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { Task } from '../../task';

export interface Branch {
  readonly repository: string;
  readonly branch: string;
  readonly login?: { readonly user: string; readonly password: string };
  /** When the newest commit of a copy was made: then it is told which commit came first after that. */
  readonly since?: string;
}

export interface NewestCommit {
  readonly commit: string;
  readonly committedAt: string;
  readonly ageHours: number;
  readonly subject: string;
  /** The first that came after `since`: for so long a copy that ends there has lacked something. */
  readonly firstAfter: { readonly commit: string; readonly committedAt: string; readonly ageHours: number } | null;
}

/** Standard input: user and password, each on a line. They reach git through a pipe, as in a deploy. */
const NEWEST = `
url=$1 branch=$2 since=$3 second=$4
IFS= read -r user || :
IFS= read -r password || :
export GIT_TERMINAL_PROMPT=0 GIT_SSH_COMMAND='ssh -o BatchMode=yes' LC_ALL=C
GIT_DIR=$(mktemp -d)
export GIT_DIR
trap 'rm -rf -- "$GIT_DIR"' EXIT
git init --quiet --bare "$GIT_DIR"
fetch() {
  git -c credential.helper= -c credential.helper='!f() { [ "$1" != get ] || cat <&9; }; f' \\
    fetch --quiet --no-tags "$1" -- "$url" "refs/heads/$branch" >&2 9< <([ -z "$user$password" ] || printf 'username=%s\\npassword=%s\\n' "$user" "$password")
}
fetch --depth=1 || exit 3
git log -1 --format='%H%x00%cI%x00%s%x00' FETCH_HEAD
# A server that has nothing after that, or cannot be asked so, leaves it at the newest.
if [ -z "$since" ] || ! fetch --shallow-since="$since"; then exit 0; fi
git log --format='%ct %H %cI' FETCH_HEAD | sort -n |
  awk -v second="$second" '$1 > second && found == "" { found = $2 " " $3 } END { printf "%s", found }'
`;

/** The newest commit of a branch, as a host sees it: also how old the copy of a repository is. */
export async function newestCommit(
  host: Host,
  { repository, branch, login, since = '' }: Branch,
  task: Task,
): Promise<NewestCommit> {
  checkAddress(repository, branch);
  const [moment, second] = momentOf(since);
  const { stdout, exitCode } = await runCommand(
    host,
    {
      script: NEWEST,
      arguments: [repository, branch, moment, second],
      input: `${login?.user ?? ''}\n${login?.password ?? ''}\n`,
    },
    { timeoutMs: 300_000, acceptExitCodes: [0, 3] },
    task,
  );
  const [commit = '', committed = '', subject = '', first = ''] = stdout.split('\0');
  const at = new Date(committed);
  if (exitCode !== 0 || !/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit.trim()) || Number.isNaN(at.getTime())) {
    throw new Failure({
      code: 'fetch_failed',
      subject: `${repository}, ${describeHost(host)}`,
      message: `The branch ${branch} of ${repository} could not be fetched from ${describeHost(host)}`,
      nextStep: 'Check the address, the branch and the login, and that the host reaches the server (git ls-remote).',
    });
  }
  return {
    commit: commit.trim(),
    committedAt: at.toISOString(),
    ageHours: ageHours(at),
    subject,
    firstAfter: readFirst(first.trim()),
  };
}

/** As git wants it, and in seconds; both empty where nobody asks. */
function momentOf(since: string): readonly [string, string] {
  if (since === '') return ['', ''];
  const at = new Date(since);
  if (!Number.isNaN(at.getTime())) {
    return [at.toISOString().replace(/\.\d+Z$/, 'Z'), String(Math.floor(at.getTime() / 1000))];
  }
  throw new Failure({
    code: 'invalid_parameter',
    subject: 'Since',
    message: `"${since.slice(0, 60)}" is no point in time`,
    nextStep: 'Give it like 2026-11-21T06:30:00Z.',
  });
}

function readFirst(line: string): NewestCommit['firstAfter'] {
  const [commit = '', committed = ''] = line.split(' ');
  const at = new Date(committed);
  if (!/^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit) || Number.isNaN(at.getTime())) return null;
  return { commit, committedAt: at.toISOString(), ageHours: ageHours(at) };
}

function checkAddress(repository: string, branch: string): void {
  const isAddress = /^(https?:\/\/|ssh:\/\/|\/|[A-Za-z0-9_.-]+@[^:/]+:)[^\n\0]+$/.test(repository);
  const hasLogin = /^https?:\/\/[^/]*@/.test(repository);
  if (isAddress && !hasLogin && /^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$/.test(branch) && !branch.includes('..')) return;
  throw new Failure({
    code: 'invalid_parameter',
    subject: 'the repository',
    message: hasLogin
      ? 'The address of the repository holds a login'
      : 'The repository is no https, ssh or file address, or the branch has no plain name',
    nextStep: 'Copy its clone address, and give user and token apart.',
  });
}
