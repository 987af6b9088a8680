import { Failure } from '../../../lib/failure';
import type { Host } from '../../../lib/host/host';
import { cancelJob } from '../../../lib/host/jobs/cancel';
import { aboutRemote, listRemote, testRemotes } from '../../../lib/rclone/ask';
import {
  awaitTransfer,
  readTransfer,
  startTransfer,
  type Transfer,
  type TransferState,
} from '../../../lib/rclone/transfer';
import type { Task } from '../../../lib/task';
import { choice, number, optional, schema, text, toggle } from '../../declaration';
import { jobStates } from '../../Host/actions/job/shared';
import { hostField, options, timeoutHours } from '../fields';
import { operation, type BackupContext } from '../operation';

const pathField = text({ label: 'Path', required: true, placeholder: 'eva:backups', description: 'Remote and path' });
const from = text({ label: 'From', required: true, placeholder: 'eva:photos' });
const to = text({ label: 'To', required: true, placeholder: 'box:photos' });

export const testOperation = operation({
  resource: 'remote',
  name: 'test',
  action: 'Test the remotes',
  description: 'Asks every remote of the credential from a host and says which works, one item each',
  effect: 'reads',
  input: { host: hostField, options: optional(options) },
  output: schema.object({
    host: schema.string(),
    remote: schema.string(),
    type: schema.string(),
    works: schema.boolean(),
    sentence: schema.string(),
  }),
  run: async ({ host, hostName, rclone, task }) =>
    (await testRemotes(host, rclone.rclone, task)).map((one) => ({ host: hostName, ...one })),
});

export const listOperation = operation({
  resource: 'remote',
  name: 'list',
  action: 'List a folder of a remote',
  description: 'Lists files and folders, one item each',
  effect: 'reads',
  input: {
    host: hostField,
    path: pathField,
    options: optional({
      ...options,
      recursive: toggle({ description: 'Whether folders below are listed too' }),
      maxEntries: number({ label: 'Max Entries', default: 10_000, min: 1, max: 1_000_000, integer: true }),
    }),
  },
  output: schema.object({
    path: schema.string(),
    name: schema.string(),
    folder: schema.boolean(),
    bytes: schema.nullable(schema.integer()),
    modifiedAt: schema.nullable(schema.string()),
  }),
  run: ({ input, host, rclone, task }) => {
    const { recursive = false, maxEntries = 10_000 } = input.options;
    return listRemote(host, rclone.rclone, { path: input.path, recursive, maxEntries }, task);
  },
});

export const aboutOperation = operation({
  resource: 'remote',
  name: 'about',
  label: 'Get Room',
  action: 'Get the room of a remote',
  description: 'Tells total, used and free bytes, where the remote does',
  effect: 'reads',
  input: { host: hostField, path: pathField, options: optional(options) },
  output: schema.object({
    path: schema.string(),
    total: schema.nullable(schema.integer()),
    used: schema.nullable(schema.integer()),
    free: schema.nullable(schema.integer()),
    trashed: schema.nullable(schema.integer()),
  }),
  run: async ({ input, host, rclone, task }) => ({
    path: input.path,
    ...(await aboutRemote(host, rclone.rclone, input.path, task)),
  }),
});

const state = schema.lazy(() =>
  schema.object({
    host: schema.string(),
    jobId: schema.string(),
    jobRun: schema.string(),
    state: schema.oneOf(jobStates),
    good: schema.nullable(schema.boolean('Null while it is running')),
    sentence: schema.string(),
    progress: schema.object({
      bytes: schema.integer(),
      totalBytes: schema.integer(),
      bytesPerSecond: schema.integer(),
      transfers: schema.integer(),
      checks: schema.integer(),
      deletes: schema.integer(),
      errors: schema.integer(),
    }),
    items: schema.array(
      schema.object({ path: schema.string(), what: schema.string() }),
      'Of a dry run: what would be done. Of a check: what differs.',
    ),
    errors: schema.array(schema.string()),
  }),
);

