import { mkdirSync, writeFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { debianPackages, installDebianPackages, proofPackages } from './debian-packages';
import { logFolder, repository } from './folders';
import { endMarked, markWhatWeStart, stopMarked } from './leftovers';
import { main } from './main';
import { installN8n, withNode } from './n8n/install';
import { packTarball } from './n8n/pack';
import { alsoStop, mustRun, run } from './processes';
import { step } from './steps';

/** The proofs that take too long for `npm test`; what they found is written down with the commit, so that nothing shrinks in silence. */
main(async () => {
  const mark = `long ${process.pid} ${Date.now()}`;
  markWhatWeStart(mark);
  alsoStop(() => stopMarked(mark));
  await step('Debian packages', () => installDebianPackages([...debianPackages, ...proofPackages]));
  const install = await step('n8n 2.41.1', installN8n);
  process.env.SELFHOST_LAB_TARBALL = await step('Build and pack', () => packTarball());
  const jest = join(repository, 'node_modules', 'jest', 'bin', 'jest.js');
  const only = process.argv.slice(2);
  const { exitCode, output } = await step('long', () =>
    run(install.node, [jest, '--ci', '--selectProjects', 'long', '--verbose', '--runInBand', ...only], {
      folder: repository,
      environment: withNode(install),
      log: join(logFolder, 'test-long.log'),
    }),
  );
  const left = await endMarked(mark);
  const git = (...args: string[]) => mustRun('git', 'git', args, { folder: repository });
  const commit = (await git('rev-parse', 'HEAD')).trim();
  const changed = (await git('status', '--porcelain')).trim() !== '';
  const folder = join(repository, 'docs', 'proofs');
  mkdirSync(folder, { recursive: true });
  const now = new Date();
  const file = join(folder, `${now.toISOString().slice(0, 16).replaceAll(':', '')}Z-${commit.slice(0, 10)}.md`);
  const memory = `${Math.round(totalmem() / 1024 ** 3)} GiB`;
  writeFileSync(
    file,
    [
      `# Long proofs, ${now.toISOString()}`,
      '',
      `- commit ${commit}${changed ? ', with changes that were not committed' : ''}`,
      `- ${cpus().length} CPUs, ${memory}, Linux ${release()} ${arch()}`,
      `- ${exitCode === 0 ? 'all passed' : 'FAILED'}${only.length > 0 ? `, only ${only.join(' ')}` : ''}`,
      ...left.map(({ command }) => `- left running: ${command}`),
      '',
      '```',
      output.trim().replaceAll(repository, '.'),
      '```',
      '',
    ].join('\n'),
  );
  process.stdout.write(`${output}\nWritten down in ${file}\n`);
  return exitCode === 0 && left.length === 0 ? 0 : 1;
});
