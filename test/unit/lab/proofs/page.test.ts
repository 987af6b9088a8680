import { repository } from '../../../../lab/folders';
import { proofOf, proofPage, type Run } from '../../../../lab/proofs/page';

const run: Run = {
  name: 'flows/sentinel-acts',
  at: '2026-11-21T15:33:00.000Z',
  commit: '6ad9e4e2dd'.padEnd(40, '0'),
  machine: '2 CPUs, 24 GiB, Linux 6.18',
  changed: false,
  left: [],
  exitCode: 0,
  output: [
    'Running one project: long',
    `PASS long ${repository}/test/long/flows/sentinel-acts.test.ts (98 s)`,
    '  ✓ acts once (7145 ms)',
    '',
    'Test Suites: 1 passed, 1 total',
    'Tests:       4 passed, 4 total',
    'Ran all test suites.',
  ].join('\n'),
};

test('a page says what passed, when, at which commit, and what was printed', () => {
  const page = proofPage(run);
  expect(page).toBe(
    [
      '# test/long/flows/sentinel-acts.test.ts',
      '',
      '- passed: 4 of 4 tests',
      `- 2026-11-21T15:33:00.000Z, commit ${run.commit}`,
      '- 2 CPUs, 24 GiB, Linux 6.18',
      '',
      '```',
      'PASS long ./test/long/flows/sentinel-acts.test.ts (98 s)',
      '  ✓ acts once (7145 ms)',
      '```',
      '',
    ].join('\n'),
  );
  expect(proofOf(page)).toEqual({
    name: run.name,
    at: run.at,
    commit: run.commit,
    machine: run.machine,
    passed: 4,
    tests: 4,
  });
});

test.each([
  ['a test that failed', { output: 'Tests:       1 failed, 3 passed, 4 total', exitCode: 1 }, '3 of 4'],
  ['a test that was skipped', { output: 'Tests:       1 skipped, 3 passed, 4 total' }, '3 of 4'],
  ['a file that could not be loaded', { output: 'Test suite failed to run', exitCode: 1 }, '0 of 0'],
  ['a process that was left running', { left: ['dockerd'] }, '4 of 4'],
])('%s is no proof', (_, difference, count) => {
  const page = proofPage({ ...run, ...difference });
  expect(page).toContain(`- FAILED: ${count} tests`);
  expect(proofOf(page)).toBeUndefined();
});

test('a proof of changed files says so, and is still one', () => {
  const page = proofPage({ ...run, changed: true });
  expect(page).toContain(`commit ${run.commit}, with changes that were not committed\n`);
  expect(proofOf(page)?.tests).toBe(4);
});
