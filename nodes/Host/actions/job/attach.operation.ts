import { Failure } from '../../../../lib/failure';
import { awaitJob } from '../../../../lib/host/jobs/await';
import { jobLogs } from '../../../../lib/host/jobs/logs';
import { number, optional, schema, toggle } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { jobFacts, jobIdField, jobItem, runField } from './shared';

export const attachJobOperation = operation({
  resource: 'job',
  name: 'attach',
  label: 'Wait For',
  action: 'Wait for a job',
  description: 'Follows a job to its end, from any execution. Stopping this does not stop the job.',
  effect: 'reads',
  input: {
    host: hostField,
    jobId: jobIdField,
    options: optional({
      hostKeys: hostOptions.hostKeys,
      run: runField,
      timeoutMinutes: number({ label: 'Timeout (Minutes)', default: 60, min: 0.1, max: 10_080 }),
      acceptFailure: toggle({
        label: 'Accept Failure',
        description: 'Whether a job that did not succeed is an answer and not an error',
      }),
    }),
  },
  output: schema.object({ ...jobFacts, stdout: schema.string('The end of its output'), stderr: schema.string() }),
  run: async ({ input, host, task }) => {
    const { run, timeoutMinutes = 60, acceptFailure = false } = input.options;
    const job = await awaitJob(host, input.jobId, { run, timeoutMs: timeoutMinutes * 60_000 }, task);
    const tail = { run: job.run, tailLines: 200, maxBytes: 64 * 1024 };
    const stdout = (await jobLogs(host, job.id, { ...tail, stream: 'stdout' }, task)).text;
    const stderr = (await jobLogs(host, job.id, { ...tail, stream: 'stderr' }, task)).text;
    const item = { ...jobItem(host.target.name, job), stdout, stderr };
    if (item.succeeded || acceptFailure) return item;
    const how =
      item.lostBecause ?? (item.signal === null ? `exit code ${item.exitCode ?? 'unknown'}` : `signal ${item.signal}`);
    throw new Failure({
      code: 'job_failed',
      subject: `job ${item.id} on ${item.host}`,
      message: `Job ${item.name} (${item.intent}) on ${item.host} was ${item.state}: ${how}`,
      nextStep: 'Read its logs with the Get Logs operation; Start with Run Again repeats it.',
      details: item,
    });
  },
});
