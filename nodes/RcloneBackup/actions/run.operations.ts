import { fillDestination } from '../../../lib/backup/fill';
import { chooseBackup, destinationNamed } from '../../../lib/backup/inventory/choose';
import { awaitBackup, readBackup, retryBackup, startBackup, type BackupRun } from '../../../lib/backup/scatter';
import { withSecrets } from '../../../lib/backup/described/described';
import { livePlan } from '../../../lib/backup/described/groups';
import type { BackupPlan } from '../../../lib/backup/plan';
import type { BackupReport } from '../../../lib/backup/report';
import { Failure } from '../../../lib/failure';
import { vaultOf } from '../../../lib/rclone/credential';
import { listJobs, readJob } from '../../../lib/host/jobs/read';
import type { Host } from '../../../lib/host/host';
import type { Task } from '../../../lib/task';
import { number, optional, schema, text, toggle } from '../../declaration';
import { jobFacts, jobItem } from '../../Host/actions/job/shared';
import { backupField, hostField, options, planField, sourceField, timeoutHours } from '../fields';
import { operation } from '../operation';
import { noRun, outcome, outcomeFields, reportItem } from '../outcome';

export const waitFields = {
  wait: toggle({
    label: 'Wait for the End',
    default: true,
    description:
      'Whether to wait. Without it the Host Job Trigger tells of the end, also when n8n was restarted meanwhile.',
  }),
};
export const waitOptions = {
  ...options,
  timeoutHours,
  acceptFailure: toggle({
    label: 'Accept Failure',
    description: 'Whether a run that failed is an answer and not an error',
  }),
};

/** A run that was started, of a backup or of a tree. */
interface Followed {
  /** `backup nightly` */
  readonly called: string;
  readonly plan: Pick<BackupPlan, 'set' | 'vault' | 'sources'>;
  readonly started: BackupRun;
  readonly awaited: (timeoutMs: number) => Promise<BackupReport>;
}

export async function followed(
  host: Host,
  { called, plan, started, awaited }: Followed,
  wait: { readonly wait: boolean; readonly timeoutHours?: number; readonly acceptFailure?: boolean },
  task: Task,
) {
  const { job, run, changed } = started;
  if (!wait.wait) return reportItem(host.target.name, plan.set, job, run, changed);
  const report = await awaited((wait.timeoutHours ?? 12) * 3_600_000);
  const { job: ended } = await readBackup(host, plan, job, task);
  const item = reportItem(host.target.name, plan.set, ended, report.run, changed, report);
  if (report.status !== 'failed' || wait.acceptFailure === true) return item;
  throw new Failure({
    code: 'backup_failed',
    subject: `${called} on ${host.target.name}`,
    message: item.sentence,
    nextStep: report.retryFromSpool
      ? `Mend what it names. Retry with run ${report.run} fills the destinations that failed, without a new dump.`
      : 'Mend what it names, and run it again.',
    details: {
      ...item,
      sources: item.sources.map(({ copies, ...each }) => ({ ...each, copies: copies.map((copy) => ({ ...copy })) })),
      destinations: item.destinations.map((each) => ({ ...each })),
    },
  });
}

function ofBackup(host: Host, plan: BackupPlan, started: BackupRun, task: Task): Followed {
  const awaited = (timeoutMs: number) => awaitBackup(host, plan, started, { timeoutMs }, task);
  return { called: `backup ${plan.set}`, plan, started, awaited };
}

export const scatterOperation = operation({
  resource: 'backup',
  name: 'scatter',
  action: 'Scatter a backup',
  description:
    'Dumps every source of the plan once, encrypts it once, and carries it to all destinations at the same time, as a job on the host',
  effect: 'creates',
  dryRun: true,
  input: {
    host: hostField,
    plan: planField,
    ...waitFields,
    options: optional({
      ...waitOptions,
      intent: text({
        placeholder: '={{ $now.toISODate() }}',
        description: 'With the same intent it runs once, however often it is started. Empty: every call starts a run.',
      }),
    }),
  },
  output: outcome,
  run: async ({ input, host, hostName, describe, secret, task }) => {
    const plan = await livePlan(host, describe(input.plan), secret, task);
    if (input.dryRun) {
      const { sources, destinations } = plan;
      return {
        ...noRun(hostName, plan.set),
        sentence: `Would back up ${sources.map(({ name }) => name).join(', ')} to ${destinations.map(({ name }) => name).join(', ')}; ${plan.quorum} failure domains are wanted`,
      };
    }
    const { intent } = input.options;
    const started = await startBackup(host, plan, intent === undefined || intent === '' ? {} : { intent }, task);
    return await followed(host, ofBackup(host, plan, started, task), { wait: input.wait, ...input.options }, task);
  },
});

