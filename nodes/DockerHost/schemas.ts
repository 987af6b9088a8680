import { schema } from '../declaration';

const labels = schema.record(schema.string());

/** Every item says which host it is of. */
export function onHost<const P extends Parameters<typeof schema.object>[0]>(properties: P) {
  return schema.object({ host: schema.string(), ...properties });
}

/** What a list and a single answer have in common. */
const container = {
  id: schema.string(),
  name: schema.string(),
  image: schema.string(),
  imageId: schema.string(),
  state: schema.string('running, exited, paused, …'),
} as const;

export const mounts = schema.array(
  schema.object({
    type: schema.string(),
    source: schema.string(),
    target: schema.string(),
    writable: schema.boolean(),
  }),
);

export const containerSummary = {
  ...container,
  status: schema.string('In the words of Docker'),
  created: schema.string(),
  project: schema.nullable(schema.string('Its Compose project')),
  service: schema.nullable(schema.string()),
  ports: schema.array(
    schema.object({
      container: schema.integer(),
      protocol: schema.string(),
      host: schema.nullable(schema.integer()),
      address: schema.nullable(schema.string()),
    }),
  ),
  labels,
} as const;

export const containerFacts = {
  ...container,
  health: schema.nullable(schema.string('Null without a health check')),
  healthOutput: schema.nullable(schema.string('What the last health check said')),
  exitCode: schema.integer(),
  error: schema.string(),
  oomKilled: schema.boolean(),
  restarts: schema.integer(),
  created: schema.string(),
  startedAt: schema.nullable(schema.string()),
  finishedAt: schema.nullable(schema.string()),
  terminal: schema.boolean(),
  restartPolicy: schema.string(),
  memoryBytes: schema.integer('Limit; 0 is none'),
  cpus: schema.number('Limit; 0 is none'),
  privileged: schema.boolean(),
  networkMode: schema.string(),
  labels,
  mounts,
  networks: schema.array(schema.object({ name: schema.string(), address: schema.string() })),
} as const;

export const changeFacts = {
  changed: schema.boolean(),
  before: schema.string('State, or name, before'),
  dryRun: schema.boolean(),
} as const;

export const imageFacts = {
  id: schema.string(),
  tags: schema.array(schema.string()),
  digests: schema.array(schema.string()),
  created: schema.string(),
  sizeBytes: schema.integer(),
  labels,
} as const;

export const volumeFacts = {
  name: schema.string(),
  driver: schema.string(),
  mountpoint: schema.string(),
  created: schema.nullable(schema.string()),
  labels,
} as const;

export const networkFacts = {
  id: schema.string(),
  name: schema.string(),
  driver: schema.string(),
  scope: schema.string(),
  internal: schema.boolean(),
  subnets: schema.array(schema.string()),
  labels,
} as const;

export const composeContainer = {
  id: schema.string(),
  name: schema.string(),
  service: schema.string(),
  image: schema.string(),
  state: schema.string(),
  health: schema.nullable(schema.string()),
  exitCode: schema.integer(),
  status: schema.string(),
} as const;

export const switchFacts = {
  stack: schema.string(),
  changed: schema.boolean(),
  dryRun: schema.boolean(),
  succeeded: schema.boolean('Whether what was asked for is live and well'),
  tried: schema.nullable(schema.integer('The release that was tried; null when nothing was switched')),
  live: schema.nullable(schema.integer('The release that is there now')),
  liveIsWell: schema.nullable(schema.boolean('Null when nothing was switched, so nothing was watched')),
  rolledBack: schema.boolean('Whether the release before was put back and is well'),
  reason: schema.nullable(schema.string('Why the release that was tried failed')),
  log: schema.nullable(schema.string('Last lines of the container that was not well')),
} as const;
