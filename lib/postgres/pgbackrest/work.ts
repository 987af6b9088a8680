import { randomBytes } from 'node:crypto';
import { Failure } from '../../failure';
import { awaitJob } from '../../host/jobs/await';
import { jobLogs } from '../../host/jobs/logs';
import { startJob } from '../../host/jobs/start';
import type { Task } from '../../task';
import { memberCommand } from '../replication/member-script';
import { translated } from './refusal';
import { checkStanza, describeStanza, type Stanza } from './stanza';

export interface Work {
  /** `Backup`: names the job together with the stanza. */
  readonly name: string;
  /** The same intent is the same job: a second call attaches to the one that is going. Default: a new one each time. */
  readonly intent?: string;
  /** Constant, behind the prelude of a member. */
  readonly script: string;
  readonly arguments: readonly string[];
  readonly timeoutMs: number;
}

export interface Worked {
  readonly job: string;
  readonly run: string;
  readonly stdout: string;
  readonly tookMs: number;
}

const LOG_BYTES = 4 * 1024 * 1024;

/**
 * Long work of pgBackRest runs as a job on its host: it survives a lost connection and an n8n that is restarted, and
 * Stop ends the waiting only.
 */
export async function runWork(stanza: Stanza, work: Work, task: Task): Promise<Worked> {
  checkStanza(stanza);
  const { cluster, member } = stanza;
  const { host } = member;
  const started = await startJob(
    host,
    {
      name: `pgBackRest ${work.name} ${stanza.name}`,
      intent: work.intent ?? `${new Date().toISOString()} ${randomBytes(4).toString('hex')}`,
      owner: task.owner,
      command: memberCommand(cluster, member, work),
      again: true,
    },
    task,
  );
  const { id, run } = started;
  const told = {
    ...task,
    progress: ({ message }: { message: string }) => task.progress(progressOf(work.name, message)),
  };
  const job = await awaitJob(host, id, { run, timeoutMs: work.timeoutMs, longestPauseMs: 1_000 }, told);
  const tail = async (stream: 'stdout' | 'stderr') =>
    (await jobLogs(host, id, { run, stream, fromByte: -LOG_BYTES, maxBytes: LOG_BYTES }, task)).text;
  const stdout = await tail('stdout');
  const { state } = job;
  if (state.kind === 'finished' && 'exitCode' in state.exit && state.exit.exitCode === 0) {
    const tookMs = state.endedAt.getTime() - (job.startedAt ?? state.endedAt).getTime();
    return { job: id, run, stdout, tookMs };
  }
  throw failureOf(stanza, work, id, `${await tail('stderr')}\n${stdout}`, state.kind);
}

function failureOf(stanza: Stanza, { name }: Work, id: string, said: string, ended: string): Failure {
  if (ended === 'lost' || ended === 'cancelled') {
    return new Failure({
      code: `work_${ended}`,
      subject: describeStanza(stanza),
      message: `${name} of ${describeStanza(stanza)} was ${ended === 'lost' ? 'ended from outside, with its runner or its host' : 'cancelled'}`,
      nextStep: 'Run it again: pgBackRest goes on where it can, and tidies up what was left half done.',
      details: { job: id },
    });
  }
  // What the scripts refuse by themselves.
  const [, code, why] = /^selfhost: (?:([a-z_]+): )?(.*)$/m.exec(said) ?? [];
  if (why !== undefined) {
    return new Failure({
      code: code ?? 'state_refused',
      subject: describeStanza(stanza),
      message: `${name} of ${describeStanza(stanza)}: ${why}`,
      nextStep: NEXT_STEPS[code ?? ''] ?? `Read the whole output of job ${id} on that host.`,
      details: { job: id },
    });
  }
  return translated(stanza, name.toLowerCase(), said, -1, undefined);
}

const NEXT_STEPS: Readonly<Record<string, string>> = {
  pgbackrest_missing: 'Install pgBackRest on that host (Debian: apt-get install pgbackrest).',
  no_room: 'Choose a folder on a larger disk, or make room first; nothing was written.',
  folder_not_scratch: 'Choose a folder that does not exist yet; what is in this one is left alone.',
  folder_in_use: 'Remove the copy that runs in it first (Remove Scratch), or choose another folder.',
  restore_running: 'Wait until that one has ended, or end its job on that host; then run this again.',
  not_allowed: 'Give the Host credential a sudo mode, or log in as that user.',
  data_is_mount: 'Allow the restore to replace only what differs (delta), for which no copy is kept.',
  server_not_stopped: 'Stop PostgreSQL on that host yourself, then make a new plan.',
};

/** `backup file … (768KB, 43.82%) …` becomes a share, and lines about nothing else are shortened. */
function progressOf(name: string, line: string): { readonly message: string; readonly fraction?: number } {
  const percent = /\(\S+, (\d+(?:\.\d+)?)%\)/.exec(line)?.[1];
  if (percent !== undefined) return { message: `${name}: ${percent} %`, fraction: Number(percent) / 100 };
  return { message: line.replace(/^[\d-]+ [\d:.]+ P\d\d +(?:INFO|DETAIL|WARN): +/, '').slice(0, 200) };
}
