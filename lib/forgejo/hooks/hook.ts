import type { Task } from '../../task';
import { type ForgejoApi, orNull } from '../api';
import { command, endpoint } from '../endpoint';
import { fieldsOf, unreadable } from '../fields';
import type { JsonObject } from '../../json';

export interface Hook {
  readonly id: number;
  readonly url: string;
  readonly contentType: string;
  readonly active: boolean;
  /** Every type it sends, by its precise name. */
  readonly events: readonly string[];
  readonly branchFilter: string;
}

export type HookScope =
  | { readonly kind: 'repository'; readonly owner: string; readonly repo: string }
  | { readonly kind: 'organization'; readonly org: string }
  /** All repositories of the server; for its admins. */
  | { readonly kind: 'system' };

export function scopeName(scope: HookScope): string {
  switch (scope.kind) {
    case 'repository':
      return `repository ${scope.owner}/${scope.repo}`;
    case 'organization':
      return `organization ${scope.org}`;
    case 'system':
      return 'the whole server';
  }
}

function parseHook(body: unknown): Hook {
  const hook = fieldsOf(body, 'a webhook');
  const config = hook.part('config');
  return {
    id: hook.number('id'),
    url: config.textOrNull('url') ?? '',
    contentType: config.textOrNull('content_type') ?? '',
    active: hook.flag('active'),
    events: hook.texts('events'),
    branchFilter: hook.textOrNull('branch_filter') ?? '',
  };
}

function hooksUnder<const Prefix extends string>(prefix: Prefix) {
  return {
    list: endpoint('GET', `${prefix}/hooks`, parseHook),
    create: endpoint('POST', `${prefix}/hooks`, parseHook),
    get: endpoint('GET', `${prefix}/hooks/{id}`, parseHook),
    remove: command('DELETE', `${prefix}/hooks/{id}`),
  };
}

/** Those of the server come all at once, whatever page is asked for. */
function parseHooks(body: unknown): readonly Hook[] {
  if (body === null) return [];
  if (!Array.isArray(body)) throw unreadable('the webhooks of the server', 'they are no list');
  return body.map(parseHook);
}

const ofRepository = hooksUnder('/repos/{owner}/{repo}');
const ofOrganization = hooksUnder('/orgs/{org}');
const ofSystem = { ...hooksUnder('/admin'), list: endpoint('GET', '/admin/hooks', parseHooks) };

export const hookEndpoints = [ofRepository, ofOrganization, ofSystem].flatMap((group) => Object.values(group));

/** The webhooks of one scope. */
export interface Hooks {
  readonly list: (task: Task) => Promise<readonly Hook[]>;
  readonly get: (id: number, task: Task) => Promise<Hook | null>;
  readonly create: (hook: JsonObject, task: Task) => Promise<Hook>;
  /** False when it was gone already. */
  readonly remove: (id: number, task: Task) => Promise<boolean>;
}

export function hooksOf(api: ForgejoApi, scope: HookScope): Hooks {
  switch (scope.kind) {
    case 'repository':
      return hooksIn(api, ofRepository, { owner: scope.owner, repo: scope.repo });
    case 'organization':
      return hooksIn(api, ofOrganization, { org: scope.org });
    case 'system':
      return { ...hooksIn(api, ofSystem, {}), list: (task) => api.call(ofSystem.list, { at: {} }, task) };
  }
}

type Group = ReturnType<typeof hooksUnder<string>>;

function hooksIn(api: ForgejoApi, group: unknown, at: Readonly<Record<string, string>>): Hooks {
  // The three groups differ in the names of their parameters only.
  const { list, get, create, remove } = group as Group;
  return {
    list: async (task) => (await api.list(list, { at }, task)).items,
    get: (id, task) => orNull(api.call(get, { at: { ...at, id } }, task)),
    create: (hook, task) => api.call(create, { at, body: { json: hook } }, task),
    remove: async (id, task) => {
      const removed = await orNull(api.call(remove, { at: { ...at, id } }, task).then(() => true));
      return removed ?? false;
    },
  };
}
