import { createHash } from 'node:crypto';
import { Transform, type Readable, type TransformCallback } from 'node:stream';
import { cancelled, type Task } from '../../task';
import type { Host } from '../host';
import { endProcessGroup } from '../process-group';
import { startCommand, type RunningCommand } from '../start';
import { attemptOf, commandOf, type FileSettings, type Question } from './ask';
import type { FileFacts } from './facts';
import { problem, programFailed, recognised, retold, type Attempt } from './failures';
import { checkPath, describeFile } from './path';
import { collect, readHeader } from './header';
import { READ, toldOfChange } from './reading';
import { bytesProgress, reportBytes, watchStall, type StallWatch } from './transfer';

export interface DownloadOptions extends FileSettings {
  /** How long it may take as a whole. Default 6 h. */
  readonly timeoutMs?: number;
  /** Nothing came for so long, although somebody waits for it: given up. Default 2 min. */
  readonly stallMs?: number;
}

export interface Download extends Omit<FileFacts, 'type'> {
  /** Ends only when all of the file has come and it did not change meanwhile; fails otherwise. */
  readonly stream: Readable;
  /** Of what came; rejects when the stream fails. */
  readonly sha256: Promise<string>;
}

const DOWNLOAD_TIMEOUT_MS = 6 * 3600_000;
const STALL_MS = 120_000;

/**
 * Streams a file in constant memory: the host waits while nobody reads. It must be read to its end or destroyed, for it
 * holds one of the few channels of its host. Over exec, for the reasons and figures given for writeFile.
 */
export async function downloadStream(
  host: Host,
  path: string,
  options: DownloadOptions,
  task: Task,
): Promise<Download> {
  const question: Question = {
    ...options,
    host,
    path: checkPath(host, path),
    done: 'downloaded',
    script: READ,
    arguments: [''],
  };
  const attempt = attemptOf(question);
  const stallMs = options.stallMs ?? STALL_MS;
  const timeoutMs = options.timeoutMs ?? DOWNLOAD_TIMEOUT_MS;
  const deadline = AbortSignal.timeout(timeoutMs);
  const bounded: Task = { ...task, signal: AbortSignal.any([task.signal, deadline]) };
  const watch: StallWatch = watchStall(stallMs, bounded, () => (flow?.stream.readableLength ?? 0) > 0);
  const whyStopped = () => {
    if (task.signal.aborted) return cancelled(describeFile(host, path));
    return watch.stalled()
      ? problem(
          attempt,
          'file_transfer_stalled',
          `nothing came for ${stallMs / 1000} s`,
          'Look whether the host still answers and its disk still reads, then try again.',
        )
      : problem(
          attempt,
          'file_timeout',
          `it took longer than ${timeoutMs / 1000} s`,
          'Allow it more time, or find out what makes it so slow.',
        );
  };
  let flow: Flow | undefined;
  let running: RunningCommand | undefined;
  try {
    running = await startCommand(host, commandOf(question), watch.task);
    running.stdin.end();
    const said = collect(running);
    const facts = await readHeader(attempt, running, said, watch.task.signal);
    flow = pour({ attempt, running, said, facts, watch, whyStopped, task });
    const { type: _, ...known } = facts;
    return { ...known, ...flow };
  } catch (error) {
    watch.close();
    if (running !== undefined) {
      if (watch.task.signal.aborted) await endProcessGroup(host, running, question.runAs, task.owner);
      running.release();
    }
    throw watch.task.signal.aborted ? whyStopped() : retold(attempt, error, timeoutMs);
  }
}

interface Flow {
  readonly stream: Readable;
  readonly sha256: Promise<string>;
}

interface Pouring {
  readonly attempt: Attempt;
  readonly running: RunningCommand;
  readonly said: () => string;
  readonly facts: FileFacts;
  readonly watch: StallWatch;
  readonly whyStopped: () => Error;
  readonly task: Task;
}

function pour({ attempt, running, said, facts, watch, whyStopped, task }: Pouring): Flow {
  const hash = createHash('sha256');
  const report = reportBytes('Received', facts.size, task.progress);
  let bytes = 0;
  let settled = false;
  let exited = false;
  const sum = { resolve: (_: string) => {}, reject: (_: unknown) => {} };
  const sha256 = new Promise<string>((resolve, reject) => {
    Object.assign(sum, { resolve, reject });
  });
  // Not everybody wants it.
  sha256.catch(() => undefined);
  const onStop = () => stream.destroy(whyStopped());

  const verify = async () => {
    const { code } = await running.exit;
    await running.closed;
    if (code !== 0) throw programFailed(attempt, 'head', said());
    if (toldOfChange(said())) throw recognised(attempt, 'changing');
    if (bytes !== facts.size) {
      throw problem(
        attempt,
        'file_changed',
        `only ${bytes} of its ${facts.size} bytes came`,
        'It was cut meanwhile: try again when it is at rest.',
      );
    }
  };

  const stream = new Transform({
    highWaterMark: 256 * 1024,
    transform(chunk: Buffer, _encoding: string, done: TransformCallback) {
      bytes += chunk.length;
      hash.update(chunk);
      watch.moved();
      report(bytes);
      done(null, chunk);
    },
    flush(done: TransformCallback) {
      verify().then(
        () => {
          settled = true;
          if (facts.size === 0) task.progress(bytesProgress('Received', 0, 0));
          sum.resolve(hash.digest('hex'));
          done();
        },
        (error: unknown) => {
          done(error as Error);
        },
      );
    },
    destroy(error: Error | null, done: (error: Error | null) => void) {
      watch.task.signal.removeEventListener('abort', onStop);
      watch.close();
      running.stdout.unpipe(stream);
      if (settled) {
        running.release();
        done(error);
        return;
      }
      // Thrown away before its end, by the reader, by Stop or by an error: nothing may go on running on the host.
      sum.reject(error ?? problem(attempt, 'file_download_left', 'the reader left before its end', 'Nothing.'));
      // What has ended needs no end, and what was lost would have to be connected to again.
      const end = exited ? Promise.resolve() : endProcessGroup(attempt.host, running, attempt.runAs, task.owner);
      void end.finally(() => {
        running.release();
        done(error);
      });
    },
  });
  watch.task.signal.addEventListener('abort', onStop, { once: true });
  // A connection that breaks need not end its streams.
  running.exit.then(
    () => {
      exited = true;
    },
    (error: unknown) => {
      exited = true;
      stream.destroy(error as Error);
    },
  );
  running.stdout.pipe(stream);
  if (watch.task.signal.aborted) onStop();
  return { stream, sha256 };
}
