import { isObject } from '../../../lib/json';
import { type Asked, jsonOf, type Reply, type Route } from '../http';
import { paged } from './paged';
import { notFound, Refusal } from './refusal';
import { definitionOf, resolve, sampleOf } from './sample';
import type { State } from './state';

/** A thing that the server keeps without knowing more about it than its description says. */
export interface Thing {
  readonly definition: string;
  /** The list it stands in: `/repos/kua/infrastructure/labels`. */
  readonly list: string;
  readonly value: Record<string, unknown>;
}

export interface Described {
  readonly routes: readonly Route[];
  readonly things: Thing[];
  /** As if somebody had made it: `add('/repos/kua/site/labels', 'Label', { name: 'bug' })`. */
  readonly add: (list: string, definition: string, value: Record<string, unknown>) => Record<string, unknown>;
}

type Document = Readonly<Record<string, unknown>>;
type Body = Readonly<Record<string, unknown>>;

/**
 * What no file of its own serves, served as the description says: what is made is kept, listed in pages, found by its
 * number or name, changed and deleted.
 */
export function describedRoutes(state: State, document: Document): Described {
  const things: Thing[] = [];
  const definitions = isObject(document['definitions']) ? document['definitions'] : {};
  const add: Described['add'] = (list, definition, value) => {
    const sample = sampleOf(document, definitions[definition]);
    const made = { ...(isObject(sample) ? sample : {}), ...numbered(state, definition), ...value };
    things.push({ definition, list, value: made });
    return made;
  };
  const routes = operationsOf(document).flatMap(({ method, template, operation, getDefinition }): Route[] => {
    const answers = isObject(operation['responses']) ? operation['responses'] : {};
    const status = Object.keys(answers).find((code) => /^2/.test(code));
    if (status === undefined) return [];
    const { name: definition, isList } = definitionOf(document, answers[status]);
    const { schema } = resolve(document, answers[status]);
    const handle = (asked: Asked): Reply => {
      const path = asked.path.slice('/api/v1'.length);
      const list = path.slice(0, path.lastIndexOf('/'));
      const key = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
      const json = jsonOf(asked);
      const body: Body = isObject(json) ? json : {};
      const isMember = /\}$/.test(template);
      // Of a secret nothing is shown by its own address.
      const kept = definition !== '' ? definition : /\/secrets\/[^/]+$/.test(path) ? 'Secret' : (getDefinition ?? '');
      const find = () =>
        things.find((thing) => thing.definition === kept && isCalled(thing, key) && sameBase(thing.list, path));
      const labels = /^(\/repos\/[^/]+\/[^/]+)\/issues\/\d+\/labels$/.exec(path);
      if (labels !== null && (method === 'POST' || method === 'PUT')) {
        if (method === 'PUT') things.splice(0, things.length, ...things.filter((thing) => thing.list !== path));
        for (const id of Array.isArray(body['labels']) ? (body['labels'] as unknown[]) : []) {
          const known = things.find((thing) => thing.list === `${labels[1] ?? ''}/labels` && thing.value['id'] === id);
          if (known === undefined) throw notFound();
          things.push({ ...known, list: path });
        }
        const listed = things.filter((thing) => thing.list === path);
        return { status: 200, json: listed.map(({ value }) => value) };
      }
      if (method === 'POST' && isList) return { status: Number(status), json: [] };
      const inside = listWithin(document, schema);
      if (method === 'GET' && inside !== undefined) {
        const listed = things.filter((thing) => thing.list === path).map(({ value }) => value);
        const sample = sampleOf(document, schema);
        const page = paged(state, asked, listed);
        return { ...page, json: { ...(isObject(sample) ? sample : {}), [inside]: page.json } };
      }
      if (method === 'GET' && isList) {
        const wanted = asked.query.get('state') ?? '';
        const listed = things.filter(
          (thing) =>
            thing.definition === definition &&
            thing.list === path &&
            (!['open', 'closed'].includes(wanted) || thing.value['state'] === wanted),
        );
        return paged(
          state,
          asked,
          listed.map(({ value }) => value),
        );
      }
      if (method === 'GET' && isMember && kept !== '') {
        const found = find();
        if (found === undefined) throw notFound();
        return definition === '' ? { status: Number(status) } : { status: 200, json: found.value };
      }
      if (method === 'POST' && !isMember && kept !== '') {
        return { status: Number(status), json: add(path, kept, madeOf(kept, body)) };
      }
      if ((method === 'PUT' || (method === 'POST' && kept === 'ActionVariable')) && isMember && kept !== '') {
        const found = find();
        if (found !== undefined && method === 'POST') throw new Refusal(409, 'variable already exists');
        if (found === undefined) add(list, kept, { ...madeOf(kept, body), ...calledBy(kept, key) });
        else Object.assign(found.value, madeOf(kept, body));
        return { status: 204 };
      }
      if (method === 'PATCH' && isMember && kept !== '') {
        const found = find();
        if (found === undefined) throw notFound();
        Object.assign(found.value, madeOf(kept, body));
        return { status: Number(status), ...(definition !== '' && { json: found.value }) };
      }
      if (method === 'DELETE' && isMember && kept !== '') {
        const found = find();
        if (found === undefined) throw notFound();
        things.splice(things.indexOf(found), 1);
        return { status: Number(status), ...(definition !== '' && { json: found.value }) };
      }
      if (schema === undefined) return { status: Number(status) };
      if (definition === 'RegistrationToken') return { status: 200, json: { token: 'registration-token' } };
      const sample = sampleOf(document, schema);
      return typeof sample === 'string'
        ? { status: Number(status), text: sample }
        : { status: Number(status), json: sample };
    };
    return [{ method, template: `/api/v1${template}`, handle }];
  });
  const byBranches = (asked: Asked): Reply => {
    const [, list = '', base = '', head = ''] = /^\/api\/v1(.+\/pulls)\/([^/]+)\/(.+)$/.exec(asked.path) ?? [];
    const called = (value: unknown, ref: string) => isObject(value) && value['ref'] === ref;
    const found = things.find(
      ({ list: of, value }) => of === list && called(value['base'], base) && called(value['head'], head),
    );
    if (found === undefined) throw notFound();
    return { status: 200, json: found.value };
  };
  const pulls = '/api/v1/repos/{owner}/{repo}/pulls';
  const special: readonly Route[] = [
    { method: 'GET', template: `${pulls}/{index}.{format}`, handle: () => ({ status: 200, text: 'diff --git a b\n' }) },
    { method: 'GET', template: `${pulls}/main/{a}/{b}`, handle: byBranches },
    { method: 'GET', template: `${pulls}/main/{a}`, handle: byBranches },
  ];
  return { routes: [...special, ...routes.sort(literalsFirst)], things, add };
}

