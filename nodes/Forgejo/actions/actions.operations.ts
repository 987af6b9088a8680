import { download } from '../../../lib/forgejo/downloads';
import { registerRunner, registrationToken } from '../../../lib/forgejo/runners';
import {
  artifacts,
  artifactsOfRun,
  jobs,
  runners,
  runs,
  secrets,
  since16,
  tasks,
  variables,
  waitingJobs,
} from '../../../lib/forgejo/kinds/actions';
import { getRepository } from '../../../lib/forgejo/repositories';
import { parseRepositoryName } from '../../../lib/forgejo/repository-name';
import { dispatchWorkflow, getRun, isOver, resultOf, waitForRun } from '../../../lib/forgejo/runs';
import { ensureSecret, removeSecret, ensureVariable } from '../../../lib/forgejo/secrets';
import { binaryProperty, choice, keyValues, number, schema, text, toggle, when, withBinary } from '../../declaration';
import type { Schema } from '../../declaration/schema';
import { fieldsOf } from '../../shared/shapeSchema';
import { reveal } from '../../shared/secretSources';
import { askedOf, commandOf, deleteOf, getOf, listOf, target } from '../build';
import { idField, refField, repositoryField, workflowField } from '../fields';
import { operation } from '../operation';
import { changeFields, changeSchema } from '../output';
import { inRepository, inScope, repositoryBase } from '../places';
import { secretField } from '../secretField';

/** How long an older server gets to show the run that it has started. */
const FIND_MS = 15_000;

const runIdField = idField('Run ID');
const returnSecrets = toggle({
  label: 'Return Secrets',
  description: 'Whether to put the token out. n8n keeps it readable with the execution.',
});
const run = target({
  kind: runs,
  name: 'run',
  where: inRepository,
  choose: { runId: runIdField },
  namesOf: ({ input }) => ({ run: input['runId'] as number }),
});

const runSchema: Schema<object> = schema.lazy(() =>
  schema.object({
    ...fieldsOf(runs.shape),
    finished: schema.boolean(),
    succeeded: schema.boolean(),
    jobs: schema.nullable(
      schema.array(schema.object(fieldsOf(jobs.shape)), 'Null where the server has no list of them: it is from 16 on'),
    ),
  }),
);

const startedSchema: Schema<object> = schema.lazy(() =>
  schema.object({ ...changeFields, run: schema.nullable(runSchema) }),
);

const waitFields = {
  timeoutSeconds: number({ label: 'Timeout (Seconds)', default: 1800, min: 1, max: 86_400 }),
  intervalSeconds: number({ label: 'Interval (Seconds)', default: 5, min: 1, max: 600 }),
};

