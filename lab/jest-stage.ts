import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { logFolder, repository } from './folders';
import { judge, type StageResult } from './jest-result';
import { withNode, type NodeInstall } from './n8n/install';
import { openHandles } from './open-handles';
import { run, signal as send, signalGroup, waitFor } from './processes';
import { say } from './steps';

/** Far above what a stage takes on a slow machine: past it nothing moves any more. */
const STAGE_WITHIN_MS = 30 * 60_000;
/**
 * Between the last test and the end of jest. What keeps it alive longer was forgotten by a test, or by us: it is told, and
 * the results stand.
 */
const END_WITHIN_MS = 30_000;
const REPORT_WITHIN_MS = 10_000;
/** Files of this stage wait for servers far more than they compute; those of others share one n8n, or want a quiet machine. */
const atOnce: Readonly<Record<string, number>> = { integration: 2 };

/** Runs the tests of one kind under the Node that n8n needs, and says which file ended how while it goes on. */
export async function runStage(stage: string, files: number, node: NodeInstall): Promise<StageResult> {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-test-'));
  const file = join(folder, 'result.json');
  const jest = join(repository, 'node_modules', 'jest', 'bin', 'jest.js');
  const log = join(logFolder, `test-${stage}.log`);
  rmSync(log, { force: true });
  const ended = new AbortController();
  let watching: Promise<Hang | undefined> | undefined;
  try {
    const { exitCode, output } = await run(
      node.node,
      [
        '--report-on-signal',
        '--report-signal=SIGUSR2',
        '--report-exclude-env',
        `--report-directory=${folder}`,
        '--report-filename=report.json',
        jest,
        '--ci',
        ...(atOnce[stage] === undefined ? [] : [`--maxWorkers=${atOnce[stage]}`]),
        '--selectProjects',
        stage,
        '--json',
        `--outputFile=${file}`,
      ],
      {
        folder: repository,
        environment: { ...withNode(node), CI: process.env.CI ?? '1' },
        log,
        hear: tellFiles(),
        started: (pid) => {
          watching = endWhatHangs(pid, { folder, file, signal: ended.signal });
        },
      },
    );
    ended.abort();
    const hang = await watching;
    if (!existsSync(file)) {
      const why = hang === undefined ? `ended without a result, see ${log}` : 'did not come to its end';
      const seen = hang?.open.join('\n') ?? output.slice(-3000);
      return { passed: 0, failed: 1, troubles: [`${stage}: jest ${why}\n${seen}`] };
    }
    if (hang !== undefined) say(`${stage}: jest was ended after its last test. It had open:\n${hang.open.join('\n')}`);
    const exit = hang === undefined ? exitCode : 0;
    return judge({ name: stage, files, exitCode: exit, log }, JSON.parse(readFileSync(file, 'utf8')));
  } finally {
    ended.abort();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** jest's line for each file that has ended. */
function tellFiles(): (text: string) => void {
  let rest = '';
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (/^(PASS|FAIL) /.test(line)) say(line.trim());
  };
}

interface Watched {
  readonly folder: string;
  readonly file: string;
  readonly signal: AbortSignal;
}

interface Hang {
  readonly open: readonly string[];
}

/** A jest that does not end would hold everything up until somebody's patience is over, and nobody would know why. */
async function endWhatHangs(pid: number, { folder, file, signal }: Watched): Promise<Hang | undefined> {
  const deadline = Date.now() + STAGE_WITHIN_MS;
  let endBy: number | undefined;
  while (Date.now() < (endBy ?? deadline)) {
    if (!(await pauseUnless(signal, 1_000))) return undefined;
    if (endBy === undefined && existsSync(file)) endBy = Date.now() + END_WITHIN_MS;
  }
  const report = join(folder, 'report.json');
  send(pid, 'SIGUSR2');
  const open = await waitFor('what keeps jest alive', () => Promise.resolve(openHandles(report)), {
    within: REPORT_WITHIN_MS,
  }).catch(() => ['it does not even answer a signal']);
  signalGroup(pid, 'SIGKILL');
  return { open };
}

/** False when there is nothing to wait for any more. */
function pauseUnless(signal: AbortSignal, milliseconds: number): Promise<boolean> {
  return new Promise((resolve) => {
    if (signal.aborted) {
      resolve(false);
      return;
    }
    const stop = () => {
      clearTimeout(timer);
      resolve(false);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', stop);
      resolve(true);
    }, milliseconds);
    signal.addEventListener('abort', stop, { once: true });
  });
}
