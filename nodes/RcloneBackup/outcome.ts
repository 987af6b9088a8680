import type { BackupReport } from '../../lib/backup/report';
import type { Job } from '../../lib/host/jobs/record';
import { schema } from '../declaration';
import { jobStates } from '../Host/actions/job/shared';

const runFacts = {
  host: schema.string(),
  set: schema.string(),
  jobId: schema.string('Of the job on the host, as the Host node and the Host Job Trigger know it'),
  jobRun: schema.string(),
  backupRun: schema.string('Names the run in its log and its manifests; Retry needs it'),
  state: schema.oneOf(['not started', ...jobStates]),
  changed: schema.boolean('Whether this call started it'),
} as const;

export const outcomeFields = () =>
  ({
    ...runFacts,
    status: schema.nullable(schema.oneOf(['ok', 'degraded', 'failed'], 'Null while it is running')),
    sentence: schema.string(),
    startedAt: schema.nullable(schema.string()),
    finishedAt: schema.nullable(schema.string()),
    sources: schema.array(
      schema.object({
        source: schema.string(),
        name: schema.string('Of this backup at every destination'),
        status: schema.oneOf(['ok', 'degraded', 'failed']),
        sentence: schema.string(),
        copies: schema.array(
          schema.object({ destination: schema.string(), copy: schema.oneOf(['proven', 'unproven', 'missing']) }),
        ),
      }),
    ),
    destinations: schema.array(
      schema.object({ destination: schema.string(), failure: schema.nullable(schema.string()) }),
    ),
    retryFromSpool: schema.boolean('Whether Retry can fill the destinations that failed'),
    undeletableCopy: schema.boolean('Whether a destination keeps its copies from the credentials that wrote them'),
  }) as const;

export const outcome = schema.lazy(() => schema.object(outcomeFields()));

/** A run as a flat item. Without a report it has not ended, or ended without one. */
export function reportItem(
  hostName: string,
  set: string,
  job: Job,
  backupRun: string,
  changed: boolean,
  report?: BackupReport,
) {
  const { status = null, startedAt = null, finishedAt = null, sources = [], destinations = [] } = report ?? {};
  const bad = sources.filter((each) => each.status !== 'ok');
  const sentence =
    report === undefined
      ? `Backup ${set} is ${job.state.kind} on ${hostName}`
      : bad.length === 0
        ? `Backup ${set} is ok: ${sources.length} sources, each at all ${destinations.length} destinations`
        : `Backup ${set} is ${report.status}: ${bad.map((each) => `${each.source}: ${each.sentence}`).join('; ')}`;
  return {
    host: hostName,
    set,
    jobId: job.id,
    jobRun: job.run,
    backupRun,
    state: job.state.kind,
    changed,
    status,
    sentence,
    startedAt,
    finishedAt,
    sources,
    destinations,
    retryFromSpool: report?.retryFromSpool ?? false,
    undeletableCopy: report?.undeletableCopy ?? false,
  };
}

export function noRun(host: string, set: string) {
  return {
    host,
    set,
    jobId: '',
    jobRun: '',
    backupRun: '',
    state: 'not started' as const,
    changed: false,
    status: null,
    startedAt: null,
    finishedAt: null,
    sources: [],
    destinations: [],
    retryFromSpool: false,
    undeletableCopy: false,
  };
}