export const runOperations = [
  operation({
    resource: 'run',
    name: 'dispatch',
    label: 'Start',
    action: 'Start a workflow run',
    description: 'Starts a workflow of the repository and, if wanted, waits for its end. Look at "succeeded".',
    effect: 'creates',
    dryRun: true,
    needsApproval: true,
    input: {
      repository: repositoryField,
      workflow: workflowField,
      ref: refField,
      inputs: keyValues({ label: 'Inputs', entry: 'Input' }),
      wait: toggle({ label: 'Wait Until Done', default: true, description: 'Whether to wait for the end of the run' }),
      timeoutSeconds: when('wait', [true], waitFields.timeoutSeconds),
      intervalSeconds: when('wait', [true], waitFields.intervalSeconds),
    },
    output: startedSchema,
    run: async ({ input, api, task }): Promise<object> => {
      const { repository, workflow, inputs, wait, dryRun } = input;
      const name = parseRepositoryName(repository);
      if (dryRun) return { changed: true, dryRun, run: null };
      const ref = input.ref === '' ? (await getRepository(api, name, task)).defaultBranch : input.ref;
      const waiting = {
        timeoutMs: (input.timeoutSeconds ?? 0) * 1000,
        intervalMs: (input.intervalSeconds ?? 0) * 1000,
      };
      const started = await dispatchWorkflow(api, { name, workflow, ref, inputs }, FIND_MS, task);
      if (started === null) return { changed: true, dryRun, run: null };
      const ended = wait
        ? await waitForRun(api, name, started.id, waiting, task)
        : await resultOf(api, name, started, task);
      return { changed: true, dryRun, run: ended };
    },
  }),
  operation({
    resource: 'run',
    name: 'wait',
    action: 'Wait for a workflow run',
    description: 'Waits until a run is over. That it failed is an answer, not an error: look at "succeeded".',
    effect: 'reads',
    input: { repository: repositoryField, runId: runIdField, ...waitFields },
    output: runSchema,
    run: ({ input, api, task }): Promise<object> =>
      waitForRun(
        api,
        parseRepositoryName(input.repository),
        input.runId,
        { timeoutMs: input.timeoutSeconds * 1000, intervalMs: input.intervalSeconds * 1000 },
        task,
      ),
  }),
  operation({
    resource: 'run',
    name: 'get',
    action: 'Get a workflow run',
    description: 'Reads one run, with its jobs where the server lists them',
    effect: 'reads',
    input: { repository: repositoryField, runId: runIdField },
    output: runSchema,
    run: ({ input, api, task }): Promise<object> =>
      getRun(api, parseRepositoryName(input.repository), input.runId, task),
  }),
  listOf(run, {
    filters: {
      event: text({ label: 'Event', placeholder: 'push' }),
      status: choice({
        label: 'Status',
        options: {
          waiting: 'Waiting',
          running: 'Running',
          success: 'Success',
          failure: 'Failure',
          cancelled: 'Cancelled',
          skipped: 'Skipped',
          blocked: 'Blocked',
        },
        default: 'failure',
      }),
      ref: text({ label: 'Ref', placeholder: 'refs/heads/main' }),
      headSha: text({ label: 'Commit' }),
      workflowId: text({ label: 'Workflow', placeholder: 'deploy.yaml' }),
      runNumber: number({ label: 'Number', default: 1, min: 1, integer: true }),
    },
  }),
  commandOf(run, {
    name: 'cancel',
    action: 'Cancel a workflow run',
    description: 'Ends a run that is not over yet',
    method: 'POST',
    below: '/actions/runs/{run}/cancel',
    since: since16,
    idempotent: true,
    isDone: (raw) => isOver({ status: String(raw['status']) }),
  }),
  listOf(run, {
    name: 'jobs',
    label: 'List Jobs',
    action: 'List the jobs of a workflow run',
    description: 'Gives the jobs of a run',
    kind: jobs,
    fields: { runId: runIdField },
    namesOf: run.namesOf,
  }),
  logsOf(
    'logs',
    'Download Logs',
    'the logs of a workflow run',
    { runId: runIdField },
    {
      below: '/actions/runs/{run}/logs',
      extension: 'zip',
      mimeType: 'application/zip',
    },
  ),
  logsOf(
    'jobLogs',
    'Download Job Log',
    'the log of a job',
    { jobId: idField('Job ID') },
    {
      below: '/actions/jobs/{job}/logs',
      extension: 'log',
      mimeType: 'text/plain',
    },
  ),
  listOf(run, {
    name: 'tasks',
    label: 'List Tasks',
    action: 'List the tasks of a repository',
    description: 'Gives what runners were given to do, from all pages; servers before 11 have this instead of runs',
    kind: tasks,
  }),
  { ...deleteOf(run), description: 'Deletes a run that is over, with its logs' },
];

