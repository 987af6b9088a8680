import { Failure } from '../failure';
import { path } from '../http/path';
import type { Task } from '../task';
import { read } from './answer';
import type { InfisicalApi } from './api';
import { checkKey, describePlace, type Place } from './place';
import { parseSecret, type Secret } from './secret';

export interface ListOptions {
  /** Folders below too. */
  readonly recursive?: boolean;
  /** What other folders and environments lend to this one. Default true. */
  readonly imports?: boolean;
  /** `${prod.db.PASSWORD}` becomes what it stands for. Default true. */
  readonly expand?: boolean;
  /** False: names only, for whoever needs no values. Default true. */
  readonly values?: boolean;
}

/**
 * All secrets of a folder, sorted. Its own come before imported ones, and of two imports the later counts, as in
 * Infisical's own command line.
 */
export async function listSecrets(
  api: InfisicalApi,
  place: Place,
  options: ListOptions,
  task: Task,
): Promise<readonly Secret[]> {
  const { recursive = false, imports = true, expand = true, values = true } = options;
  const secrets = await api.ask(
    {
      method: 'GET',
      path: path('/api/v4/secrets'),
      query: {
        projectId: place.projectId,
        environment: place.environment,
        secretPath: place.path,
        viewSecretValue: values,
        expandSecretReferences: expand,
        recursive,
        include_imports: imports,
      },
    },
    (body) => {
      const answer = read(body, 'a list of secrets');
      const own = answer
        .list('secrets')
        .map((one) => parseSecret(one, { path: place.path, environment: place.environment, imported: false }));
      const lent = answer.list('imports').flatMap((one) => {
        const source = read(one, 'an import');
        const origin = { path: source.text('secretPath'), environment: source.text('environment'), imported: true };
        return source.list('secrets').map((secret) => parseSecret(secret, origin));
      });
      const ownKeys = new Set(own.filter((secret) => secret.path === place.path).map(({ key }) => key));
      const last = new Map(lent.map((secret) => [secret.key, secret]));
      return [...own, ...[...last.values()].filter(({ key }) => !ownKeys.has(key))];
    },
    task,
  );
  return [...secrets].sort((one, other) => compareText(one.path, other.path) || compareText(one.key, other.key));
}

export interface GetOptions {
  readonly version?: number;
  readonly imports?: boolean;
  readonly expand?: boolean;
  readonly values?: boolean;
}

export function getSecret(
  api: InfisicalApi,
  place: Place,
  key: string,
  options: GetOptions,
  task: Task,
): Promise<Secret> {
  const { version, imports = true, expand = true, values = true } = options;
  return api.ask(
    {
      method: 'GET',
      path: path('/api/v4/secrets/{key}', { key: checkKey(key) }),
      query: {
        projectId: place.projectId,
        environment: place.environment,
        secretPath: place.path,
        version,
        viewSecretValue: values,
        expandSecretReferences: expand,
        include_imports: imports,
      },
    },
    (body) =>
      parseSecret(read(body, 'an answer').raw('secret'), {
        path: place.path,
        environment: place.environment,
        imported: false,
      }),
    task,
  );
}

/** Every version that the server still has, the newest first. */
export async function secretHistory(
  api: InfisicalApi,
  place: Place,
  key: string,
  limit: number,
  task: Task,
): Promise<readonly Secret[]> {
  const newest = await getSecret(api, place, key, { imports: false, expand: false }, task);
  const versions: Secret[] = [newest];
  for (let version = newest.version - 1; version >= 1 && versions.length < limit; version -= 1) {
    try {
      versions.push(await getSecret(api, place, key, { version, imports: false, expand: false }, task));
    } catch (error) {
      // Projects keep so many versions and no more.
      if (error instanceof Failure && error.code === 'not_found') break;
      throw error;
    }
  }
  return versions;
}

/** What came of a write: done, or waiting until somebody approves it on the server. */
export type Written<Value> =
  | { readonly state: 'done'; readonly value: Value }
  | { readonly state: 'waiting for approval'; readonly approvalId: string };

export function written<Value>(body: unknown, parse: (body: unknown) => Value): Written<Value> {
  const answer = read(body, 'an answer');
  if (answer.raw('approval') === undefined) return { state: 'done', value: parse(body) };
  return { state: 'waiting for approval', approvalId: answer.part('approval').text('id') };
}

export interface SecretToWrite {
  readonly key: string;
  readonly value: string;
  readonly comment?: string;
}

export async function createSecret(
  api: InfisicalApi,
  place: Place,
  secret: SecretToWrite,
  task: Task,
): Promise<Written<Secret>> {
  return write(api, 'POST', place, secret.key, { secretValue: keptValue(secret), ...commentOf(secret) }, task);
}

export interface SecretChange {
  readonly value?: string;
  readonly comment?: string;
  readonly newKey?: string;
}

export async function updateSecret(
  api: InfisicalApi,
  place: Place,
  key: string,
  { value, comment, newKey }: SecretChange,
  task: Task,
): Promise<Written<Secret>> {
  return write(
    api,
    'PATCH',
    place,
    key,
    {
      ...(value !== undefined && { secretValue: keptValue({ key, value }) }),
      ...(comment !== undefined && { secretComment: comment }),
      ...(newKey !== undefined && { newSecretName: checkKey(newKey) }),
    },
    task,
  );
}

