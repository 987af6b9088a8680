import { judge } from '../../../lab/jest-result';

const stage = { name: 'unit', files: 2, exitCode: 0, log: '/log' };
const allPassed = {
  numPassedTests: 5,
  numFailedTests: 0,
  numPendingTests: 0,
  numTodoTests: 0,
  numRuntimeErrorTestSuites: 0,
  numTotalTestSuites: 2,
  testResults: [],
};

test('a stage in which every test passed has no trouble', () => {
  expect(judge(stage, allPassed)).toEqual({ passed: 5, failed: 0, troubles: [] });
});

test('a skipped test counts as failed, and so does one that is still to be written', () => {
  expect(judge(stage, { ...allPassed, numPendingTests: 1, numTodoTests: 2 })).toEqual({
    passed: 5,
    failed: 3,
    troubles: ['unit: 3 tests were skipped or are still to be written'],
  });
});

test('a test file that could not be loaded counts as failed and is named', () => {
  const broken = { status: 'failed', name: '/elsewhere/a.test.ts', message: 'Cannot find module x' };
  expect(
    judge({ ...stage, exitCode: 1 }, { ...allPassed, numRuntimeErrorTestSuites: 1, testResults: [broken] }),
  ).toEqual({
    passed: 5,
    failed: 1,
    troubles: ['unit: /elsewhere/a.test.ts\nCannot find module x'],
  });
});

test('a test file that jest did not run counts as failed', () => {
  expect(judge({ ...stage, files: 3 }, allPassed)).toEqual({
    passed: 5,
    failed: 1,
    troubles: ['unit: 1 test files were not run'],
  });
});

test('jest failing after the last test counts as failed', () => {
  expect(judge({ ...stage, exitCode: 1 }, allPassed)).toEqual({
    passed: 5,
    failed: 1,
    troubles: ['unit: jest failed though every test passed, see /log'],
  });
});

test('an answer that is no result of jest is no success', () => {
  expect(judge({ ...stage, exitCode: null }, 'what').failed).toBe(2);
});
