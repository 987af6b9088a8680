import type { Job } from '../../../../lib/host/jobs/record';
import { schema, text } from '../../../declaration';

export const jobIdField = text({ label: 'Job ID', required: true, placeholder: 'scatter-backup-2026-11-20-5a1c' });

export const runField = text({
  label: 'Run',
  placeholder: '20261120T020000Z-5a1c9d3e7f10',
  description: 'Default: the newest run',
});

export const jobStates = ['running', 'finished', 'cancelled', 'lost'] as const;

export const jobFacts = {
  host: schema.string(),
  id: schema.string(),
  run: schema.string('Tells this run from others of the same job'),
  name: schema.string(),
  intent: schema.string(),
  owner: schema.string('Who started it'),
  state: schema.oneOf(jobStates),
  succeeded: schema.boolean('Whether it ended by itself with exit code 0'),
  exitCode: schema.nullable(schema.integer()),
  signal: schema.nullable(schema.string()),
  startedAt: schema.nullable(schema.string()),
  endedAt: schema.nullable(schema.string()),
  cancelledBy: schema.nullable(schema.string()),
  lostBecause: schema.nullable(schema.string()),
  stdoutBytes: schema.integer('All it has written so far'),
  stderrBytes: schema.integer(),
} as const;

/** A job as a flat item. */
export function jobItem(host: string, job: Job) {
  const { id, run, name, intent, owner, state, startedAt, stdoutBytes, stderrBytes } = job;
  const exit = 'exit' in state ? state.exit : undefined;
  const exitCode = exit !== undefined && 'exitCode' in exit ? exit.exitCode : null;
  return {
    host,
    id,
    run,
    name,
    intent,
    owner,
    state: state.kind,
    succeeded: state.kind === 'finished' && exitCode === 0,
    exitCode,
    signal: exit !== undefined && 'signal' in exit ? exit.signal : null,
    startedAt: startedAt?.toISOString() ?? null,
    endedAt: 'endedAt' in state ? state.endedAt.toISOString() : null,
    cancelledBy: state.kind === 'cancelled' ? state.by : null,
    lostBecause: state.kind === 'lost' ? state.why : null,
    stdoutBytes,
    stderrBytes,
  };
}