export const retryOperation = operation({
  resource: 'backup',
  name: 'retry',
  action: 'Retry the destinations that failed',
  description: 'Fills the destinations that failed from what the run left in its spool. The others are not touched.',
  effect: 'creates',
  input: {
    host: hostField,
    plan: planField,
    backupRun: text({ label: 'Backup Run', required: true, placeholder: 'run-20260131T020000-0a1b2c3d' }),
    ...waitFields,
    options: optional(waitOptions),
  },
  output: outcome,
  run: async ({ input, host, describe, secret, task }) => {
    const plan = await withSecrets(describe(input.plan).plan, secret);
    const started = await retryBackup(host, plan, input.backupRun, task);
    return await followed(host, ofBackup(host, plan, started, task), { wait: input.wait, ...input.options }, task);
  },
});

export const fillOperation = operation({
  resource: 'backup',
  name: 'fill',
  action: 'Fill a destination from another',
  description: 'Gives a destination a backup that it has not, or whose copy is damaged, from one that has it whole',
  effect: 'creates',
  input: {
    host: hostField,
    plan: planField,
    source: sourceField,
    backup: backupField,
    to: text({ label: 'To Destination', required: true, placeholder: 'box' }),
    options: optional({ ...options, from: text({ label: 'From Destination', placeholder: 'eva' }), timeoutHours }),
  },
  output: schema.object({
    source: schema.string(),
    backup: schema.string(),
    from: schema.string(),
    destination: schema.string(),
    copy: schema.oneOf(['proven', 'unproven']),
  }),
  run: async ({ input, host, describe, task }) => {
    const described = describe(input.plan);
    const { plan } = described;
    const to = destinationNamed(plan, input.to);
    const { from: named = '', timeoutHours: hours = 12 } = input.options;
    const given = named === '' ? undefined : destinationNamed(plan, named);
    const among = given === undefined ? plan.destinations.filter(({ name }) => name !== to.name) : [given];
    const wanted = { source: input.source, which: input.backup, among };
    const { backup, at } = await chooseBackup(host, described, wanted, task);
    const [from] = at;
    const request = { vault: plan.vault, backup, from, to, timeoutMs: hours * 3_600_000 };
    const filled = await fillDestination(host, request, task);
    return { source: backup.source, backup: backup.name, from: from.name, ...filled };
  },
});

export const statusOperation = operation({
  resource: 'run',
  name: 'get',
  label: 'Get Status',
  action: 'Get the status of a backup run',
  description: 'Tells how a run stands, or how it ended: what the Host Job Trigger gives is all it needs',
  effect: 'reads',
  input: {
    host: hostField,
    jobId: text({ label: 'Job ID', required: true }),
    options: optional({
      ...options,
      jobRun: text({ label: 'Job Run', description: 'Default: the newest run of the job' }),
      logLines: number({ label: 'Log Lines', default: 200, min: 0, max: 10_000, integer: true }),
    }),
  },
  output: schema.lazy(() => schema.object({ ...outcomeFields(), log: schema.string() })),
  run: async ({ input, host, hostName, rclone, task }) => {
    const { jobRun, logLines = 200 } = input.options;
    const found = await readJob(host, input.jobId, task, jobRun === '' ? undefined : jobRun);
    const { job, log, report } = await readBackup(host, { vault: vaultOf(rclone), sources: [] }, found, task);
    const list = 'script' in job.command ? job.command.arguments : [];
    const lines = log.trimEnd().split('\n');
    return {
      // As the engines call their jobs: Backup nightly, Tree photos.
      ...reportItem(hostName, job.name.replace(/^\w+ /, ''), job, report?.run ?? list[0] ?? '', false, report),
      log: logLines === 0 ? '' : lines.slice(-logLines).join('\n'),
    };
  },
});

export const listRunsOperation = operation({
  resource: 'run',
  name: 'list',
  action: 'List backup runs',
  description: 'Lists the runs of a set that its host remembers, one item each',
  effect: 'reads',
  input: {
    host: hostField,
    set: text({ required: true, placeholder: 'nightly', description: 'As in the plan' }),
    options: optional(options),
  },
  output: schema.object(jobFacts),
  run: async ({ input, host, hostName, task }) =>
    (await listJobs(host, { name: `Backup ${input.set}` }, task)).map((job) => jobItem(hostName, job)),
});
