import { ensureFolder, listFolders } from '../../../lib/infisical/folders';
import { createEnvironment, createProject, listProjects } from '../../../lib/infisical/projects';
import { optional, schema, text, toggle } from '../../declaration';
import { environmentField, place, projectField } from '../fields';
import { operation } from '../operation';

const environmentFacts = { id: schema.string(), name: schema.string(), slug: schema.string() } as const;

const projectOutput = schema.object({
  id: schema.string(),
  name: schema.string(),
  slug: schema.string(),
  environments: schema.array(schema.object(environmentFacts)),
});

export const projectOperations = [
  operation({
    resource: 'project',
    name: 'list',
    action: 'List projects',
    description: 'Lists the projects that the machine identity is a member of',
    effect: 'reads',
    input: {},
    output: projectOutput,
    run: ({ api, task }) => listProjects(api, task),
  }),
  operation({
    resource: 'project',
    name: 'create',
    action: 'Create a project',
    description: 'Creates a project with the environments dev, staging and prod',
    effect: 'creates',
    input: { projectName: text({ required: true }), options: optional({ slug: text({ label: 'Slug' }) }) },
    output: projectOutput,
    run: ({ input, api, task }) => createProject(api, { name: input.projectName, ...input.options }, task),
  }),
];

export const environmentOperations = [
  operation({
    resource: 'environment',
    name: 'list',
    action: 'List environments',
    description: 'Lists the environments of a project',
    effect: 'reads',
    input: { project: projectField },
    output: schema.object(environmentFacts),
    run: async ({ input, projectOf }) => (await projectOf(input.project)).environments,
  }),
  operation({
    resource: 'environment',
    name: 'create',
    action: 'Create an environment',
    description: 'Adds an environment to a project',
    effect: 'creates',
    input: {
      project: projectField,
      environmentName: text({ required: true, placeholder: 'Production' }),
      environment: environmentField,
    },
    output: schema.object(environmentFacts),
    run: async ({ input, api, projectOf, task }) => {
      const { id } = await projectOf(input.project);
      return createEnvironment(api, id, { name: input.environmentName, slug: input.environment }, task);
    },
  }),
];

export const folderOperations = [
  operation({
    resource: 'folder',
    name: 'list',
    action: 'List folders',
    description: 'Lists the folders in a folder',
    effect: 'reads',
    input: {
      ...place,
      recursive: toggle({ label: 'Recursive', description: 'Whether folders below are read too' }),
    },
    output: schema.object({ id: schema.string(), name: schema.string(), path: schema.string() }),
    run: async ({ input, api, placeOf, task }) => listFolders(api, await placeOf(input), input.recursive, task),
  }),
  operation({
    resource: 'folder',
    name: 'ensure',
    action: 'Make sure a folder is there',
    description: 'Creates a folder with all above it; what is there stays',
    effect: 'creates',
    dryRun: true,
    input: place,
    output: schema.object({
      changed: schema.boolean(),
      created: schema.array(schema.string()),
      dryRun: schema.boolean(),
    }),
    run: async ({ input, api, placeOf, task }) => ({
      ...(await ensureFolder(api, await placeOf(input), input.dryRun, task)),
      dryRun: input.dryRun,
    }),
  }),
];
