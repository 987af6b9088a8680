import { Failure, isFailure } from '../../failure';
import { isObject, type JsonObject } from '../../json';
import { type Fields, fieldsOf } from '../fields';
import type { ForgejoEvent } from './event';
import { type EventType, type Kind, kindOf } from './event-types';

type Found = Omit<ForgejoEvent, 'event' | 'kind' | 'delivery' | 'payload' | 'action'>;
type Reader = (payload: Fields, event: EventType) => Partial<Found>;

/** Reads a payload whose signature was checked. Throws `invalid_payload` for anything a server would not send. */
export function parseEvent(event: EventType, delivery: string, rawBody: Buffer): ForgejoEvent {
  const kind = kindOf(event);
  try {
    const { secret: _, ...payload } = jsonObject(rawBody);
    const fields = fieldsOf(payload, `the payload of ${event}`);
    return {
      ...nothing,
      ...readers[kind](fields, event),
      event,
      kind,
      action: hasAction(kind) ? fields.text('action') : null,
      delivery,
      payload: payload as JsonObject,
    };
  } catch (error) {
    if (!isFailure(error)) throw error;
    throw new Failure({
      code: 'invalid_payload',
      subject: `delivery ${delivery}`,
      message: error.message,
      nextStep: 'Look at the delivery in the settings of the hook; if its payload is in order, report this.',
    });
  }
}

function jsonObject(rawBody: Buffer): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(rawBody));
  } catch {
    // The parser's own words would quote the content.
    parsed = undefined;
  }
  if (isObject(parsed)) return parsed;
  throw new Failure({ code: 'invalid_payload', subject: 'payload', message: 'It is no JSON object', nextStep: '' });
}

const nothing: Found = {
  repo: null,
  repoUrl: null,
  cloneUrl: null,
  ref: null,
  branch: null,
  tag: null,
  isTag: false,
  isDeletion: false,
  isCreation: false,
  forced: null,
  before: null,
  after: null,
  compareUrl: null,
  pusher: null,
  changedPaths: [],
  changedPathsComplete: true,
  number: null,
  title: null,
  url: null,
};

function hasAction(kind: Kind): boolean {
  return kind !== 'push' && kind !== 'reference' && kind !== 'fork';
}

const readers: Readonly<Record<Kind, Reader>> = {
  push: readPush,
  reference: readReference,
  fork: (payload) => ({ ...repositoryOf(payload), ...senderOf(payload), url: payload.part('forkee').text('html_url') }),
  issue: (payload) => ({ ...repositoryOf(payload), ...senderOf(payload), ...issueOf(payload.part('issue')) }),
  comment: (payload) => ({
    ...repositoryOf(payload),
    ...senderOf(payload),
    ...issueOf(payload.part('issue')),
    url: payload.part('comment').textOrNull('html_url'),
  }),
  pullRequest: readPullRequest,
  wiki: (payload) => ({ ...repositoryOf(payload), ...senderOf(payload), title: payload.text('page') }),
  repository: (payload) => ({ ...repositoryOf(payload), ...senderOf(payload) }),
  release: readRelease,
  package: readPackage,
  run: readRun,
};

function repositoryOf(payload: Fields): Partial<Found> {
  const repository = payload.part('repository');
  return {
    repo: repository.text('full_name'),
    repoUrl: repository.textOrNull('html_url'),
    cloneUrl: repository.textOrNull('clone_url'),
  };
}

function senderOf(payload: Fields, field = 'sender'): Partial<Found> {
  return { pusher: payload.part(field).text('login') };
}

const BRANCH = 'refs/heads/';
const TAG = 'refs/tags/';

/** Hooks of type "gitea" send short names in create and delete, those of type "forgejo" whole ones. */
function referenceOf(ref: string, isTag: boolean): Partial<Found> {
  const prefix = isTag ? TAG : BRANCH;
  const name = ref.startsWith(prefix) ? ref.slice(prefix.length) : ref;
  return { ref: `${prefix}${name}`, branch: isTag ? null : name, tag: isTag ? name : null, isTag };
}

