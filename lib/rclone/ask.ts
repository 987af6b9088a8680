import { renderFields, secretsOf, vaultFields } from '../backup/plan-fields';
import type { RcloneConfiguration } from '../backup/plan';
import { Failure, isFailure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { runCommand } from '../host/run';
import { isObject } from '../json';
import { redact, withoutSecrets } from '../secrets/redact';
import type { Task } from '../task';
import { RCLONE, TEST_REMOTES } from './script';

export interface TestedRemote {
  readonly remote: string;
  readonly type: string;
  readonly works: boolean;
  readonly sentence: string;
}

const TEST_SECONDS = 30;

/** Which of the remotes answer, asked from a host: only there it shows whether they do. */
export async function testRemotes(host: Host, rclone: RcloneConfiguration, task: Task): Promise<TestedRemote[]> {
  const { stdout } = await asked(host, rclone, TEST_REMOTES, { deadline: TEST_SECONDS }, 10 * 60_000, task);
  const secrets = secretsOf({ rclone, crypt: '' });
  const lines = stdout.split('\n');
  const answers = new Map(
    lines.flatMap((line) => {
      const [, number, word, why = ''] = /^(\d+) (works|fails) ?(.*)$/.exec(line) ?? [];
      return number === undefined ? [] : [[number, word === 'works' ? '' : why] as const];
    }),
  );
  return lines.flatMap((line): TestedRemote[] => {
    const [, number = '', remote = '', type = ''] = /^remote (\d+) ([^:]*):(.*)$/.exec(line) ?? [];
    if (number === '') return [];
    const why = answers.get(number) ?? 'the host gave no answer about it';
    const good = type === 'crypt' ? `${remote} encrypts` : `${remote} answers`;
    return [
      { remote, type, works: why === '', sentence: why === '' ? good : redact(`${remote} fails: ${why}`, secrets) },
    ];
  });
}

export interface RemoteEntry {
  readonly path: string;
  readonly name: string;
  readonly folder: boolean;
  readonly bytes: number | null;
  readonly modifiedAt: string | null;
}

/** What is in a folder of a remote, `eva:backups`. Not there and empty are two answers. */
export async function listRemote(
  host: Host,
  rclone: RcloneConfiguration,
  request: { readonly path: string; readonly recursive: boolean; readonly maxEntries: number },
  task: Task,
): Promise<RemoteEntry[]> {
  const words = ['lsjson', ...(request.recursive ? ['--recursive'] : []), '--', checkedPath(request.path)];
  const value = await answerOf(host, rclone, words, `the list of ${request.path}`, task);
  if (!Array.isArray(value)) throw unreadable(host, request.path);
  if (value.length > request.maxEntries) {
    throw new Failure({
      code: 'rclone_list_too_long',
      subject: request.path,
      message: `${request.path} has ${value.length} entries, and at most ${request.maxEntries} were wanted`,
      nextStep: 'List a smaller folder, or raise Max Entries.',
    });
  }
  return value.map((each: unknown) => {
    if (!isObject(each) || typeof each['Path'] !== 'string') throw unreadable(host, request.path);
    const { Path: path, Name: name, IsDir: folder, Size: size, ModTime: time } = each;
    return {
      path,
      name: typeof name === 'string' ? name : path,
      folder: folder === true,
      bytes: typeof size === 'number' && size >= 0 && folder !== true ? size : null,
      modifiedAt: typeof time === 'string' ? time : null,
    };
  });
}

export interface RemoteRoom {
  readonly total: number | null;
  readonly used: number | null;
  readonly free: number | null;
  readonly trashed: number | null;
}

/** How much room a remote has. What it does not tell is null. */
export async function aboutRemote(
  host: Host,
  rclone: RcloneConfiguration,
  path: string,
  task: Task,
): Promise<RemoteRoom> {
  const value = await answerOf(host, rclone, ['about', '--json', '--', checkedPath(path)], `the room of ${path}`, task);
  if (!isObject(value)) throw unreadable(host, path);
  const count = (name: string) => (typeof value[name] === 'number' ? value[name] : null);
  return { total: count('total'), used: count('used'), free: count('free'), trashed: count('trashed') };
}

async function answerOf(
  host: Host,
  rclone: RcloneConfiguration,
  words: string[],
  what: string,
  task: Task,
): Promise<unknown> {
  const fields = {
    ...wordFields(['--log-level', 'ERROR', '--contimeout', '15s', '--timeout', '60s', ...words]),
    deadline: 300,
  };
  try {
    const { stdout, truncated } = await asked(host, rclone, RCLONE, fields, 330_000, task);
    if (truncated) throw unreadable(host, what);
    return JSON.parse(stdout) as unknown;
  } catch (error) {
    if (error instanceof SyntaxError) throw unreadable(host, what);
    if (!isFailure(error, 'command_failed')) throw error;
    const said = typeof error.details['stderr'] === 'string' ? error.details['stderr'].trim().split('\n').at(-1) : '';
    const missing = error.details['exitCode'] === 3;
    throw new Failure({
      code: missing ? 'rclone_missing' : 'rclone_failed',
      subject: what,
      message: missing
        ? `There is nothing at the place of ${what}`
        : `${describeHost(host)} did not get ${what}: ${reasonOf(said ?? '')}`,
      nextStep: 'Test the remotes of the credential, and check the path.',
    });
  }
}

/** rclone's own time and level are of no use in a sentence. */
export function reasonOf(line: string): string {
  return (
    line.replace(/^\d{4}\/\d\d\/\d\d [\d:]+ (?:(?:ERROR|NOTICE|CRITICAL) *: )?/, '').slice(0, 400) ||
    'no reason was given'
  );
}

async function asked(
  host: Host,
  rclone: RcloneConfiguration,
  script: string,
  fields: Parameters<typeof renderFields>[0],
  timeoutMs: number,
  task: Task,
) {
  const vault = { rclone, crypt: '' };
  const input = renderFields({ ...vaultFields(vault), ...fields });
  return await withoutSecrets(secretsOf(vault), () =>
    runCommand(host, { script, strict: false, input }, { timeoutMs, maxOutputBytes: 64 * 1024 * 1024 }, task),
  );
}

export function wordFields(words: readonly string[]): Record<string, string | number> {
  return { words: words.length, ...Object.fromEntries(words.map((word, index) => [`word.${index}`, word])) };
}

/** `remote:path`, or a path of the host itself. */
export function checkedPath(path: string): string {
  if (path.trim() !== '' && !path.startsWith('-') && !path.startsWith(':') && !/[\0\n]/.test(path)) return path;
  throw new Failure({
    code: 'rclone_path_invalid',
    subject: `the path ${path.slice(0, 60)}`,
    message: `"${path.slice(0, 60)}" is no path of a remote`,
    nextStep: 'Write it like eva:backups, with a remote of the credential.',
  });
}

function unreadable(host: Host, what: string): Failure {
  return new Failure({
    code: 'rclone_answer_unreadable',
    subject: what,
    message: `What rclone on ${describeHost(host)} answered about ${what} cannot be read`,
    nextStep: 'Check the version of rclone on that host; 1.60 or newer is needed.',
  });
}
