import { Failure } from '../../failure';
import { keepOutput } from '../../host/kept-output';
import { path } from '../../http/path';
import { runCommand } from '../../host/run';
import { messageOf } from '../../failure';
import type { Task } from '../../task';
import { cancelled } from '../../task';
import { describeDocker } from './access';
import type { Engine } from './engine';
import { frames } from './logs';
import { flagAt, idAt, numberAt, textAt } from './read';

export interface ExecWish {
  readonly argv: readonly [string, ...string[]];
  readonly user?: string;
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
  readonly maxOutputBytes?: number;
  readonly acceptExitCodes?: readonly number[];
}

export interface ExecResult {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  readonly truncated: boolean;
}

/** Runs a program in a container to its end. Stop and the time limit end it in there, too. */
export async function execInContainer(
  engine: Engine,
  container: string,
  wish: ExecWish,
  task: Task,
): Promise<ExecResult> {
  const { body: made } = await engine.request(
    {
      method: 'POST',
      path: path('/containers/{container}/exec', { container }),
      body: {
        json: {
          AttachStdout: true,
          AttachStderr: true,
          Cmd: wish.argv,
          ...(wish.user !== undefined && { User: wish.user }),
          ...(wish.directory !== undefined && { WorkingDir: wish.directory }),
          Env: Object.entries(wish.environment ?? {}).map(([name, value]) => `${name}=${value}`),
        },
      },
    },
    task,
  );
  const exec = idAt(made, 'Id');
  const timeoutMs = wish.timeoutMs ?? 120_000;
  const late = AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([task.signal, late]);
  const limit = wish.maxOutputBytes ?? 1024 * 1024;
  const kept = { stdout: keepOutput(limit), stderr: keepOutput(limit) };
  try {
    const { body } = await engine.stream(
      { method: 'POST', path: path('/exec/{exec}/start', { exec }), body: { json: { Detach: false, Tty: false } } },
      { ...task, signal },
    );
    for await (const { stream, data } of frames(body, false)) kept[stream].add(data);
  } catch (error) {
    if (!signal.aborted) throw error;
    const outcome = await endExec(engine, exec, task);
    if (task.signal.aborted) throw cancelled(`${wish.argv[0]} in container ${container} (${outcome})`);
    throw new Failure({
      code: 'timeout',
      subject: `container ${container}, ${describeDocker(engine.access)}`,
      message: `${wish.argv[0]} in container ${container} did not end within ${timeoutMs / 1000} s; ${outcome}`,
      nextStep: 'Give it more time, or look into the container at what it waits for.',
    });
  }
  const { body: state } = await engine.request({ method: 'GET', path: path('/exec/{exec}/json', { exec }) }, task);
  const exitCode = numberAt(state, 'ExitCode');
  const result = {
    stdout: kept.stdout.text(),
    stderr: kept.stderr.text(),
    exitCode,
    truncated: kept.stdout.truncated || kept.stderr.truncated,
  };
  if (!(wish.acceptExitCodes ?? [0]).includes(exitCode)) {
    throw new Failure({
      code: 'command_failed',
      subject: `container ${container}, ${describeDocker(engine.access)}`,
      message: `${wish.argv[0]} in container ${container} ended with exit code ${exitCode}`,
      nextStep: 'Read what it wrote, in the details of this error.',
      details: { exitCode, stdout: result.stdout.slice(-4_096), stderr: result.stderr.slice(-4_096) },
    });
  }
  return result;
}

/**
 * end.sh PID CONTAINER: Docker has no call that ends an exec. Its process number is that of the machine dockerd runs on,
 * where we end its whole family. Where the login sees other processes (it leads into a container), that number is
 * nobody's or somebody else's: only what is of this container is touched.
 */
const END = `
pid=$1
grep -qF -- "$2" "/proc/$pid/cgroup" 2>/dev/null || { echo unseen; exit 0; }
family=$pid
for round in 1 2 3 4 5 6 7 8; do
  more=$(for one in $family; do cat "/proc/$one/task"/*/children 2>/dev/null || :; done)
  next=$(printf '%s\\n' $family $more | sort -un | tr '\\n' ' ')
  [ "$next" = "$family" ] && break
  family=$next
done
kill -TERM $family 2>/dev/null || :
for ((i = 0; i < 40; i++)); do
  left=; for one in $family; do [ -e "/proc/$one" ] && left="$left $one"; done
  [ -n "$left" ] || { echo gone; exit 0; }
  [ $i -lt 20 ] || kill -KILL $left 2>/dev/null || :
  sleep 0.05
done
echo alive
`;

async function endExec(engine: Engine, exec: string, task: Task): Promise<string> {
  // Stop was pressed already: this has its own short deadline instead.
  const own = { ...task, signal: AbortSignal.timeout(30_000) };
  try {
    const { body } = await engine.request({ method: 'GET', path: path('/exec/{exec}/json', { exec }) }, own);
    if (!flagAt(body, 'Running')) return 'it has ended';
    if (!('host' in engine.access)) return 'it still runs: without SSH to the host nobody can end it';
    const [pid, container] = [String(numberAt(body, 'Pid')), textAt(body, 'ContainerID')];
    if (container === '') return 'it still runs: Docker does not tell what it belongs to';
    const { host } = engine.access;
    const { stdout } = await runCommand(
      host,
      // Processes of a container are mostly root's.
      { script: END, arguments: [pid, container], runAs: host.identity.sudo.mode === 'none' ? 'login' : 'root' },
      { timeoutMs: 20_000 },
      own,
    );
    if (stdout.trim() === 'gone') return 'it was ended';
    const { body: after } = await engine.request({ method: 'GET', path: path('/exec/{exec}/json', { exec }) }, own);
    if (!flagAt(after, 'Running')) return 'it has ended';
    return stdout.trim() === 'unseen'
      ? 'it still runs: the login of the host does not see the processes of its containers'
      : 'it could not be ended and still runs';
  } catch (error) {
    return `whether it still runs is not known (${messageOf(error)})`;
  }
}
