import { cancelled } from '../../task';
import type { RunningCommand } from '../start';
import { judged } from './ask';
import { readFacts, type FileFacts } from './facts';
import { programFailed, recognised, type Attempt } from './failures';
import { endOfFields } from './fields';
import { describeFile } from './path';
import { READ_FIELDS } from './reading';

const KEPT_CHARACTERS = 64 * 1024;

/** Collects what is said on standard error, of which little is expected. */
export function collect({ stderr }: RunningCommand): () => string {
  let said = '';
  stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-KEPT_CHARACTERS);
  });
  stderr.resume();
  return () => said;
}

/** Reads the facts, and leaves standard output paused right behind them. */
export function readHeader(
  attempt: Attempt,
  running: RunningCommand,
  said: () => string,
  signal: AbortSignal,
): Promise<FileFacts> {
  const { stdout } = running;
  return new Promise((resolve, reject) => {
    let come = Buffer.alloc(0);
    const settle = (act: () => void) => {
      stdout.off('data', onData);
      stdout.pause();
      signal.removeEventListener('abort', onStop);
      act();
    };
    const onStop = () => {
      settle(() => {
        reject(cancelled(describeFile(attempt.host, attempt.path)));
      });
    };
    const onData = (chunk: Buffer) => {
      come = Buffer.concat([come, chunk]);
      const end = endOfFields(come, READ_FIELDS);
      if (end === undefined) return;
      settle(() => {
        const rest = come.subarray(end);
        if (rest.length > 0) stdout.unshift(rest);
        try {
          const facts = readFacts(judged(attempt, come.subarray(0, end), said()));
          if (facts === undefined) reject(recognised(attempt, 'missing'));
          else resolve(facts);
        } catch (error) {
          reject(asError(error));
        }
      });
    };
    signal.addEventListener('abort', onStop, { once: true });
    stdout.on('data', onData);
    // A refusal is shorter than the facts: it is whole when the output has ended.
    void running.exit.then(
      async () => {
        await running.closed;
        if (endOfFields(come, READ_FIELDS) !== undefined) return;
        settle(() => {
          try {
            judged(attempt, come, said());
            reject(programFailed(attempt, 'bash', said()));
          } catch (error) {
            reject(asError(error));
          }
        });
      },
      (error: unknown) => {
        settle(() => {
          reject(asError(error));
        });
      },
    );
    stdout.resume();
  });
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
