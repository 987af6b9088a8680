import { randomUUID } from 'node:crypto';
import type { Asked, Reply, Route } from '../http';
import { expand } from './references';
import { badRequest, invalid, notFound, Refusal } from './refusal';
import { bodyOf, type Fields, isoOf, keptValue, type Spot, spotOf, type State, type Stored, textOf } from './state';

const HIDDEN = '<hidden-by-infisical>';

export function secretRoutes(state: State): readonly Route[] {
  const one = '/api/v4/secrets/{secretName}';
  return [
    { method: 'GET', template: '/api/v4/secrets', handle: (asked) => list(state, asked) },
    { method: 'POST', template: '/api/v4/secrets/batch', handle: (asked) => createMany(state, asked) },
    { method: 'PATCH', template: '/api/v4/secrets/batch', handle: (asked) => updateMany(state, asked) },
    { method: 'DELETE', template: '/api/v4/secrets/batch', handle: (asked) => removeMany(state, asked) },
    { method: 'GET', template: one, handle: (asked) => get(state, asked) },
    { method: 'POST', template: one, handle: (asked) => create(state, asked) },
    { method: 'PATCH', template: one, handle: (asked) => update(state, asked) },
    { method: 'DELETE', template: one, handle: (asked) => remove(state, asked) },
  ];
}

function switchOf({ query }: Asked, name: string, otherwise: boolean): boolean {
  const value = query.get(name);
  if (value === null) return otherwise;
  if (value !== 'true' && value !== 'false') {
    invalid(name, "Invalid enum value. Expected 'true' | 'false'");
  }
  return value === 'true';
}

function readSpot(state: State, asked: Asked): Spot {
  const project = asked.query.get('projectId');
  const environment = asked.query.get('environment');
  if (project === null) badRequest('Missing project id or environment');
  return spotOf(state, asked, {
    project: state.projects.get(project),
    environment,
    path: asked.query.get('secretPath') ?? '/',
  });
}

function writeSpot(state: State, asked: Asked, fields: Fields): Spot {
  const path = fields['secretPath'];
  return spotOf(state, asked, {
    project: state.projects.get(textOf(fields, 'projectId')),
    environment: textOf(fields, 'environment'),
    path: typeof path === 'string' ? path : '/',
  });
}

interface View {
  readonly values: boolean;
  readonly expanded: boolean;
  readonly version?: number;
}

function shown({ identity, project, environment, folder }: Spot, stored: Stored, view: View) {
  const version = view.version ?? stored.versions.length;
  const content = stored.versions[version - 1] ?? notFound('Secret version');
  const hidden = !view.values || identity.blind;
  const value = view.expanded ? expand(project, environment, folder, content.value) : content.value;
  return {
    id: stored.id,
    _id: stored.id,
    workspace: project.id,
    environment: environment.slug,
    version,
    type: 'shared',
    secretKey: stored.key,
    secretValue: hidden ? HIDDEN : value,
    secretValueHidden: hidden,
    secretComment: content.comment,
    secretPath: folder.path,
    skipMultilineEncoding: false,
    createdAt: stored.createdAt,
    updatedAt: content.at,
    tags: (stored.tags ?? []).map((slug) => ({ id: slug, slug, name: slug, color: null })),
  };
}

function importsOf(spot: Spot, view: View) {
  return spot.folder.imports.flatMap((source) => {
    const environment = spot.project.environments.get(source.environment);
    const folder = environment?.folders.get(source.path);
    if (environment === undefined || folder === undefined) return [];
    const there = { ...spot, environment, folder };
    const secrets = [...folder.secrets.values()].map((stored) => {
      const { createdAt: _, updatedAt: __, tags: ___, ...imported } = shown(there, stored, view);
      return imported;
    });
    return [{ secretPath: folder.path, environment: environment.slug, folderId: folder.id, secrets }];
  });
}

function list(state: State, asked: Asked): Reply {
  const spot = readSpot(state, asked);
  const view = {
    values: switchOf(asked, 'viewSecretValue', true),
    expanded: switchOf(asked, 'expandSecretReferences', false),
  };
  const prefix = spot.folder.path === '/' ? '/' : `${spot.folder.path}/`;
  const folders = switchOf(asked, 'recursive', false)
    ? [...spot.environment.folders.values()].filter(
        (folder) => folder === spot.folder || folder.path.startsWith(prefix),
      )
    : [spot.folder];
  const secrets = folders.flatMap((folder) =>
    [...folder.secrets.values()].map((stored) => shown({ ...spot, folder }, stored, view)),
  );
  const imports = switchOf(asked, 'include_imports', false) ? { imports: importsOf(spot, view) } : {};
  return { status: 200, json: { secrets, ...imports } };
}

function get(state: State, asked: Asked): Reply {
  const spot = readSpot(state, asked);
  const key = asked.params['secretName'] ?? '';
  const version = asked.query.get('version');
  const view = {
    values: switchOf(asked, 'viewSecretValue', true),
    expanded: switchOf(asked, 'expandSecretReferences', false),
    ...(version !== null && { version: Number(version) }),
  };
  const own = spot.folder.secrets.get(key);
  if (own !== undefined) return { status: 200, json: { secret: shown(spot, own, view) } };
  if (switchOf(asked, 'include_imports', false)) {
    for (const source of [...spot.folder.imports].reverse()) {
      const environment = spot.project.environments.get(source.environment);
      const folder = environment?.folders.get(source.path);
      const stored = folder?.secrets.get(key);
      if (environment !== undefined && folder !== undefined && stored !== undefined) {
        return { status: 200, json: { secret: shown({ ...spot, environment, folder }, stored, view) } };
      }
    }
  }
  return notFound(`Secret with name '${key}'`);
}

