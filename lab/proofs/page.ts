import { join } from 'node:path';
import { repository } from '../folders';

/** What a long test did when it was last run whole. */
export interface Proof {
  /** `flows/sentinel-acts`, under `test/long`. */
  readonly name: string;
  readonly at: string;
  readonly commit: string;
  readonly machine: string;
  readonly passed: number;
  readonly tests: number;
}

export interface Run extends Omit<Proof, 'passed' | 'tests'> {
  /** Whether something was changed since the commit. */
  readonly changed: boolean;
  /** Commands that the test left running. */
  readonly left: readonly string[];
  readonly exitCode: number | null;
  readonly output: string;
}

export const proofFolder = join(repository, 'docs', 'proofs');

/** One page for each long test, with what it printed: the newest run is the one that counts, git keeps the others. */
export function proofPage(run: Run): string {
  const { passed, tests } = counted(run.output);
  const well = run.exitCode === 0 && run.left.length === 0 && tests > 0 && passed === tests;
  const printed = run.output
    .replace(/^Running one project: long\n/, '')
    .replace(/\nTest Suites: [^]*$/, '')
    .replaceAll(repository, '.');
  return [
    `# test/long/${run.name}.test.ts`,
    '',
    `- ${well ? 'passed' : 'FAILED'}: ${passed} of ${tests} tests`,
    `- ${run.at}, commit ${run.commit}${run.changed ? ', with changes that were not committed' : ''}`,
    `- ${run.machine}`,
    ...run.left.map((command) => `- left running: ${command}`),
    '',
    '```',
    printed.trim(),
    '```',
    '',
  ].join('\n');
}

/** What jest counted, where a test that did not run is one that did not pass. */
function counted(output: string): { passed: number; tests: number } {
  const line = /^Tests:.*$/m.exec(output)?.[0] ?? '';
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? 0);
  return { passed: count('passed'), tests: count('total') };
}

const head =
  /^# test\/long\/(?<name>\S+)\.test\.ts\n\n- passed: (?<passed>\d+) of (?<tests>\d+) tests\n- (?<at>\S+), commit (?<commit>[0-9a-f]{40}).*\n- (?<machine>.+)\n/;

/** What a page says; nothing when it is not the page of a test that passed. */
export function proofOf(page: string): Proof | undefined {
  const { name, at, commit, machine, passed, tests } = head.exec(page)?.groups ?? {};
  if (name === undefined || at === undefined || commit === undefined || machine === undefined) return undefined;
  return { name, at, commit, machine, passed: Number(passed), tests: Number(tests) };
}
