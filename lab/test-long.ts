import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { debianPackages, installDebianPackages, proofPackages } from './debian-packages';
import { logFolder, repository } from './folders';
import { endMarked, markWhatWeStart, stopMarked } from './leftovers';
import { main } from './main';
import { installN8n, withNode, type NodeInstall } from './n8n/install';
import { packTarball } from './n8n/pack';
import { alsoStop, mustRun, run } from './processes';
import { contents } from './proofs/contents';
import { proofFolder, proofPage } from './proofs/page';
import { say, step } from './steps';

const jest = join(repository, 'node_modules', 'jest', 'bin', 'jest.js');
const machine = `${cpus().length} CPUs, ${Math.round(totalmem() / 1024 ** 3)} GiB, Linux ${release()} ${arch()}`;

/** The proofs that take too long for `npm test`; what they found is written down with the commit, so that nothing shrinks in silence. */
main(async () => {
  const mark = `long ${process.pid} ${Date.now()}`;
  markWhatWeStart(mark);
  alsoStop(() => stopMarked(mark));
  await step('Debian packages', () => installDebianPackages([...debianPackages, ...proofPackages]));
  const install = await step('n8n 2.41.1', installN8n);
  process.env.SELFHOST_LAB_TARBALL = await step('Build and pack', () => packTarball());
  const listed = await mustRun(
    'jest --listTests',
    install.node,
    [jest, '--selectProjects', 'long', '--listTests', ...process.argv.slice(2)],
    { folder: repository, environment: withNode(install) },
  );
  const files = listed.split('\n').filter((line) => line.endsWith('.test.ts'));
  if (files.length === 0) throw new Error(`No long test is called ${process.argv.slice(2).join(', ')}`);
  let passed = true;
  for (const file of files.toSorted()) passed = (await prove(file, install, mark)) && passed;
  writeFileSync(join(proofFolder, 'README.md'), contents());
  return passed ? 0 : 1;
});

/** Runs one file and writes its page; answers whether it passed and left nothing running. */
async function prove(file: string, install: NodeInstall, mark: string): Promise<boolean> {
  const name = relative(join(repository, 'test', 'long'), file).replace(/\.test\.ts$/, '');
  const commit = await git('rev-parse', 'HEAD');
  const changed = (await git('status', '--porcelain', '--', ':!docs/proofs')) !== '';
  const at = new Date().toISOString();
  const { exitCode, output } = await step(name, () =>
    run(install.node, [jest, '--ci', '--selectProjects', 'long', '--verbose', '--runTestsByPath', file], {
      folder: repository,
      environment: withNode(install),
      log: join(logFolder, 'test-long.log'),
    }),
  );
  const left = (await endMarked(mark)).map(({ command }) => command);
  const page = join(proofFolder, `${name}.md`);
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(page, proofPage({ name, at, commit, machine, changed, left, exitCode, output }));
  process.stdout.write(`${output}\n`);
  say(`Written down in ${relative(repository, page)}`);
  return exitCode === 0 && left.length === 0;
}

async function git(...args: string[]): Promise<string> {
  return (await mustRun('git', 'git', args, { folder: repository })).trim();
}
