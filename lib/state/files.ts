import { Failure, isFailure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { runCommand } from '../host/run';
import type { RunAs, ScriptCommand } from '../host/command';
import { isInstant } from '../instant';
import { pause, type Task } from '../task';
import { TRACE_MS, type Backend, type Batch, type Outcome } from './backend';
import { parseJson } from '../json';
import { alive, isVersion, parseEntry } from './entry';
import { stateBusy, stateOutcomeUnknown, stateUnreadable } from './failures';
import { folderOfPrefix, keyOfPath, pathOfKey } from './file-name';
import { CLEAN_UP_SCRIPT, LIST_SCRIPT, READ_SCRIPT, WRITE_SCRIPT } from './file-scripts';
import { compareKeys } from './key';
import { openState } from './open';
import type { Entry, Listed, StateStore } from './store';

export interface FileStateOptions {
  readonly runAs?: RunAs;
  /** An absolute path. Default: the host's own records, /var/lib/selfhost/state for root, see lib/host/state-folder. */
  readonly folder?: string;
}

const TIMEOUT_MS = 60_000;
const LARGEST_ANSWER = 64 * 1024 * 1024;
const LOCK_HELD = 75;
const ATTEMPTS = 4;

/** State as one small file for each key on a host. */
export function fileState(host: Host, options: FileStateOptions, task: Task): StateStore {
  return openState(fileBackend(host, options, task), task);
}

function fileBackend(host: Host, { runAs, folder = '' }: FileStateOptions, task: Task): Backend {
  const place = `state ${folder === '' ? '' : `in ${folder} `}on ${describeHost(host)}`;
  if (folder !== '' && !/^\/[^/]/.test(folder)) throw badFolder(place, folder);

  async function run(what: string, script: string, args: readonly string[], input = ''): Promise<string> {
    const command: ScriptCommand = { script, arguments: [folder, ...args], input, runAs };
    try {
      const { stdout, truncated } = await runCommand(
        host,
        command,
        { timeoutMs: TIMEOUT_MS, maxOutputBytes: LARGEST_ANSWER },
        task,
      );
      if (truncated) throw stateUnreadable(place, what, 'there is more of it than fits into one answer');
      return stdout;
    } catch (error) {
      throw isFailure(error, 'command_failed') ? scriptFailed(place, what, error) : error;
    }
  }

  /** Makes a change. The script knows the id of a change that was made, so after a broken connection it may be sent again. */
  async function change(key: string, args: readonly string[], value: string): Promise<Outcome> {
    for (let attempt = 1, lost: unknown; ; attempt += 1) {
      try {
        return parseOutcome(await run(key, WRITE_SCRIPT, args, value), place, key);
      } catch (error) {
        if (isBroken(error)) lost = error;
        else if (lost === undefined || !isFailure(error, 'host_unreachable')) throw error;
        if (attempt >= ATTEMPTS) throw stateOutcomeUnknown(place, key, lost);
        await pause(250 * attempt, task.signal, key);
      }
    }
  }

  /** Reads may be repeated. */
  async function ask(what: string, script: string, args: readonly string[], input?: string): Promise<string> {
    try {
      return await run(what, script, args, input);
    } catch (error) {
      if (!isBroken(error)) throw error;
      return await run(what, script, args, input);
    }
  }

  async function readAll(keys: readonly string[]): Promise<(() => Entry | undefined)[]> {
    const answer = await ask(
      keys.length === 1 ? String(keys[0]) : 'the list',
      READ_SCRIPT,
      [],
      keys.map((key) => `${pathOfKey(key)}\0`).join(''),
    );
    const [now = '', ...lines] = answer.trimEnd().split('\n');
    if (!isInstant(now) || lines.length !== keys.length) throw strangeAnswer(place);
    return keys.map((key, index) => () => {
      const line = lines[index] ?? '';
      if (line === '-') return undefined;
      return alive(parseEntry(parseJson(decode(line.slice(1), place, key)), place, key), now);
    });
  }

  return {
    place,
    read: async (key) => (await readAll([key]))[0]?.(),
    write: ({ key, id, value, expected, ttlMs }) =>
      change(
        key,
        ['write', pathOfKey(key), String(expected), String(ttlMs ?? ''), id, String(Buffer.byteLength(value))],
        value,
      ),
    remove: ({ key, id, expected }) => change(key, ['remove', pathOfKey(key), String(expected), '', id, '0'], ''),
    list: async (prefix, after, limit): Promise<Batch> => {
      const paths = (await ask('the list', LIST_SCRIPT, [folderOfPrefix(prefix)])).split('\0').slice(0, -1);
      const keys = paths
        .map(keyOfPath)
        .filter((key) => key !== undefined)
        .filter((key) => key.startsWith(prefix) && (after === '' || compareKeys(key, after) > 0))
        .sort(compareKeys);
      const page = keys.slice(0, limit);
      const entries = page.length === 0 ? [] : await readAll(page);
      const items = page.map((key, index) => listed(key, entries[index])).filter((item) => item !== undefined);
      return keys.length > limit ? { items, next: page.at(-1) } : { items };
    },
    cleanUp: async () => {
      const count = Number((await ask('the whole', CLEAN_UP_SCRIPT, [String(TRACE_MS)])).trim());
      if (!Number.isInteger(count)) throw strangeAnswer(place);
      return count;
    },
    close: () => Promise.resolve(),
  };
}

function listed(key: string, look: (() => Entry | undefined) | undefined): Listed | undefined {
  try {
    const entry = look?.();
    return entry === undefined ? undefined : { key, entry };
  } catch (error) {
    if (isFailure(error)) return { key, failure: error };
    throw error;
  }
}

function parseOutcome(answer: string, place: string, key: string): Outcome {
  const [word = '', rest = ''] = answer.trimEnd().split(' ');
  if (word === 'absent') return { outcome: 'absent' };
  if (word === 'strange') {
    // It says itself what is wrong with it; when the parser finds nothing, it is still not in our form.
    parseEntry(parseJson(decode(rest, place, key)), place, key);
    throw stateUnreadable(place, key, 'it is not in the form in which entries are written');
  }
  const version = Number(rest);
  if ((word !== 'done' && word !== 'present') || !isVersion(version)) throw strangeAnswer(place);
  return { outcome: word, version };
}

function decode(base64: string, place: string, key: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'));
  } catch {
    throw stateUnreadable(place, key, 'it is not text in UTF-8');
  }
}