function stateItem(host: Host, { job, good, ...rest }: TransferState) {
  return { host: host.target.name, jobId: job.id, jobRun: job.run, state: job.state.kind, good: good ?? null, ...rest };
}

const wait = toggle({
  label: 'Wait for the End',
  default: true,
  description: 'Whether to wait. Without it Get Status and the Host Job Trigger tell how it ends.',
});
const jobOptions = {
  ...options,
  timeoutHours,
  intent: text({ description: 'With the same intent it runs once. Empty: every call starts one.' }),
};
const bandwidth = text({ placeholder: '10M', description: 'Bytes a second at most, as rclone takes it' });

async function carriedOut(
  { host, rclone, task }: Pick<BackupContext, 'host' | 'rclone'> & { readonly task: Task },
  transfer: Transfer,
  input: { readonly wait: boolean; readonly options: { readonly intent?: string; readonly timeoutHours?: number } },
  differencesAreFine = false,
) {
  const { intent = '', timeoutHours: hours = 12 } = input.options;
  const started = await startTransfer(host, rclone.rclone, transfer, intent === '' ? {} : { intent }, task);
  if (!input.wait) return stateItem(host, await readTransfer(host, rclone.rclone, started, task));
  const ended = await awaitTransfer(host, rclone.rclone, started, { timeoutMs: hours * 3_600_000 }, task);
  const item = stateItem(host, ended);
  if (ended.good === true || (differencesAreFine && ended.items.length > 0)) return item;
  throw new Failure({
    code: 'rclone_failed',
    subject: `job ${item.jobId} on ${item.host}`,
    message: item.sentence,
    nextStep: 'Read its errors, mend what they name, and run it again: what is done is not done twice.',
    details: { jobId: item.jobId, jobRun: item.jobRun, errors: item.errors.slice(0, 20) },
  });
}

export const copyOperation = operation({
  resource: 'remote',
  name: 'copy',
  action: 'Copy between remotes',
  description: 'Copies what is missing or differs. Nothing is deleted.',
  effect: 'creates',
  dryRun: true,
  input: { host: hostField, from, to, wait, options: optional({ ...jobOptions, bandwidth }) },
  output: state,
  run: ({ input, ...context }) => {
    const { from: source, to: target, dryRun } = input;
    return carriedOut(
      context,
      { kind: 'copy', from: source, to: target, dryRun, bandwidth: input.options.bandwidth },
      input,
    );
  },
});

export const syncOperation = operation({
  resource: 'remote',
  name: 'sync',
  action: 'Sync a remote to another',
  description:
    'Makes the second equal to the first, and deletes there what the first has not, up to a limit. Dry Run first.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    host: hostField,
    from,
    to,
    maxDelete: number({
      label: 'Max Deletions',
      default: 100,
      min: 0,
      max: 100_000_000,
      integer: true,
      description: 'It ends when it would delete more files than this',
    }),
    wait,
    options: optional({ ...jobOptions, bandwidth }),
  },
  output: state,
  run: ({ input, ...context }) => {
    const { from: source, to: target, dryRun, maxDelete } = input;
    const { bandwidth: rate } = input.options;
    return carriedOut(context, { kind: 'sync', from: source, to: target, dryRun, maxDelete, bandwidth: rate }, input);
  },
});

export const checkOperation = operation({
  resource: 'remote',
  name: 'check',
  action: 'Check two remotes against each other',
  description:
    'Compares sizes and hashes and tells what differs. With a crypt remote on the second side, Encrypted compares through its passwords.',
  effect: 'reads',
  input: {
    host: hostField,
    from,
    to,
    way: choice({
      options: {
        hash: { label: 'Hashes', description: 'Or sizes, where the two have no hash in common' },
        download: { label: 'Download', description: 'Compares the bytes' },
        encrypted: { label: 'Encrypted', description: 'The second is a crypt remote (cryptcheck)' },
      },
      default: 'hash',
    }),
    wait,
    options: optional(jobOptions),
  },
  output: state,
  run: ({ input, ...context }) => {
    const { from: source, to: target, way } = input;
    const transfer: Transfer =
      way === 'encrypted'
        ? { kind: 'cryptCheck', from: source, to: target }
        : { kind: 'check', from: source, to: target, download: way === 'download' };
    return carriedOut(context, transfer, input, true);
  },
});

