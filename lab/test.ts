import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { debianPackages, installDebianPackages } from './debian-packages';
import { logFolder, repository } from './folders';
import type { Count } from './jest-result';
import { runStage } from './jest-stage';
import { endMarked, markWhatWeStart, stopMarked } from './leftovers';
import { main } from './main';
import { installN8n, installNode } from './n8n/install';
import { packTarball } from './n8n/pack';
import { alsoStop, run } from './processes';
import { say, step } from './steps';
import { sentenceOf } from './trouble';

/** In the order of their price: what is broken is seen early. `long` is no part of `npm test`. */
const cheapStages = ['unit', 'contract', 'package'];
/** These need real servers and the real n8n. */
const realStages = ['integration', 'e2e', 'chaos'];

const mark = `test ${process.pid} ${Date.now()}`;

main(async () => {
  mkdirSync(logFolder, { recursive: true });
  markWhatWeStart(mark);
  alsoStop(() => stopMarked(mark));
  const failures: string[] = [];
  let total: Count = { passed: 0, failed: 0 };
  const add = (count: Count) => {
    total = { passed: total.passed + count.passed, failed: total.failed + count.failed };
  };
  const fail = (what: string) => {
    failures.push(what);
    add({ passed: 0, failed: 1 });
  };
  /** What a check gives, or nothing when it failed; then it is counted. */
  const check = async <T>(name: string, work: () => Promise<T>): Promise<{ readonly value: T } | undefined> => {
    try {
      return { value: await step(name, work) };
    } catch (error) {
      fail(`${name}: ${sentenceOf(error)}`);
      return undefined;
    }
  };

  const node = await check('Node 24', installNode);
  // The rest of the set-up takes minutes on a fresh machine and needs no attention while the cheap checks run.
  const packages = settled(installDebianPackages(debianPackages));
  const n8n = settled(packages.then(() => installN8n()));

  await check('Lint', () => npmRun('lint'));
  await check('Types', () => npmRun('typecheck'));
  const tarball = await check('Build and pack', () => packTarball({ rebuild: true }));
  // The stages test this very tarball.
  if (tarball !== undefined) process.env.SELFHOST_LAB_TARBALL = tarball.value;

  const runAndCount = async (stages: readonly string[]) => {
    for (const stage of stages) {
      const files = testFiles(stage);
      if (files === 0) {
        say(`${stage}: the repository has no such tests yet`);
        continue;
      }
      if (node === undefined) {
        fail(`${stage}: not run, because there is no Node 24`);
        continue;
      }
      const result = await step(`${stage} (${files} files)`, () => runStage(stage, files, node.value));
      say(`${stage}: ${result.passed} passed, ${result.failed} failed`);
      add(result);
      // At once: whatever happens later, this was seen.
      for (const trouble of result.troubles) process.stdout.write(`\nFAILED ${trouble}\n`);
      if (result.troubles.length > 0) failures.push(`${stage}: see above`);
      for (const { pid, command } of await endMarked(mark)) fail(`${stage} left a process running: ${pid} ${command}`);
    }
  };

  await runAndCount(cheapStages);
  const servers = await check('Debian packages', () => rethrow(packages));
  const real = await check('n8n 2.41.1', () => rethrow(n8n));
  const ready = servers !== undefined && real !== undefined && tarball !== undefined;
  if (ready) await runAndCount(realStages);
  else for (const stage of realStages) fail(`${stage}: not run, because the set-up failed`);

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
