import {
  composeChanges,
  composeConfig,
  composeDown,
  composeImages,
  composeLogs,
  composeProcesses,
  composePull,
  composeRestart,
  composeUp,
  type Project,
} from '../../../lib/docker/compose/compose';
import { listContainers } from '../../../lib/docker/engine/containers';
import { number, optional, schema, text, toggle } from '../../declaration';
import { changeOptions, hostField, projectFields, projectOptions, readOptions } from '../fields';
import { operation } from '../operation';
import { composeContainer, mounts, onHost } from '../schemas';

interface ProjectInput {
  readonly directory: string;
  readonly options: {
    readonly files?: readonly string[];
    readonly project?: string;
    readonly profiles?: readonly string[];
  };
}

function projectOf({ directory, options }: ProjectInput): Project {
  const { files, project, profiles } = options;
  return { directory, files, profiles, name: project === '' ? undefined : project };
}

const containers = schema.array(schema.object(composeContainer));
const { directory } = projectFields;

export const composeOperations = [
  operation({
    resource: 'compose',
    name: 'config',
    label: 'Check Config',
    action: 'Check the configuration of a project',
    description:
      'Lets Compose read the files of a project and tells its services and what has changed since it was brought up. Values of variables are left out.',
    effect: 'reads',
    input: { host: hostField, directory, options: optional({ ...readOptions, ...projectOptions }) },
    output: onHost({
      name: schema.string(),
      sha256: schema.string('Changes when anything in the configuration does, values included'),
      changes: schema.array(
        schema.object({ service: schema.string(), change: schema.oneOf(['unchanged', 'changed', 'new', 'gone']) }),
        'Against the containers that are there: what bringing it up would recreate, make or leave over',
      ),
      services: schema.array(
        schema.object({
          name: schema.string(),
          image: schema.nullable(schema.string()),
          builds: schema.boolean(),
          mounts,
          ports: schema.array(schema.string()),
          environment: schema.array(schema.string(), 'Names only'),
          hasHealthCheck: schema.boolean(),
          restart: schema.string(),
          replicas: schema.integer(),
          updateLabel: schema.nullable(schema.string('Its label selfhost.update')),
        }),
      ),
    }),
    run: async ({ input, access, engine, hostName, task }) => {
      const project = projectOf(input);
      const config = await composeConfig(access(), project, task);
      const labels = [`com.docker.compose.project=${config.name}`];
      const there = await listContainers(await engine(), { all: true, labels }, task);
      return { host: hostName, ...config, changes: await composeChanges(access(), project, config, there, task) };
    },
  }),
  operation({
    resource: 'compose',
    name: 'ps',
    label: 'List Containers',
    action: 'List the containers of a project',
    description: 'Gives the containers of a project, running or not, one item each',
    effect: 'reads',
    input: { host: hostField, directory, options: optional({ ...readOptions, ...projectOptions }) },
    output: onHost({ ...composeContainer }),
    run: async ({ input, access, hostName, task }) =>
      (await composeProcesses(access(), projectOf(input), task)).map((one) => ({ host: hostName, ...one })),
  }),
  operation({
    resource: 'compose',
    name: 'images',
    label: 'List Images',
    action: 'List the images of a project',
    description: 'Gives the image of each container of a project, one item each',
    effect: 'reads',
    input: { host: hostField, directory, options: optional({ ...readOptions, ...projectOptions }) },
    output: onHost({
      container: schema.string(),
      name: schema.string(),
      tag: schema.string(),
      id: schema.string(),
      sizeBytes: schema.integer(),
    }),
    run: async ({ input, access, hostName, task }) =>
      (await composeImages(access(), projectOf(input), task)).map((one) => ({ host: hostName, ...one })),
  }),
  operation({
    resource: 'compose',
    name: 'pull',
    action: 'Pull the images of a project',
    description: 'Fetches the images of a project. What runs is not touched.',
    effect: 'changes',
    input: { host: hostField, ...projectFields, options: optional({ ...changeOptions, ...projectOptions }) },
    output: onHost({ directory: schema.string() }),
    run: async ({ input, access, hostName, task }) => {
      await composePull(access(), projectOf(input), { services: input.services }, task);
      return { host: hostName, directory: input.directory };
    },
  }),
  operation({
    resource: 'compose',
    name: 'up',
    action: 'Bring a project up',
    description: 'Makes and starts what a project needs, and waits until it is healthy',
    effect: 'changes',
    input: {
      host: hostField,
      ...projectFields,
      options: optional({
        ...changeOptions,
        ...projectOptions,
        build: toggle({ description: 'Whether to build images before' }),
        recreate: toggle({ description: 'Whether to recreate containers that have not changed' }),
        removeOrphans: toggle({ description: 'Whether to remove containers of services that are not in the files' }),
        waitSeconds: number({ label: 'Wait (Seconds)', default: 300, min: 1, max: 3600, integer: true }),
      }),
    },
    output: onHost({ changed: schema.boolean(), containers }),
    run: async ({ input, access, hostName, task }) => {
      const { build, recreate, removeOrphans, waitSeconds } = input.options;
      const wish = { services: input.services, build, recreate, removeOrphans, waitSeconds };
      return { host: hostName, ...(await composeUp(access(), projectOf(input), wish, task)) };
    },
  }),
  operation({
    resource: 'compose',
    name: 'down',
    action: 'Take a project down',
    description: 'Stops and removes the containers and networks of a project. Its volumes stay.',
    effect: 'destroys',
    input: {
      host: hostField,
      directory,
      options: optional({
        ...changeOptions,
        ...projectOptions,
        removeOrphans: toggle({ description: 'Whether to remove containers of services that are not in the files' }),
      }),
    },
    output: onHost({ changed: schema.boolean(), removed: schema.array(schema.string()) }),
    run: async ({ input, access, hostName, task }) => {
      const { removeOrphans } = input.options;
      return { host: hostName, ...(await composeDown(access(), projectOf(input), { removeOrphans }, task)) };
    },
  }),
  operation({
    resource: 'compose',
    name: 'restart',
    action: 'Restart a project',
    description: 'Restarts the containers of a project, or of some of its services',
    effect: 'changes',
    input: { host: hostField, ...projectFields, options: optional({ ...changeOptions, ...projectOptions }) },
    output: onHost({ containers }),
    run: async ({ input, access, hostName, task }) => ({
      host: hostName,
      containers: await composeRestart(access(), projectOf(input), input.services, task),
    }),
  }),
  operation({
    resource: 'compose',
    name: 'logs',
    label: 'Get Logs',
    action: 'Get the logs of a project',
    description: 'Gives what the services of a project have written, each line with its service',
    effect: 'reads',
    input: {
      host: hostField,
      ...projectFields,
      options: optional({
        ...readOptions,
        ...projectOptions,
        tailLines: number({
          label: 'Last Lines',
          default: 100,
          min: 1,
          integer: true,
          description: 'Of each container',
        }),
        since: text({ placeholder: '10m' }),
        maxKib: number({ label: 'Max Size (KiB)', default: 256, min: 1, max: 16_384, integer: true }),
      }),
    },
    output: onHost({
      text: schema.string(),
      bytes: schema.integer(),
      truncated: schema.boolean(),
    }),
    run: async ({ input, access, hostName, task }) => {
      const { tailLines, since, maxKib = 256 } = input.options;
      const wish = {
        services: input.services,
        tail: tailLines,
        since: since === '' ? undefined : since,
        maxBytes: maxKib * 1024,
      };
      return { host: hostName, ...(await composeLogs(access(), projectOf(input), wish, task)) };
    },
  }),
];