function logsOf(
  name: string,
  label: string,
  what: string,
  field: Readonly<Record<string, ReturnType<typeof idField>>>,
  { below, extension, mimeType }: { readonly below: string; readonly extension: string; readonly mimeType: string },
) {
  return operation({
    resource: 'run',
    name,
    label,
    action: `Download ${what}`,
    description: `Gives ${what} as a file, without holding it in memory. From Forgejo 16 on.`,
    effect: 'reads',
    input: { repository: repositoryField, ...field, binaryField: binaryProperty() },
    output: schema.object({ fileName: schema.string() }),
    run: async ({ input, api, binary, task }) => {
      const values = input as Readonly<Record<string, unknown>>;
      const id = (values['runId'] ?? values['jobId']) as number;
      const fileName = `${name === 'logs' ? 'run' : 'job'}-${id}.${extension}`;
      const base = repositoryBase(values['repository'] as string);
      const names = { run: id, job: id };
      const { content } = await download(api, base, below, names, fileName, task, { since: since16 });
      const stored = await binary.store(content, { fileName, mimeType });
      return withBinary({ fileName }, { [values['binaryField'] as string]: stored });
    },
  });
}

const artifact = target({
  kind: artifacts,
  name: 'artifact',
  where: inRepository,
  choose: { artifactId: idField('Artifact ID') },
  namesOf: ({ input }) => ({ artifact: input['artifactId'] as number }),
});

export const artifactOperations = [
  listOf(artifact, { filters: { name: text({ label: 'Name' }) } }),
  listOf(artifact, {
    name: 'ofRun',
    label: 'List of Run',
    action: 'List the artifacts of a workflow run',
    description: 'Gives the artifacts of one run, from all pages',
    kind: artifactsOfRun,
    fields: { runId: runIdField },
    namesOf: run.namesOf,
  }),
  getOf(artifact),
  operation({
    resource: 'artifact',
    name: 'download',
    action: 'Download an artifact',
    description: 'Gives an artifact as a ZIP file, without holding it in memory. From Forgejo 16 on.',
    effect: 'reads',
    input: { repository: repositoryField, artifactId: idField('Artifact ID'), binaryField: binaryProperty() },
    output: schema.object({ fileName: schema.string() }),
    run: async ({ input, api, binary, task }) => {
      const fileName = `artifact-${input.artifactId}.zip`;
      const names = { artifact: input.artifactId };
      const base = repositoryBase(input.repository);
      const below = `${artifacts.member}/zip`;
      const { content } = await download(api, base, below, names, fileName, task, { since: since16 });
      const stored = await binary.store(content, { fileName, mimeType: 'application/zip' });
      return withBinary({ fileName }, { [input.binaryField]: stored });
    },
  }),
  deleteOf(artifact),
];

const listedScopes = inScope('repository', 'organization');
const writtenScopes = inScope('repository', 'organization', 'user');
const secretName = text({
  label: 'Name',
  required: true,
  placeholder: 'DEPLOY_KEY',
  pattern: { matches: /^[A-Za-z_][A-Za-z0-9_]*$/, says: 'letters, digits and underscores' },
});

export const secretOperations = [
  listOf(target({ kind: secrets, name: 'secret', where: listedScopes }), {
    description: 'Gives the names of the secrets, from all pages. Nobody can read their values.',
  }),
  operation({
    resource: 'secret',
    name: 'set',
    action: 'Set a secret',
    description: 'Gives workflows a secret. Whether it is the same as before nobody can tell, so it is always written.',
    effect: 'changes',
    dryRun: true,
    input: { ...writtenScopes.fields, secretName, value: secretField({ label: 'Value', required: true }) },
    output: changeSchema(secrets.shape),
    run: async (call): Promise<object> => {
      const { base, input, api, secrets: sources, task } = askedOf({ where: writtenScopes }, call);
      const data = await reveal(input['value'] as string, sources, task);
      return ensureSecret(api, base, { name: input['secretName'] as string, data }, call.input.dryRun, task);
    },
  }),
  operation({
    resource: 'secret',
    name: 'delete',
    action: 'Delete a secret',
    description: 'Takes a secret from workflows. That it is gone already is no failure.',
    effect: 'destroys',
    dryRun: true,
    needsApproval: true,
    input: { ...writtenScopes.fields, secretName },
    output: changeSchema(secrets.shape),
    run: async (call): Promise<object> => {
      const { base, input, api, task } = askedOf({ where: writtenScopes }, call);
      return removeSecret(api, base, input['secretName'] as string, call.input.dryRun, task);
    },
  }),
];