/** Where changes are protected, they become a request that somebody has to approve. */
function changed(state: State, { project, environment, folder }: Spot, what: string, work: () => Fields): Reply {
  if (project.protectedPlaces.has(`${environment.slug}:${folder.path}`)) {
    const approval = { id: randomUUID(), what };
    state.approvals.push(approval);
    return {
      status: 200,
      json: { approval: { id: approval.id, slug: `change-${state.approvals.length}`, committerUserId: null } },
    };
  }
  return { status: 200, json: work() };
}

/** All or nothing: what fails in the middle leaves everything as it was. */
function together<Result>({ folder }: Spot, work: () => Result): Result {
  const before = new Map(
    [...folder.secrets].map(([key, stored]) => [key, { ...stored, versions: [...stored.versions] }]),
  );
  try {
    return work();
  } catch (error) {
    folder.secrets = before;
    throw error;
  }
}

function add(state: State, spot: Spot, key: string, fields: Fields): Stored {
  if (!/^[^:/]+$/.test(key)) invalid('secretName', 'Secret name can not contain colon or slash');
  if (spot.folder.secrets.has(key)) badRequest(`Secret already exist: ${key}`);
  const at = isoOf(state.now());
  const comment = typeof fields['secretComment'] === 'string' ? fields['secretComment'] : '';
  const stored: Stored = {
    id: randomUUID(),
    key,
    versions: [{ value: keptValue(textOf(fields, 'secretValue')), comment, at }],
    createdAt: at,
  };
  spot.folder.secrets.set(key, stored);
  return stored;
}

function edit(state: State, spot: Spot, key: string, fields: Fields): Stored {
  const stored = spot.folder.secrets.get(key) ?? notFound(`Secret with name '${key}'`);
  const last = stored.versions.at(-1);
  const text = (name: string) => (typeof fields[name] === 'string' ? fields[name] : undefined);
  const value = text('secretValue');
  stored.versions.push({
    value: value === undefined ? (last?.value ?? '') : keptValue(value),
    comment: text('secretComment') ?? last?.comment ?? '',
    at: isoOf(state.now()),
  });
  const newKey = text('newSecretName');
  if (newKey !== undefined && newKey !== key) {
    if (spot.folder.secrets.has(newKey)) badRequest(`Secret already exist: ${newKey}`);
    spot.folder.secrets.delete(key);
    stored.key = newKey;
    spot.folder.secrets.set(newKey, stored);
  }
  return stored;
}

const whole: View = { values: true, expanded: false };

function create(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const spot = writeSpot(state, asked, fields);
  return changed(state, spot, 'create', () => ({
    secret: shown(spot, add(state, spot, asked.params['secretName'] ?? '', fields), whole),
  }));
}

function update(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const spot = writeSpot(state, asked, fields);
  return changed(state, spot, 'update', () => ({
    secret: shown(spot, edit(state, spot, asked.params['secretName'] ?? '', fields), whole),
  }));
}

function remove(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const spot = writeSpot(state, asked, fields);
  const key = asked.params['secretName'] ?? '';
  return changed(state, spot, 'delete', () => ({ secret: drop(spot, key) }));
}

function drop(spot: Spot, key: string) {
  const stored = spot.folder.secrets.get(key) ?? notFound(`Secret with name '${key}'`);
  const gone = shown(spot, stored, whole);
  spot.folder.secrets.delete(key);
  return gone;
}

function secretsIn(fields: Fields): readonly Fields[] {
  const secrets = fields['secrets'];
  if (!Array.isArray(secrets) || secrets.length === 0) invalid('secrets', 'Array must contain at least 1 element(s)');
  return secrets as readonly Fields[];
}

function createMany(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const spot = writeSpot(state, asked, fields);
  const secrets = secretsIn(fields);
  return changed(state, spot, 'create many', () => ({
    secrets: together(spot, () =>
      secrets.map((one) => shown(spot, add(state, spot, textOf(one, 'secretKey'), one), whole)),
    ),
  }));
}

function updateMany(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const spot = writeSpot(state, asked, fields);
  const secrets = secretsIn(fields);
  const mode = fields['mode'] ?? 'failOnNotFound';
  const touch = (one: Fields) => {
    const key = textOf(one, 'secretKey');
    if (spot.folder.secrets.has(key)) return [edit(state, spot, key, one)];
    if (mode === 'upsert') return [add(state, spot, key, one)];
    if (mode === 'ignore') return [];
    throw new Refusal(404, 'NotFound', `Secret does not exist: ${key}`);
  };
  return changed(state, spot, 'update many', () => ({
    secrets: together(spot, () => secrets.flatMap(touch).map((stored) => shown(spot, stored, whole))),
  }));
}

function removeMany(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const spot = writeSpot(state, asked, fields);
  const secrets = secretsIn(fields);
  return changed(state, spot, 'delete many', () => ({
    secrets: together(spot, () => secrets.map((one) => drop(spot, textOf(one, 'secretKey')))),
  }));
}
