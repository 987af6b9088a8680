import { readJob } from '../../../../lib/host/jobs/read';
import { jobLogs } from '../../../../lib/host/jobs/logs';
import { choice, number, optional, schema } from '../../../declaration';
import { hostField, hostOptions } from '../../fields';
import { operation } from '../../operation';
import { jobIdField, runField } from './shared';

export const jobLogsOperation = operation({
  resource: 'job',
  name: 'logs',
  label: 'Get Logs',
  action: 'Get the logs of a job',
  description: 'Gives the output of a job, all or from where one stopped reading',
  effect: 'reads',
  input: {
    host: hostField,
    jobId: jobIdField,
    stream: choice({ options: { stdout: 'Output', stderr: 'Errors' }, default: 'stdout' }),
    options: optional({
      hostKeys: hostOptions.hostKeys,
      run: runField,
      fromByte: number({ label: 'From Byte', default: 0, integer: true, description: 'Negative counts from the end' }),
      tailLines: number({ label: 'Last Lines', default: 100, min: 1, max: 100_000, integer: true }),
      maxKib: number({ label: 'Max Size (KiB)', default: 256, min: 1, max: 16_384, integer: true }),
    }),
  },
  output: schema.object({
    host: schema.string(),
    id: schema.string(),
    run: schema.string(),
    stream: schema.oneOf(['stdout', 'stderr']),
    text: schema.string(),
    nextByte: schema.integer('Where to go on reading'),
    totalBytes: schema.integer(),
    droppedBytes: schema.integer('Bytes of the part that the log did not keep'),
  }),
  run: async ({ input, host, task }) => {
    const { fromByte, tailLines, maxKib = 256 } = input.options;
    const run = input.options.run ?? (await readJob(host, input.jobId, task)).run;
    const part = { stream: input.stream, run, fromByte, tailLines, maxBytes: maxKib * 1024 };
    const log = await jobLogs(host, input.jobId, part, task);
    return { host: host.target.name, id: input.jobId, run, stream: input.stream, ...log };
  },
});
