import { isObject } from '../lib/json';
import { repository } from './folders';

export interface Count {
  readonly passed: number;
  readonly failed: number;
}

export interface StageResult extends Count {
  readonly troubles: readonly string[];
}

interface Stage {
  readonly name: string;
  /** How many test files the stage has in the repository. */
  readonly files: number;
  readonly exitCode: number | null;
  readonly log: string;
}

/** jest's own count, where what was not run counts as failed: nothing is skipped in silence. */
export function judge({ name: stage, files, exitCode, log }: Stage, result: unknown): StageResult {
  const count = (name: string): number => {
    const value = isObject(result) ? result[name] : undefined;
    return typeof value === 'number' ? value : 0;
  };
  const troubles = failedTests(result).map((text) => `${stage}: ${text}`);
  const silent = count('numPendingTests') + count('numTodoTests');
  if (silent > 0) troubles.push(`${stage}: ${silent} tests were skipped or are still to be written`);
  const brokenFiles = count('numRuntimeErrorTestSuites');
  const missingFiles = Math.max(0, files - count('numTotalTestSuites'));
  if (missingFiles > 0) troubles.push(`${stage}: ${missingFiles} test files were not run`);
  const failed = count('numFailedTests') + silent + brokenFiles + missingFiles;
  if (failed === 0 && exitCode !== 0) troubles.push(`${stage}: jest failed though every test passed, see ${log}`);
  return { passed: count('numPassedTests'), failed: failed === 0 && exitCode !== 0 ? 1 : failed, troubles };
}

function failedTests(result: unknown): string[] {
  const suites = isObject(result) && Array.isArray(result.testResults) ? result.testResults : [];
  return suites.flatMap((suite: unknown) => {
    if (!isObject(suite) || suite.status !== 'failed') return [];
    const name = String(suite.name).replace(`${repository}/`, '');
    const message = String(suite.message).trim();
    return [`${name}\n${message.slice(0, 6000)}`];
  });
}
