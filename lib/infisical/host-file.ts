import { createHash } from 'node:crypto';
import { Failure, isFailure } from '../failure';
import type { RunAs } from '../host/command';
import type { Host } from '../host/host';
import { readFile } from '../host/files/read';
import { writeFile } from '../host/files/write';
import { withoutSecrets } from '../secrets/redact';
import type { Task } from '../task';
import { type Format, readRendered, render } from './render';
import type { Entry } from './render/entry';

export interface FileOptions {
  readonly format: Format;
  /** Octal. Default 0600. */
  readonly mode?: string;
  readonly owner?: string;
  readonly group?: string;
  readonly createParents?: boolean;
  readonly runAs?: RunAs;
  /** Looks, and writes nothing: the drift check. */
  readonly dryRun?: boolean;
  /** An empty list usually means a wrong path, so it does not empty a file unless told to. */
  readonly allowEmpty?: boolean;
}

export interface FileReport {
  readonly path: string;
  readonly changed: boolean;
  /** `not understood`: there was a file, and which keys it had cannot be said. All keys count as added then. */
  readonly before: 'missing' | 'read' | 'not understood';
  readonly added: readonly string[];
  readonly altered: readonly string[];
  readonly removed: readonly string[];
  readonly keys: number;
  readonly mode: string;
  readonly owner: string;
  readonly group: string;
}

/**
 * Brings a file on a host to these secrets, whole or not at all, for its owner only. What it says of them are names. A
 * file that somebody else changed between reading and writing is a failure and stays as it is.
 */
export async function writeSecretFile(
  host: Host,
  path: string,
  entries: readonly Entry[],
  options: FileOptions,
  task: Task,
): Promise<FileReport> {
  const { format, mode = '0600', owner, group, createParents, runAs, dryRun = false, allowEmpty = false } = options;
  if (entries.length === 0 && !allowEmpty) {
    throw new Failure({
      code: 'no_secrets',
      subject: path,
      message: `There is not one secret to write to ${path}, so it was left as it is`,
      nextStep: 'Check project, environment and path; or allow an empty file if it is to be empty.',
    });
  }
  const content = render(entries, format);
  const former = await readFormer(host, path, options, task);
  const values = [...entries.map(({ value }) => value), ...(former?.known?.values() ?? [])];
  const result = await withoutSecrets(values, () =>
    writeFile(
      host,
      path,
      content,
      {
        mode,
        ...(owner !== undefined && { owner }),
        ...(group !== undefined && { group }),
        ...(createParents !== undefined && { createParents }),
        ...(runAs !== undefined && { runAs }),
        ifUnchanged: former?.sha256 ?? 'missing',
        dryRun,
      },
      task,
    ),
  );
  const known = former?.known ?? new Map<string, string>();
  const wanted = new Map(entries.map(({ key, value }) => [key, value]));
  const sorted = (keys: readonly string[]) => [...keys].sort();
  return {
    path: result.path,
    changed: result.changed,
    before: former === undefined ? 'missing' : former.known === undefined ? 'not understood' : 'read',
    added: sorted([...wanted.keys()].filter((key) => !known.has(key))),
    altered: sorted(
      [...wanted].filter(([key, value]) => known.has(key) && known.get(key) !== value).map(([key]) => key),
    ),
    removed: sorted([...known.keys()].filter((key) => !wanted.has(key))),
    keys: wanted.size,
    mode: result.after.mode,
    owner: result.after.owner,
    group: result.after.group,
  };
}

interface Former {
  readonly sha256: string;
  /** Undefined where it is not understood. */
  readonly known: Map<string, string> | undefined;
}

async function readFormer(
  host: Host,
  path: string,
  { format, runAs }: FileOptions,
  task: Task,
): Promise<Former | undefined> {
  try {
    const { content } = await readFile(host, path, runAs === undefined ? {} : { runAs }, task);
    const sha256 = createHash('sha256').update(content).digest('hex');
    return { sha256, known: readRendered(content.toString('utf8'), format) };
  } catch (error) {
    if (isFailure(error, 'file_missing')) return undefined;
    throw error;
  }
}