export async function deleteSecret(api: InfisicalApi, place: Place, key: string, task: Task): Promise<Written<Secret>> {
  return write(api, 'DELETE', place, key, {}, task);
}

function write(
  api: InfisicalApi,
  method: 'POST' | 'PATCH' | 'DELETE',
  place: Place,
  key: string,
  fields: Readonly<Record<string, string>>,
  task: Task,
): Promise<Written<Secret>> {
  return api.ask(
    {
      method,
      path: path('/api/v4/secrets/{key}', { key: checkKey(key) }),
      body: { json: { ...scope(place), ...fields } },
    },
    (body) =>
      written(body, (done) =>
        parseSecret(read(done, 'an answer').raw('secret'), {
          path: place.path,
          environment: place.environment,
          imported: false,
        }),
      ),
    task,
  );
}

export type BatchMode = 'create' | 'update' | 'upsert';

/** Many in one step, all or none of them. */
export function writeSecrets(
  api: InfisicalApi,
  place: Place,
  mode: BatchMode,
  secrets: readonly SecretToWrite[],
  task: Task,
): Promise<Written<readonly Secret[]>> {
  const listed = onlyOnce(secrets).map((secret) => ({
    secretKey: checkKey(secret.key),
    secretValue: keptValue(secret),
    ...commentOf(secret),
  }));
  return batch(
    api,
    mode === 'create' ? 'POST' : 'PATCH',
    place,
    { ...(mode !== 'create' && { mode: mode === 'upsert' ? 'upsert' : 'failOnNotFound' }), secrets: listed },
    task,
  );
}

export function deleteSecrets(
  api: InfisicalApi,
  place: Place,
  keys: readonly string[],
  task: Task,
): Promise<Written<readonly Secret[]>> {
  return batch(api, 'DELETE', place, { secrets: keys.map((key) => ({ secretKey: checkKey(key) })) }, task);
}

function batch(
  api: InfisicalApi,
  method: 'POST' | 'PATCH' | 'DELETE',
  place: Place,
  fields: { readonly mode?: string; readonly secrets: readonly Readonly<Record<string, string>>[] },
  task: Task,
): Promise<Written<readonly Secret[]>> {
  if (fields.secrets.length === 0) {
    throw new Failure({
      code: 'no_secrets',
      subject: describePlace(place),
      message: 'No secret is given',
      nextStep: 'Give at least one.',
    });
  }
  return api.ask(
    { method, path: path('/api/v4/secrets/batch'), body: { json: { ...scope(place), ...fields } } },
    (body) =>
      written(body, (done) =>
        read(done, 'an answer')
          .list('secrets')
          .map((one) => parseSecret(one, { path: place.path, environment: place.environment, imported: false })),
      ),
    task,
  );
}

export interface Upserted {
  readonly created: readonly string[];
  readonly updated: readonly string[];
  readonly unchanged: readonly string[];
  readonly approvalId?: string;
}

/** Brings secrets to these values; what has its value already gets no new version. */
export async function upsertSecrets(
  api: InfisicalApi,
  place: Place,
  secrets: readonly SecretToWrite[],
  dryRun: boolean,
  task: Task,
): Promise<Upserted> {
  const listed = await listSecrets(api, place, { imports: false, expand: false }, task);
  const present = new Map(listed.map((secret) => [secret.key, secret]));
  const isSame = (secret: SecretToWrite) => {
    const known = present.get(secret.key);
    if (known === undefined || known.hidden) return false;
    const sameComment = secret.comment === undefined || secret.comment === known.comment;
    return known.value.reveal() === keptValue(secret) && sameComment;
  };
  const different = onlyOnce(secrets).filter((secret) => !isSame(secret));
  const names = (some: readonly SecretToWrite[]) => some.map(({ key }) => key).sort();
  const result = {
    created: names(different.filter(({ key }) => !present.has(key))),
    updated: names(different.filter(({ key }) => present.has(key))),
    unchanged: names(secrets.filter(isSame)),
  };
  if (dryRun || different.length === 0) return result;
  const answer = await writeSecrets(api, place, 'upsert', different, task);
  return answer.state === 'done' ? result : { ...result, approvalId: answer.approvalId };
}

/**
 * Infisical takes white space off both ends of a value, all but one line end. A password that would be another one
 * afterwards is refused here.
 */
function keptValue({ key, value }: SecretToWrite): string {
  const trimmed = value.trim();
  const kept = value.endsWith('\n') && trimmed !== '' ? `${trimmed}\n` : trimmed;
  if (kept === value) return value;
  throw new Failure({
    code: 'secret_value_not_kept',
    subject: `secret ${key}`,
    message: `The value of ${key} begins or ends with white space, which Infisical would take off`,
    nextStep: 'Take it off before, or store the value encoded, for example in base64.',
  });
}

function onlyOnce(secrets: readonly SecretToWrite[]): readonly SecretToWrite[] {
  const seen = new Set<string>();
  for (const { key } of secrets) {
    if (seen.has(key)) {
      throw new Failure({
        code: 'secret_twice',
        subject: `secret ${key}`,
        message: `${key} is given twice`,
        nextStep: 'Keep one of them.',
      });
    }
    seen.add(key);
  }
  return secrets;
}

function scope({ projectId, environment, path: secretPath }: Place) {
  return { projectId, environment, secretPath };
}

function commentOf({ comment }: SecretToWrite): Readonly<Record<string, string>> {
  return comment === undefined ? {} : { secretComment: comment };
}

export function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