function operationsOf(document: Document) {
  const paths = isObject(document['paths']) ? document['paths'] : {};
  return Object.entries(paths).flatMap(([template, item]) => {
    if (!isObject(item)) return [];
    const get = isObject(item['get']) ? item['get'] : undefined;
    const answers = get !== undefined && isObject(get['responses']) ? get['responses'] : {};
    const shown = definitionOf(document, answers['200']);
    return Object.entries(item).flatMap(([method, operation]) =>
      isObject(operation)
        ? [{ method: method.toUpperCase(), template, operation, getDefinition: shown.isList ? undefined : shown.name }]
        : [],
    );
  });
}

/** The one list of an answer that says more beside it: `{ total_count, workflow_runs }`. */
function listWithin(document: Document, schema: unknown): string | undefined {
  const { properties } = resolve(document, schema);
  const isList = (field: unknown) => resolve(document, field)['type'] === 'array';
  const names = Object.keys(isObject(properties) ? properties : {});
  const [only, ...others] = names.filter((name) => isObject(properties) && isList(properties[name]));
  return only !== undefined && others.length === 0 && names.length <= 2 && names.length > 1 ? only : undefined;
}

function literalsFirst(one: Route, other: Route): number {
  const parameters = ({ template }: Route) => template.split('{').length;
  return parameters(one) - parameters(other);
}

