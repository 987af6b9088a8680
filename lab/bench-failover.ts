import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { runBench } from '../bench/failover/bench';
import { debianPackages, installDebianPackages, rivalPackages } from './debian-packages';
import { labFolder } from './folders';
import { endMarked, markWhatWeStart, stopMarked } from './leftovers';
import { main } from './main';
import { alsoStop } from './processes';

/** See bench/failover/README.md. */
main(async () => {
  const mark = `bench ${process.pid} ${Date.now()}`;
  markWhatWeStart(mark);
  alsoStop(() => stopMarked(mark));
  // One disk that everything shares would be measured, and nothing here is about disks.
  if (existsSync('/dev/shm')) process.env.TMPDIR = '/dev/shm';
  const argv = process.argv.slice(2);
  if (!argv.includes('report')) await installDebianPackages([...debianPackages, ...rivalPackages]);
  const ended = await runBench(argv, join(labFolder, 'failover.json'));
  for (const { command } of await endMarked(mark)) process.stdout.write(`Left running, and ended now: ${command}\n`);
  return ended ? 0 : 1;
});
