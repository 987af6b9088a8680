import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { debianPackages, installDebianPackages } from './debian-packages';
import { logFolder, repository } from './folders';
import { judge, type Count, type StageResult } from './jest-result';
import { endMarked, markWhatWeStart } from './leftovers';
import { main } from './main';
import { installN8n, installNode, withNode, type NodeInstall } from './n8n/install';
import { packTarball } from './n8n/pack';
import { run } from './processes';
import { say, step } from './steps';
import { sentenceOf } from './trouble';

/** The stages in the order of their price; what is broken is seen early. `long` is no part of `npm test`. */
const stages = ['unit', 'contract', 'integration', 'e2e', 'chaos'] as const;

const mark = `test ${process.pid} ${Date.now()}`;

main(async () => {
  mkdirSync(logFolder, { recursive: true });
  markWhatWeStart(mark);
  const failures: string[] = [];
  let total: Count = { passed: 0, failed: 0 };
  const add = (count: Count) => {
    total = { passed: total.passed + count.passed, failed: total.failed + count.failed };
  };
  const check = async (name: string, work: () => Promise<unknown>): Promise<boolean> => {
    try {
      await step(name, work);
      return true;
    } catch (error) {
      failures.push(`${name}: ${sentenceOf(error)}`);
      add({ passed: 0, failed: 1 });
      return false;
    }
  };

  let node: NodeInstall | undefined;
  await check('Node 24', async () => {
    node = await installNode();
  });
  // The rest of the set-up takes minutes on a fresh machine and needs no attention while the cheap checks run.
  const packages = settled(installDebianPackages(debianPackages));
  const n8n = settled(packages.then(() => installN8n()));

  await check('Lint', () => npmRun('lint'));
  await check('Types', () => npmRun('typecheck'));
  const built = await check('Build and pack', async () => {
    process.env.SELFHOST_LAB_TARBALL = await packTarball({ rebuild: true });
  });

  let ready = true;
  const whenReady = async () => {
    ready = (await check('Debian packages', () => rethrow(packages))) && ready;
    ready = (await check('n8n 2.41.1', () => rethrow(n8n))) && ready;
    ready = ready && built;
  };

  for (const stage of stages) {
    if (stage === 'integration') await whenReady();
    const files = testFiles(stage);
    if (files === 0) {
      say(`${stage}: the repository has no such tests yet`);
      continue;
    }
    if (node === undefined || (!ready && stage !== 'unit' && stage !== 'contract')) {
      failures.push(`${stage}: not run, because the set-up failed`);
      add({ passed: 0, failed: 1 });
      continue;
    }
    const own = node;
    let result: StageResult = { passed: 0, failed: 1, troubles: [] };
    await step(`${stage} (${files} files)`, async () => {
      result = await runStage(stage, files, own);
    });
    say(`${stage}: ${result.passed} passed, ${result.failed} failed`);
    add(result);
    failures.push(...result.troubles);
    const left = await endMarked(mark);
    if (left.length > 0) {
      failures.push(`${stage} left running: ${left.map(({ pid, command }) => `${pid} ${command}`).join('; ')}`);
      add({ passed: 0, failed: 1 });
    }
  }
  for (const failure of failures) process.stdout.write(`\nFAILED ${failure}\n`);
  process.stdout.write(`\n${total.passed} passed, ${total.failed} failed\n`);
  return total.failed === 0 && total.passed > 0 ? 0 : 1;
});

/** Keeps a failure until it is asked for, instead of ending the process while nobody waits. */
function settled<T>(promise: Promise<T>): Promise<PromiseSettledResult<T>> {
  return Promise.allSettled([promise]).then(([result]) => result);
}

async function rethrow<T>(result: Promise<PromiseSettledResult<T>>): Promise<T> {
  const now = await result;
  if (now.status === 'rejected') throw now.reason;
  return now.value;
}

async function npmRun(script: string): Promise<void> {
  const { exitCode, output } = await run('npm', ['run', script], {
    folder: repository,
    log: join(logFolder, `${script}.log`),
  });
  if (exitCode === 0) return;
  process.stdout.write(output.slice(-8000));
  throw new Error(`\`npm run ${script}\` found something, see above.`);
}

function testFiles(stage: string): number {
  const folder = join(repository, 'test', stage);
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts')).length;
}

async function runStage(stage: string, files: number, node: NodeInstall): Promise<StageResult> {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-test-'));
  const file = join(folder, 'result.json');
  const jest = join(repository, 'node_modules', 'jest', 'bin', 'jest.js');
  const log = join(logFolder, `test-${stage}.log`);
  rmSync(log, { force: true });
  try {
    const { exitCode, output } = await run(
      node.node,
      [jest, '--ci', '--selectProjects', stage, '--json', `--outputFile=${file}`],
      { folder: repository, environment: { ...withNode(node), CI: process.env.CI ?? '1' }, log },
    );
    if (!existsSync(file))
      return {
        passed: 0,
        failed: 1,
        troubles: [`${stage}: jest ended without a result, see ${log}\n${output.slice(-3000)}`],
      };
    return judge({ name: stage, files, exitCode, log }, JSON.parse(readFileSync(file, 'utf8')));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
