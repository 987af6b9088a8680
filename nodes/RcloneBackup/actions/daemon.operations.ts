import { rcloneDaemon } from '../../../lib/rclone/daemon';
import type { Task } from '../../../lib/task';
import { number, optional, schema, text } from '../../declaration';
import { hostField, options } from '../fields';
import { operation, type BackupContext } from '../operation';

const address = text({
  required: true,
  default: '127.0.0.1:5572',
  description: 'Where rclone serves its remote control on the host: address and port, or the path of a socket',
});
const daemonOptions = {
  ...options,
  daemonUser: text({ label: 'User' }),
  daemonPassword: text({
    label: 'Password From',
    placeholder: 'credential:RCLONE_RC',
    description: 'A secret reference, never the password itself',
  }),
};
const daemon = { host: hostField, address, options: optional(daemonOptions) };
const jobIdField = number({ label: 'Daemon Job', default: 1, min: 1, max: 1_000_000_000, integer: true });

async function daemonOf(
  { host, secret, task }: Pick<BackupContext, 'host' | 'secret'> & { readonly task: Task },
  input: {
    readonly address: string;
    readonly options: { readonly daemonUser?: string; readonly daemonPassword?: string };
  },
) {
  const { daemonUser: user = '', daemonPassword = '' } = input.options;
  const password = daemonPassword === '' ? {} : { password: await secret(daemonPassword) };
  return rcloneDaemon({ host, address: input.address, user, ...password }, task);
}

export const daemonStatsOperation = operation({
  resource: 'daemon',
  name: 'stats',
  label: 'Get Stats',
  action: 'Get what an rclone daemon is doing',
  description: 'Tells what a running rclone (rcd, or a mount with remote control) has moved since it started',
  effect: 'reads',
  input: daemon,
  output: schema.object({
    bytes: schema.integer(),
    totalBytes: schema.integer(),
    bytesPerSecond: schema.integer(),
    transfers: schema.integer(),
    checks: schema.integer(),
    deletes: schema.integer(),
    errors: schema.integer(),
    lastError: schema.nullable(schema.string()),
    elapsedSeconds: schema.number(),
    jobs: schema.array(schema.integer()),
  }),
  run: async ({ input, ...context }) => {
    const rcd = await daemonOf(context, input);
    return { ...(await rcd.stats(undefined, context.task)), jobs: await rcd.jobs(context.task) };
  },
});

export const daemonBandwidthOperation = operation({
  resource: 'daemon',
  name: 'bandwidth',
  label: 'Limit Bandwidth',
  action: 'Limit the bandwidth of an rclone daemon',
  description: 'Changes the limit of a running rclone at once, or takes it away with "off"',
  effect: 'changes',
  input: { ...daemon, rate: text({ required: true, placeholder: '10M' }) },
  output: schema.object({ rate: schema.string(), bytesPerSecond: schema.integer() }),
  run: async ({ input, ...context }) => (await daemonOf(context, input)).limitBandwidth(input.rate, context.task),
});

const jobState = {
  jobId: schema.integer(),
  finished: schema.boolean(),
  good: schema.boolean(),
  error: schema.nullable(schema.string()),
  startedAt: schema.nullable(schema.string()),
  seconds: schema.number(),
} as const;

export const daemonStartOperation = operation({
  resource: 'daemon',
  name: 'start',
  action: 'Start a copy in an rclone daemon',
  description: 'Copies in the background of the daemon, with the remotes that it knows itself. Nothing is deleted.',
  effect: 'creates',
  input: {
    ...daemon,
    from: text({ required: true, placeholder: 'eva:photos' }),
    to: text({ required: true, placeholder: 'box:photos' }),
  },
  output: schema.object(jobState),
  run: async ({ input, ...context }) => {
    const rcd = await daemonOf(context, input);
    return await rcd.job(await rcd.start('copy', { from: input.from, to: input.to }, {}, context.task), context.task);
  },
});

export const daemonJobOperation = operation({
  resource: 'daemon',
  name: 'job',
  label: 'Get Job',
  action: 'Get a job of an rclone daemon',
  description: 'Tells whether it has ended, and how',
  effect: 'reads',
  input: { ...daemon, jobNumber: jobIdField },
  output: schema.object(jobState),
  run: async ({ input, ...context }) => (await daemonOf(context, input)).job(input.jobNumber, context.task),
});

export const daemonStopOperation = operation({
  resource: 'daemon',
  name: 'stop',
  label: 'Stop Job',
  action: 'Stop a job of an rclone daemon',
  description: 'Ends it; what was copied whole stays',
  effect: 'changes',
  input: { ...daemon, jobNumber: jobIdField },
  output: schema.object(jobState),
  run: async ({ input, ...context }) => {
    const rcd = await daemonOf(context, input);
    await rcd.stop(input.jobNumber, context.task);
    return await rcd.job(input.jobNumber, context.task);
  },
});
