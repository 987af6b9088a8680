import { isObject } from '../../../lib/json';
import { type Asked, jsonOf, type Reply, type Route } from '../http';
import { typesOf } from './deliver';
import { paged } from './paged';
import { notFound, Refusal } from './refusal';
import { type Hook, keyOf, type State } from './state';

type Find = (asked: Asked) => Hook[];

export function hookRoutes(state: State): readonly Route[] {
  const ofRepository: Find = ({ params }) => {
    const found = state.repositories.get(keyOf(params['owner'] ?? '', params['repo'] ?? ''));
    if (found === undefined) throw notFound();
    return found.hooks;
  };
  const ofOrganization: Find = ({ params }) => {
    const org = (params['org'] ?? '').toLowerCase();
    if (!state.organizations.has(org)) throw notFound();
    const hooks = state.organizationHooks.get(org) ?? [];
    state.organizationHooks.set(org, hooks);
    return hooks;
  };
  return [
    ...routesUnder(state, '/repos/{owner}/{repo}', ofRepository),
    ...routesUnder(state, '/orgs/{org}', ofOrganization),
    ...routesUnder(state, '/admin', () => state.systemHooks),
  ];
}

function routesUnder(state: State, prefix: string, find: Find): readonly Route[] {
  const one = (asked: Asked) => {
    const hook = find(asked).find(({ id }) => String(id) === asked.params['id']);
    if (hook === undefined) throw notFound();
    return hook;
  };
  return [
    {
      method: 'GET',
      template: `/api/v1${prefix}/hooks`,
      // Those of the server come all at once, whatever page is asked for.
      handle: (asked) =>
        prefix === '/admin'
          ? { status: 200, json: find(asked).map(shown) }
          : paged(state, asked, find(asked).map(shown)),
    },
    {
      method: 'POST',
      template: `/api/v1${prefix}/hooks`,
      handle: (asked) => {
        const { hook, isTemplate } = newHook(state, jsonOf(asked), prefix === '/admin');
        if (!isTemplate) find(asked).push(hook);
        return { status: 201, json: shown(hook) };
      },
    },
    {
      method: 'GET',
      template: `/api/v1${prefix}/hooks/{id}`,
      handle: (asked) => ({ status: 200, json: shown(one(asked)) }),
    },
    {
      method: 'PATCH',
      template: `/api/v1${prefix}/hooks/{id}`,
      handle: (asked): Reply => {
        const hook = one(asked);
        edit(state, hook, jsonOf(asked));
        return { status: 200, json: shown(hook) };
      },
    },
    {
      method: 'DELETE',
      template: `/api/v1${prefix}/hooks/{id}`,
      handle: (asked) => {
        const hook = one(asked);
        const hooks = find(asked);
        hooks.splice(hooks.indexOf(hook), 1);
        return { status: 204 };
      },
    },
  ];
}

function newHook(state: State, body: unknown, isOfServer: boolean): { hook: Hook; isTemplate: boolean } {
  if (!isObject(body) || !isObject(body['config'])) throw new Refusal(422, 'Missing config');
  const { url, content_type: contentType, secret, is_system_webhook: isSystem } = body['config'];
  if (typeof url !== 'string' || !URL.canParse(url)) throw new Refusal(422, 'Invalid url');
  if (contentType !== 'json' && contentType !== 'form') throw new Refusal(422, 'Invalid content type');
  const hook: Hook = {
    id: state.nextId(),
    url,
    contentType,
    secret: typeof secret === 'string' ? secret : '',
    // Hooks made by the API sleep until somebody says otherwise.
    active: body['active'] === true,
    events: typesOf(state, textsOf(body['events'])),
    branchFilter: typeof body['branch_filter'] === 'string' ? body['branch_filter'] : '',
    type: String(body['type']),
    created: state.now(),
  };
  return { hook, isTemplate: isOfServer && isSystem !== 'true' };
}

/** An edit takes neither another secret nor packages nor runs. */
function edit(state: State, hook: Hook, body: unknown): void {
  if (!isObject(body)) throw new Refusal(422, 'Missing body');
  const config = isObject(body['config']) ? body['config'] : {};
  if (typeof config['url'] === 'string') hook.url = config['url'];
  if (typeof config['content_type'] === 'string') hook.contentType = config['content_type'];
  if (typeof body['active'] === 'boolean') hook.active = body['active'];
  const isKept = (type: string) => type === 'package' || type.startsWith('action_run_');
  hook.events = [
    ...typesOf(state, textsOf(body['events'])).filter((type) => !isKept(type)),
    ...hook.events.filter(isKept),
  ];
  hook.branchFilter = typeof body['branch_filter'] === 'string' ? body['branch_filter'] : '';
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** The secret is never shown. */
function shown({ id, url, contentType, active, events, branchFilter, type, created }: Hook): Record<string, unknown> {
  return {
    id,
    type,
    url,
    content_type: contentType,
    config: { url, content_type: contentType },
    active,
    events,
    branch_filter: branchFilter,
    authorization_header: '',
    created_at: created,
    updated_at: created,
    metadata: null,
  };
}
