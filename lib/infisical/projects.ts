import { Failure } from '../failure';
import { path } from '../http/path';
import type { Task } from '../task';
import { read } from './answer';
import type { InfisicalApi } from './api';

export interface Environment {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
}

export interface Project {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly environments: readonly Environment[];
}

export async function listProjects(api: InfisicalApi, task: Task): Promise<readonly Project[]> {
  return api.ask(
    { method: 'GET', path: path('/api/v1/projects') },
    (body) =>
      read(body, 'a list of projects')
        .list('projects')
        .map(parseProject)
        .sort((one, other) => (one.name < other.name ? -1 : 1)),
    task,
  );
}

/** By id, slug or name. */
export async function findProject(api: InfisicalApi, wanted: string, task: Task): Promise<Project> {
  const projects = await listProjects(api, task);
  const named = projects.filter(({ name }) => name === wanted);
  const found =
    projects.find(({ id, slug }) => id === wanted || slug === wanted) ?? (named.length === 1 ? named[0] : undefined);
  if (found !== undefined) return found;
  const known = projects.map(({ slug }) => slug).join(', ');
  throw new Failure({
    code: 'project_not_found',
    subject: `project ${wanted}`,
    message:
      named.length > 1
        ? `Several projects are called "${wanted}"`
        : `This login sees no project "${wanted}"; it sees ${known === '' ? 'none' : known}`,
    nextStep: 'Give the slug or id of a project of which the machine identity is a member.',
  });
}

export async function createProject(
  api: InfisicalApi,
  { name, slug }: { readonly name: string; readonly slug?: string },
  task: Task,
): Promise<Project> {
  return api.ask(
    {
      method: 'POST',
      path: path('/api/v1/projects'),
      body: { json: { projectName: name, ...(slug !== undefined && { slug }) } },
    },
    (body) => parseProject(read(body, 'an answer').raw('project')),
    task,
  );
}

export async function createEnvironment(
  api: InfisicalApi,
  projectId: string,
  { name, slug }: { readonly name: string; readonly slug: string },
  task: Task,
): Promise<Environment> {
  return api.ask(
    {
      method: 'POST',
      path: path('/api/v1/projects/{project}/environments', { project: projectId }),
      body: { json: { name, slug } },
    },
    (body) => parseEnvironment(read(body, 'an answer').raw('environment')),
    task,
  );
}

function parseProject(body: unknown): Project {
  const project = read(body, 'a project');
  return {
    id: project.text('id'),
    name: project.text('name'),
    slug: project.text('slug'),
    environments: project.list('environments').map(parseEnvironment),
  };
}

function parseEnvironment(body: unknown): Environment {
  const environment = read(body, 'an environment');
  return { id: environment.text('id'), name: environment.text('name'), slug: environment.text('slug') };
}
