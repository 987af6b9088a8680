import { createHash } from 'node:crypto';

import { Failure } from '../failure';
import type { JsonObject } from '../json';
import type { Task } from '../task';
import { type ForgejoApi, orNull } from './api';
import { endpoint } from './endpoint';
import { fieldsOf } from './fields';
import type { RepositoryName } from './repository-name';

export interface FileContent {
  readonly path: string;
  readonly sha: string;
  readonly size: number;
  readonly content: Buffer;
}

interface Entry {
  readonly path: string;
  readonly sha: string;
  readonly size: number;
  readonly type: string;
  readonly content: string | null;
}

function parseEntry(body: unknown): Entry | null {
  // A folder answers with the list of what is in it.
  if (Array.isArray(body)) return null;
  const entry = fieldsOf(body, 'a file');
  return {
    path: entry.text('path'),
    sha: entry.text('sha'),
    size: entry.number('size'),
    type: entry.text('type'),
    content: entry.textOrNull('content'),
  };
}

const read = endpoint('GET', '/repos/{owner}/{repo}/contents/{filepath}', parseEntry);
const change = endpoint('POST', '/repos/{owner}/{repo}/contents', (body) =>
  fieldsOf(body, 'the answer to a change').part('commit').text('sha'),
);

export const contentEndpoints = [read, change];

export interface Place {
  readonly name: RepositoryName;
  /** Branch, tag or commit; empty: the default branch. */
  readonly ref: string;
}

export async function readFile(api: ForgejoApi, place: Place, path: string, task: Task): Promise<FileContent> {
  const entry = await find(api, place, path, task);
  if (entry?.type !== 'file') {
    throw new Failure({
      code: entry === undefined ? 'not_found' : 'not_a_file',
      subject: `${path} in ${fullName(place)}`,
      message: `${path} in ${fullName(place)} is ${entry === undefined ? 'not there' : 'no file'}`,
      nextStep: 'Check the path and the branch.',
    });
  }
  return { path: entry.path, sha: entry.sha, size: entry.size, content: Buffer.from(entry.content ?? '', 'base64') };
}

/** Undefined when it is not there, null when it is a folder. */
async function find(
  api: ForgejoApi,
  { name, ref }: Place,
  path: string,
  task: Task,
): Promise<Entry | null | undefined> {
  const query = ref === '' ? {} : { ref };
  const at = { ...name, filepath: segmentsOf(path) };
  const found = await orNull(api.call(read, { at, query }, task).then((entry) => ({ entry })));
  return found === null ? undefined : found.entry;
}

export interface WantedFile {
  readonly path: string;
  /** Null: the file is not to be there. */
  readonly content: Buffer | null;
}

export interface WantedFiles {
  readonly name: RepositoryName;
  /** Empty: the default branch. */
  readonly branch: string;
  readonly files: readonly WantedFile[];
  readonly message: string;
}

export interface FilesChanged {
  readonly changed: boolean;
  readonly dryRun: boolean;
  /** Null when nothing was committed. */
  readonly commit: string | null;
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly deleted: readonly string[];
}

/**
 * Lets the files be as wanted, in one commit that holds only what differs. Each change names the state it was decided
 * on, so whoever changed a file in between makes the whole commit fail, and nothing of theirs is lost.
 */
export async function ensureFiles(
  api: ForgejoApi,
  { name, branch, files, message }: WantedFiles,
  dryRun: boolean,
  task: Task,
): Promise<FilesChanged> {
  const operations: FileOperation[] = [];
  for (const file of files) {
    const there = await find(api, { name, ref: branch }, file.path, task);
    if (there === null) throw inTheWay(file.path);
    const operation = operationFor(file, there);
    if (operation !== undefined) operations.push(operation);
  }
  const pathsOf = (kind: FileOperation['operation']) =>
    operations.filter(({ operation }) => operation === kind).map(({ path }) => path);
  const result = { created: pathsOf('create'), updated: pathsOf('update'), deleted: pathsOf('delete'), dryRun };
  if (operations.length === 0 || dryRun) return { changed: operations.length > 0, commit: null, ...result };
  const json = {
    files: operations.map((operation): JsonObject => ({ ...operation })),
    message,
    ...(branch !== '' && { branch }),
  };
  return { changed: true, commit: await api.call(change, { at: { ...name }, body: { json } }, task), ...result };
}

type FileOperation = {
  readonly operation: 'create' | 'update' | 'delete';
  readonly path: string;
  readonly content?: string;
  readonly sha?: string;
};

function operationFor({ path, content }: WantedFile, there: Entry | undefined): FileOperation | undefined {
  const clean = segmentsOf(path).join('/');
  if (content === null) {
    return there === undefined ? undefined : { operation: 'delete', path: clean, sha: there.sha };
  }
  const base64 = content.toString('base64');
  if (there === undefined) return { operation: 'create', path: clean, content: base64 };
  if (blobId(content, there.sha.length) === there.sha) return undefined;
  return { operation: 'update', path: clean, sha: there.sha, content: base64 };
}

/** The name git gives to such a content: known without fetching what is there. */
function blobId(content: Buffer, length: number): string {
  const hash = createHash(length === 64 ? 'sha256' : 'sha1');
  return hash.update(`blob ${content.length}\0`).update(content).digest('hex');
}

function segmentsOf(path: string): readonly string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function inTheWay(path: string): Failure {
  return new Failure({
    code: 'not_a_file',
    subject: path,
    message: `${path} is a folder, so it cannot be written as a file`,
    nextStep: 'Choose another path; nothing was changed.',
  });
}

function fullName({ name: { owner, repo } }: Place): string {
  return `${owner}/${repo}`;
}