const variable = target({
  kind: variables,
  name: 'variable',
  where: writtenScopes,
  choose: { variableName: secretName },
  namesOf: ({ input }) => ({ variable: input['variableName'] as string }),
});

export const variableOperations = [
  listOf(variable),
  getOf(variable),
  operation({
    resource: 'variable',
    name: 'set',
    action: 'Set a variable',
    description: 'Lets a variable of workflows have this value',
    effect: 'changes',
    dryRun: true,
    input: {
      ...writtenScopes.fields,
      variableName: secretName,
      variableValue: text({ label: 'Value', required: true, noTrim: true }),
    },
    output: changeSchema(variables.shape),
    run: async (call): Promise<object> => {
      const { base, input, api, task } = askedOf({ where: writtenScopes }, call);
      const wanted = { name: input['variableName'] as string, value: input['variableValue'] as string };
      return ensureVariable(api, base, wanted, call.input.dryRun, task);
    },
  }),
  deleteOf(variable),
];

const runnerScopes = inScope('repository', 'organization', 'user', 'system');
const runner = target({
  kind: runners,
  name: 'runner',
  where: runnerScopes,
  choose: { runnerId: idField('Runner ID') },
  namesOf: ({ input }) => ({ runner: input['runnerId'] as number }),
});

export const runnerOperations = [
  listOf(runner, {
    filters: {
      visible: toggle({ label: 'Also Others', default: true, description: 'Whether those of wider scopes, too' }),
    },
  }),
  getOf(runner),
  operation({
    resource: 'runner',
    name: 'register',
    action: 'Register a runner',
    description: 'Makes a runner, and gives the token it logs in with when that is asked for',
    effect: 'creates',
    dryRun: true,
    input: {
      ...runnerScopes.fields,
      runnerName: text({ label: 'Name', required: true, placeholder: 'bruno' }),
      runnerDescription: text({ label: 'Description' }),
      ephemeral: toggle({ label: 'Ephemeral', description: 'Whether it is gone after its first job' }),
      returnSecrets,
    },
    output: schema.object({
      ...changeFields,
      id: schema.nullable(schema.integer()),
      uuid: schema.nullable(schema.string()),
      token: schema.nullable(schema.string('Null unless Return Secrets was switched on')),
      sensitiveFields: schema.array(schema.string(), 'Fields that hold a secret'),
    }),
    run: async (call) => {
      const { dryRun } = call.input;
      const { base, input, api, task } = askedOf({ where: runnerScopes }, call);
      if (dryRun) return { changed: true, dryRun, id: null, uuid: null, token: null, sensitiveFields: [] };
      const wanted = {
        name: input['runnerName'] as string,
        description: input['runnerDescription'] as string,
        ephemeral: input['ephemeral'] as boolean,
      };
      const { id, uuid, token } = await registerRunner(api, base, wanted, task);
      const shown = input['returnSecrets'] === true;
      return { changed: true, dryRun, id, uuid, token: shown ? token : null, sensitiveFields: shown ? ['token'] : [] };
    },
  }),
  operation({
    resource: 'runner',
    name: 'registrationToken',
    label: 'Get Registration Token',
    action: 'Get a registration token for runners',
    description: 'Gives the token that a runner registers itself with, which n8n keeps readable with the execution',
    effect: 'changes',
    input: runnerScopes.fields,
    output: schema.object({ token: schema.string(), sensitiveFields: schema.array(schema.string()) }),
    run: async (call) => {
      const { base, api, task } = askedOf({ where: runnerScopes }, call);
      return { token: await registrationToken(api, base, task), sensitiveFields: ['token'] };
    },
  }),
  listOf(runner, {
    name: 'waitingJobs',
    label: 'List Waiting Jobs',
    action: 'List jobs that wait for a runner',
    description: 'Gives the jobs that no runner has taken yet',
    kind: waitingJobs,
    filters: { labels: text({ label: 'Labels', description: 'With commas between them' }) },
  }),
  deleteOf(runner),
];
