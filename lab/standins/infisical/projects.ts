import { randomUUID } from 'node:crypto';
import type { Asked, Reply, Route } from '../http';
import { badRequest, invalid, notFound } from './refusal';
import {
  bodyOf,
  type Environment,
  type Folder,
  identityOf,
  isoOf,
  newEnvironment,
  newFolder,
  type Project,
  seen,
  spotOf,
  type State,
  textOf,
} from './state';

export function projectRoutes(state: State): readonly Route[] {
  return [
    { method: 'GET', template: '/api/v1/projects', handle: (asked) => list(state, asked) },
    { method: 'POST', template: '/api/v1/projects', handle: (asked) => create(state, asked) },
    {
      method: 'POST',
      template: '/api/v1/projects/{projectId}/environments',
      handle: (asked) => createEnvironment(state, asked),
    },
    { method: 'GET', template: '/api/v2/folders', handle: (asked) => listFolders(state, asked) },
    { method: 'POST', template: '/api/v2/folders', handle: (asked) => createFolder(state, asked) },
  ];
}

function shown(project: Project) {
  const environments = [...project.environments.values()].map(({ id, name, slug }) => ({ id, name, slug }));
  return { _id: project.id, id: project.id, name: project.name, slug: project.slug, environments };
}

function list(state: State, asked: Asked): Reply {
  const identity = identityOf(state, asked);
  const projects = [...state.projects.values()].filter((project) => seen(identity, project)).map(shown);
  return { status: 200, json: { projects } };
}

export function newProject(state: State, name: string, slug: string): Project {
  const environments = ['dev', 'staging', 'prod'].map((one) => [one, newEnvironment(one, one)] as const);
  const project = {
    id: randomUUID(),
    name,
    slug,
    environments: new Map(environments),
    protectedPlaces: new Set<string>(),
  };
  state.projects.set(project.id, project);
  return project;
}

function create(state: State, asked: Asked): Reply {
  identityOf(state, asked);
  const fields = bodyOf(asked);
  const name = textOf(fields, 'projectName');
  const slug = typeof fields['slug'] === 'string' ? fields['slug'] : `${name.toLowerCase()}-abcd`;
  if ([...state.projects.values()].some((project) => project.slug === slug)) badRequest('Project with slug exists');
  return { status: 200, json: { project: shown(newProject(state, name, slug)) } };
}

function createEnvironment(state: State, asked: Asked): Reply {
  identityOf(state, asked);
  const project = state.projects.get(asked.params['projectId'] ?? '') ?? notFound('Project');
  const fields = bodyOf(asked);
  const slug = textOf(fields, 'slug');
  if (project.environments.has(slug)) badRequest('Environment with slug already exist');
  const environment = newEnvironment(textOf(fields, 'name'), slug);
  project.environments.set(slug, environment);
  const { id, name } = environment;
  return {
    status: 200,
    json: { message: 'Successfully created new environment', workspace: project.id, environment: { id, name, slug } },
  };
}

function folderFields(state: State, environment: Environment, { id, path }: Folder) {
  const at = isoOf(state.now());
  return {
    id,
    name: path.split('/').at(-1) ?? '',
    version: 1,
    createdAt: at,
    updatedAt: at,
    envId: environment.id,
    parentId: null,
  };
}

function listFolders(state: State, asked: Asked): Reply {
  const path = asked.query.get('path') ?? '/';
  const { environment, folder } = spotOf(state, asked, {
    project: state.projects.get(asked.query.get('projectId') ?? ''),
    environment: asked.query.get('environment'),
    path,
  });
  const prefix = folder.path === '/' ? '/' : `${folder.path}/`;
  const recursive = asked.query.get('recursive') === 'true';
  const folders = [...environment.folders.values()]
    .filter((one) => one.path !== '/' && one.path.startsWith(prefix))
    .map((one) => ({ one, below: one.path.slice(prefix.length) }))
    .filter(({ below }) => recursive || !below.includes('/'))
    .map(({ one, below }) => ({ ...folderFields(state, environment, one), ...(recursive && { relativePath: below }) }));
  return { status: 200, json: { folders } };
}

function createFolder(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const name = textOf(fields, 'name');
  if (!/^[a-zA-Z0-9_-]+$/.test(name))
    invalid('name', 'Folder name can only contain alphanumeric, dashes and underscores');
  const parent = typeof fields['path'] === 'string' ? fields['path'] : '/';
  const { environment } = spotOf(state, asked, {
    project: state.projects.get(textOf(fields, 'projectId')),
    environment: textOf(fields, 'environment'),
    path: parent,
  });
  const path = `${parent === '/' ? '' : parent}/${name}`;
  if (environment.folders.has(path)) badRequest('Folder name already exists in path');
  const folder = newFolder(path);
  environment.folders.set(path, folder);
  return { status: 200, json: { folder: { ...folderFields(state, environment, folder), path } } };
}