/** The command was, or may have been, under way when this happened. */
function isBroken(error: unknown): boolean {
  return (
    isFailure(error) &&
    ['connection_lost', 'exit_status_missing', 'command_timeout', 'command_not_started'].includes(error.code)
  );
}

/** What a script printed may hold values, so it does not travel with the failure. */
function scriptFailed(place: string, what: string, failure: Failure): Failure {
  const { exitCode, stderr } = failure.details;
  if (exitCode === LOCK_HELD) return stateBusy(place, what, 'somebody else held its lock for 20 s');
  const said = typeof stderr === 'string' ? stderr.trimEnd().split('\n').at(-1)?.slice(0, 300) : undefined;
  return new Failure({
    code: 'state_failed',
    subject: `${what} in the ${place}`,
    message: `The ${place} could not be used for ${what}: ${said || `the script ended with exit code ${JSON.stringify(exitCode)}`}`,
    nextStep: 'Check that the folder can be written to and that the disk is not full.',
    details: { exitCode: exitCode ?? null },
  });
}

function strangeAnswer(place: string): Failure {
  return stateUnreadable(place, 'the answer', 'it is not what the script prints');
}

function badFolder(place: string, folder: string): Failure {
  return new Failure({
    code: 'state_folder_invalid',
    subject: place,
    message: `"${folder}" is not a folder for state: it must be an absolute path`,
    nextStep: 'Give a path that begins with a slash, or none for the usual folder.',
  });
}