const NAMES = ['id', 'number', 'name', 'login', 'username', 'tag_name', 'rule_name', 'sha', 'remote_name'];

function isCalled({ value }: Thing, key: string): boolean {
  return NAMES.some((name) => {
    const own = value[name];
    return (typeof own === 'string' || typeof own === 'number') && String(own).toLowerCase() === key.toLowerCase();
  });
}

/** Members of a team are not the users of the server: below some lists only what stands in them counts. */
function sameBase(list: string, path: string): boolean {
  const own = path.slice(0, path.lastIndexOf('/'));
  if (/\/(members|public_members|collaborators|repos)$/.test(own)) return list === own;
  const [, repository] = /^\/repos\/([^/]+\/[^/]+)\//.exec(path) ?? [];
  return repository === undefined || list.startsWith(`/repos/${repository}/`);
}

function numbered(state: State, definition: string): Record<string, unknown> {
  const id = state.nextId();
  if (definition === 'Issue' || definition === 'PullRequest') return { id, number: id };
  if (definition === 'RegisterRunnerResponse') return { id, uuid: `uuid-${id}`, token: 'runner-token' };
  if (definition === 'PushMirror') return { remote_name: `remote_mirror_${id}` };
  return { id };
}

function calledBy(definition: string, key: string): Record<string, unknown> {
  if (definition === 'User') return { login: key };
  if (definition === 'Repository') return { name: key };
  return { name: key.toUpperCase() };
}

/** What is written is not everywhere called as what is shown. */
function madeOf(definition: string, body: Body): Record<string, unknown> {
  const objects = (name: string, field: string) =>
    Array.isArray(body[name]) && {
      [name]: body[name].map((one: unknown) => ({ [field]: one, name: `label-${String(one)}` })),
    };
  switch (definition) {
    case 'Issue':
    case 'PullRequest': {
      const { labels: _, assignees: __, milestone, base, head, unset_due_date: ___, ...rest } = body;
      return {
        ...rest,
        ...objects('labels', 'id'),
        ...(Array.isArray(body['assignees']) && {
          assignees: body['assignees'].map((login: unknown) => ({ id: 1, login: String(login) })),
        }),
        ...(typeof milestone === 'number' && { milestone: { id: milestone, title: `milestone-${milestone}` } }),
        ...(typeof base === 'string' && { base: { ref: base } }),
        ...(typeof head === 'string' && { head: { ref: head, sha: 'f'.repeat(40) } }),
        ...(body['title'] !== undefined && body['state'] === undefined && base !== undefined && { state: 'open' }),
      };
    }
    case 'Organization':
      return { ...body, ...(typeof body['username'] === 'string' && { name: body['username'] }) };
    case 'User': {
      const { username, password: _, admin, ...rest } = body;
      return {
        ...rest,
        ...(typeof username === 'string' && { login: username }),
        ...(typeof admin === 'boolean' && { is_admin: admin }),
      };
    }
    case 'ActionVariable':
      return { ...(typeof body['value'] === 'string' && { data: body['value'] }) };
    case 'Secret':
      return {};
    case 'Hook': {
      const { config, ...rest } = body;
      if (!isObject(config)) return rest;
      const { secret: _, ...shown } = config;
      return { ...rest, config: shown };
    }
    case 'Label':
      return { ...body, ...(typeof body['color'] === 'string' && { color: body['color'].replace('#', '') }) };
    case 'Milestone':
      return { state: 'open', ...body };
    case 'DispatchWorkflowRun':
      throw new Refusal(500, 'A file of its own serves this');
    default:
      return { ...body };
  }
}
