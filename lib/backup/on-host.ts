import { randomBytes } from 'node:crypto';
import { Failure } from '../failure';
import { describeHost, type Host } from '../host/host';
import { awaitJob } from '../host/jobs/await';
import { jobLogs } from '../host/jobs/logs';
import { startJob } from '../host/jobs/start';
import { parseJson } from '../json';
import { redact } from '../secrets/redact';
import type { Task } from '../task';
import { renderFields, type Fields } from './plan-fields';

export interface Errand {
  /** `Verify`, `Restore`: names the job. */
  readonly name: string;
  readonly subject: string;
  readonly script: string;
  readonly fields: Fields;
  readonly secrets: readonly string[];
  readonly timeoutMs: number;
}

/**
 * Runs a backup script as a job and returns what stands behind `report` in its last line. Without a report it failed;
 * Stop ends the waiting only, the job goes on.
 */
export async function runErrand(host: Host, errand: Errand, task: Task): Promise<unknown> {
  const started = await startJob(
    host,
    {
      name: errand.name,
      intent: `${errand.subject} ${new Date().toISOString()} ${randomBytes(4).toString('hex')}`,
      owner: task.owner,
      command: { script: errand.script, strict: false },
      secretInput: renderFields(errand.fields),
    },
    task,
  );
  const { id, run } = started;
  const job = await awaitJob(host, id, { run, timeoutMs: errand.timeoutMs, longestPauseMs: 500 }, task);
  const maxBytes = 8 * 1024 * 1024;
  const { text } = await jobLogs(host, id, { run, stream: 'stdout', fromByte: -maxBytes, maxBytes }, task);
  const line = text.split('\n').findLast((each) => each.startsWith('report '));
  if (line !== undefined) return redact(parseJson(line.slice('report '.length)), errand.secrets);
  const said = (await jobLogs(host, id, { run, stream: 'stderr', tailLines: 5 }, task)).text;
  const why = /^selfhost: (.*)$/m.exec(said)?.[1] ?? `it ended as ${job.state.kind} without an answer`;
  throw new Failure({
    code: 'backup_errand_failed',
    subject: `${errand.subject} on ${describeHost(host)}`,
    message: redact(`${errand.name} of ${errand.subject} failed on ${describeHost(host)}: ${why}`, errand.secrets),
    nextStep: 'Mend what it names and start it again; it left nothing behind.',
    details: { job: id, run, log: redact(said.slice(-1000), errand.secrets) },
  });
}
