import { stopAll } from './processes';
import { sentenceOf } from './trouble';

/** Runs a lab command: errors become one sentence, and Ctrl-C stops everything it started and nothing else. */
export function main(command: () => Promise<number>): void {
  let stopping = false;
  const stop = (exitCode: number) => () => {
    // Asked twice: the exit handlers kill what is still there.
    if (stopping) process.exit(exitCode);
    stopping = true;
    process.stdout.write('\nStopping …\n');
    void stopAll().finally(() => process.exit(exitCode));
  };
  process.on('SIGINT', stop(130));
  process.on('SIGTERM', stop(143));
  process.on('SIGHUP', stop(129));
  command().then(
    (exitCode) => {
      if (!stopping) process.exit(exitCode);
    },
    (error: unknown) => {
      // A step that fails because it is being stopped is not news.
      if (stopping) return;
      process.stderr.write(`\n${sentenceOf(error)}\n`);
      void stopAll().finally(() => process.exit(1));
    },
  );
}
