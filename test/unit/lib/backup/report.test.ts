import { findReport } from '../../../../lib/backup/report';

const report = {
  run: 'run-1',
  status: 'degraded',
  startedAt: '2026-01-31T02:00:00.000Z',
  finishedAt: '2026-01-31T02:10:00.000Z',
  sources: [
    {
      source: 'postgres/immich@bruno',
      name: '2026-01-31T020000Z',
      status: 'degraded',
      sentence: '2 of 4 destinations hold a proven copy',
      copies: [{ destination: 'eva', copy: 'proven' }],
    },
  ],
  destinations: [{ destination: 'eva', failure: null }],
  retryFromSpool: true,
  undeletableCopy: false,
};

describe('the report of a backup run', () => {
  test('is the last line that says so; before the end there is none', () => {
    expect(findReport('2026 start\n2026 going\n')).toBeUndefined();
    expect(findReport(`2026 start\nreport ${JSON.stringify(report)}\n`)).toEqual(report);
  });

  test.each([
    ['text that broke off', JSON.stringify(report).slice(0, 100)],
    ['a status nobody knows', JSON.stringify({ ...report, status: 'fine' })],
    ['a copy that is neither proven nor not', JSON.stringify(report).replace('"proven"', '"maybe"')],
    ['a failure that is no sentence', JSON.stringify(report).replace('null', '7')],
  ])('with %s it is refused, not guessed', (_, text) => {
    expect(() => findReport(`report ${text}`)).toThrow('so its outcome is not known');
  });
});