function readPush(payload: Fields): Partial<Found> {
  const ref = payload.text('ref');
  const before = commitOrNull(payload.text('before'));
  const after = commitOrNull(payload.text('after'));
  const commits = payload.parts('commits');
  const total = payload.has('total_commits') ? payload.number('total_commits') : commits.length;
  const head = payload.partOrNull('head_commit');
  // The first push of a branch that adds no commit lists none, and its head is not what was changed.
  return {
    ...repositoryOf(payload),
    ...senderOf(payload, 'pusher'),
    ...referenceOf(ref, ref.startsWith(TAG)),
    before,
    after,
    isCreation: before === null && after !== null,
    isDeletion: after === null,
    forced: before === null || after === null ? false : null,
    compareUrl: payload.textOrNull('compare_url'),
    changedPaths: [...new Set(commits.flatMap(pathsOf))].sort(),
    changedPathsComplete: total <= commits.length && commits.every(hasPaths),
    title: head?.textOrNull('message')?.split('\n')[0] ?? null,
    url: head?.textOrNull('url') ?? null,
  };
}

const PATH_LISTS = ['added', 'removed', 'modified'];

function pathsOf(commit: Fields): readonly string[] {
  return PATH_LISTS.flatMap((list) => commit.texts(list));
}

/** Old servers list none at all, and an empty list is written as null. */
function hasPaths(commit: Fields): boolean {
  return PATH_LISTS.some((list) => commit.has(list));
}

/** Forty zeros, or 64 in repositories with SHA-256, are git's way to say that there is none. */
function commitOrNull(id: string): string | null {
  return /^0+$/.test(id) ? null : id;
}

function readReference(payload: Fields, event: EventType): Partial<Found> {
  const sha = payload.textOrNull('sha');
  const isDeletion = event === 'delete';
  return {
    ...repositoryOf(payload),
    ...senderOf(payload),
    ...referenceOf(payload.text('ref'), payload.text('ref_type') === 'tag'),
    isDeletion,
    isCreation: !isDeletion,
    forced: false,
    after: isDeletion ? null : sha,
  };
}

function issueOf(issue: Fields): Partial<Found> {
  return { number: issue.number('number'), ...titleOf(issue) };
}

function titleOf(subject: Fields): Partial<Found> {
  return { title: subject.text('title'), url: subject.textOrNull('html_url') };
}

function readPullRequest(payload: Fields): Partial<Found> {
  const request = payload.part('pull_request');
  const base = request.part('base');
  const head = request.part('head');
  return {
    ...repositoryOf(payload),
    ...senderOf(payload),
    ...titleOf(request),
    number: payload.number('number'),
    ...referenceOf(base.text('ref'), false),
    before: base.textOrNull('sha'),
    after: head.textOrNull('sha'),
  };
}

function readRelease(payload: Fields): Partial<Found> {
  const release = payload.part('release');
  return {
    ...repositoryOf(payload),
    ...senderOf(payload),
    ...referenceOf(release.text('tag_name'), true),
    title: release.textOrNull('name'),
    url: release.textOrNull('html_url') ?? release.textOrNull('url'),
  };
}

/** A package belongs to an owner; only some are linked to a repository, and the outer field never says which. */
function readPackage(payload: Fields): Partial<Found> {
  const found = payload.part('package');
  const repository = found.partOrNull('repository');
  return {
    ...senderOf(payload),
    repo: repository?.textOrNull('full_name') ?? null,
    repoUrl: repository?.textOrNull('html_url') ?? null,
    cloneUrl: repository?.textOrNull('clone_url') ?? null,
    title: `${found.text('name')} ${found.text('version')}`,
    url: found.textOrNull('html_url'),
  };
}

function readRun(payload: Fields): Partial<Found> {
  const run = payload.part('run');
  return {
    ...repositoryOf(run),
    ...senderOf(run, 'trigger_user'),
    ...runReference(run.textOrNull('prettyref'), run.textOrNull('event_payload')),
    after: run.textOrNull('commit_sha'),
    title: run.textOrNull('title'),
    url: run.textOrNull('html_url'),
    number: run.number('index_in_repo'),
  };
}

/** The run says a short name, `#12` for a pull request; only the event that began it tells a tag from a branch. */
function runReference(short: string | null, began: string | null): Partial<Found> {
  if (short === null || short.startsWith('#')) return { ref: short };
  return referenceOf(short, refOf(began)?.startsWith(TAG) ?? false);
}

function refOf(eventPayload: string | null): string | undefined {
  try {
    const parsed: unknown = JSON.parse(eventPayload ?? '');
    return isObject(parsed) && typeof parsed['ref'] === 'string' ? parsed['ref'] : undefined;
  } catch {
    return undefined;
  }
}
