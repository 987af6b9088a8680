import { Failure, isFailure } from '../../failure';
import { keepOutput } from '../../host/kept-output';
import { cancelled, type Task } from '../../task';
import { describeDocker } from './access';
import { awaitContainer, changePower, createContainer, removeContainer, type NewContainer } from './containers';
import type { Engine } from './engine';
import { followLogs } from './logs';

export interface RunOnceResult {
  readonly image: string;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: boolean;
}

/** Makes a container, runs it to its end, and removes it in every case, with its volumes without a name. */
export async function runOnce(
  engine: Engine,
  wish: NewContainer & {
    readonly timeoutMs: number;
    readonly maxOutputBytes?: number;
    readonly acceptExitCodes?: readonly number[];
  },
  task: Task,
): Promise<RunOnceResult> {
  const { timeoutMs, maxOutputBytes = 1024 * 1024, acceptExitCodes = [0], ...container } = wish;
  const { id } = await createContainer(engine, { ...container, restartPolicy: 'no' }, task);
  const late = AbortSignal.timeout(timeoutMs);
  const work = { ...task, signal: AbortSignal.any([task.signal, late]) };
  const kept = { stdout: keepOutput(maxOutputBytes), stderr: keepOutput(maxOutputBytes) };
  try {
    await changePower(engine, id, { action: 'start' }, work);
    for await (const { stream, data } of followLogs(engine, id, { follow: true }, work)) kept[stream].add(data);
    const { exitCode, oomKilled } = await awaitContainer(engine, id, { state: 'exited', timeoutMs }, work);
    const result = {
      image: wish.image,
      exitCode,
      oomKilled,
      stdout: kept.stdout.text(),
      stderr: kept.stderr.text(),
      truncated: kept.stdout.truncated || kept.stderr.truncated,
    };
    if (acceptExitCodes.includes(exitCode)) return result;
    throw new Failure({
      code: 'command_failed',
      subject: `${wish.image}, ${describeDocker(engine.access)}`,
      message: `${wish.image} ended with exit code ${exitCode}${oomKilled ? ', because it had no memory left' : ''}`,
      nextStep: 'Read what it wrote, in the details of this error.',
      details: { exitCode, oomKilled, stdout: result.stdout.slice(-4_096), stderr: result.stderr.slice(-4_096) },
    });
  } catch (error) {
    if (task.signal.aborted) throw cancelled(`the run of ${wish.image}`);
    if (!late.aborted || isFailure(error, 'command_failed')) throw error;
    throw new Failure({
      code: 'timeout',
      subject: `${wish.image}, ${describeDocker(engine.access)}`,
      message: `${wish.image} did not end within ${timeoutMs / 1000} s and was removed`,
      nextStep: 'Give it more time, or read its last words in the details of this error.',
      details: { stdout: kept.stdout.text().slice(-4_096), stderr: kept.stderr.text().slice(-4_096) },
    });
  } finally {
    // Also after Stop: nothing of it may stay behind.
    const own = { ...task, signal: AbortSignal.timeout(30_000) };
    await removeContainer(engine, id, { force: true, volumes: true }, own);
  }
}