export const deleteOperation = operation({
  resource: 'remote',
  name: 'delete',
  action: 'Delete files of a remote',
  description: 'Deletes the files in a folder of a remote, or one file; a whole remote is refused. Dry Run first.',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    host: hostField,
    path: pathField,
    wait,
    options: optional({
      ...jobOptions,
      minAge: text({ label: 'Minimum Age', placeholder: '30d', description: 'Only files that are older than this' }),
    }),
  },
  output: state,
  run: ({ input, ...context }) => {
    const { path, dryRun } = input;
    return carriedOut(context, { kind: 'delete', path, dryRun, minAge: input.options.minAge }, input);
  },
});

export const dedupeOperation = operation({
  resource: 'remote',
  name: 'dedupe',
  action: 'Remove duplicates of a remote',
  description: 'Some remotes, Google Drive above all, can hold several files of one name: keeps one of each',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: {
    host: hostField,
    path: pathField,
    keep: choice({
      options: {
        skip: { label: 'Identical Only', description: 'Removes copies that are the same, leaves the rest' },
        newest: 'Newest',
        oldest: 'Oldest',
        largest: 'Largest',
        smallest: 'Smallest',
        first: 'First',
        rename: { label: 'All', description: 'Renames them' },
      },
      default: 'skip',
    }),
    wait,
    options: optional(jobOptions),
  },
  output: state,
  run: ({ input, ...context }) =>
    carriedOut(context, { kind: 'dedupe', path: input.path, mode: input.keep, dryRun: input.dryRun }, input),
});

export const cleanUpOperation = operation({
  resource: 'remote',
  name: 'cleanUp',
  action: 'Clean up a remote',
  description: 'Empties the trash or removes old versions and broken uploads, as the remote understands it',
  effect: 'destroys',
  dryRun: true,
  needsApproval: true,
  input: { host: hostField, path: pathField, wait, options: optional(jobOptions) },
  output: state,
  run: ({ input, ...context }) =>
    carriedOut(context, { kind: 'cleanUp', path: input.path, dryRun: input.dryRun }, input),
});

const job = {
  jobId: text({ label: 'Job ID', required: true }),
  options: optional({
    ...options,
    jobRun: text({ label: 'Job Run', description: 'Default: the newest run of the job' }),
  }),
};

export const transferStatusOperation = operation({
  resource: 'remote',
  name: 'status',
  label: 'Get Status',
  action: 'Get how far a job with remotes is',
  description: 'Tells how far a copy, sync, check or delete is, or how it ended',
  effect: 'reads',
  input: { host: hostField, ...job },
  output: state,
  run: async ({ input, host, rclone, task }) => {
    const { jobRun = '' } = input.options;
    const run = jobRun === '' ? {} : { run: jobRun };
    return stateItem(host, await readTransfer(host, rclone.rclone, { id: input.jobId, ...run }, task));
  },
});

export const stopTransferOperation = operation({
  resource: 'remote',
  name: 'stop',
  action: 'Stop a job with remotes',
  description: 'Ends it with all its processes. What was copied whole stays.',
  effect: 'changes',
  input: { host: hostField, ...job },
  output: state,
  run: async ({ input, host, rclone, task }) => {
    const { jobRun = '' } = input.options;
    const run = jobRun === '' ? {} : { run: jobRun };
    const ended = await cancelJob(host, input.jobId, { by: task.owner, ...run }, task);
    return stateItem(host, await readTransfer(host, rclone.rclone, { id: ended.id, run: ended.run }, task));
  },
});
