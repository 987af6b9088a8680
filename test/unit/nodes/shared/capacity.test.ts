import { limitsExecutions } from '../../../../nodes/shared/capacity';

test.each([
  [undefined, false],
  ['-1', false],
  ['', false],
  ['5', true],
])('a production limit of %s: an execution may have to wait: %s', (limit, waits) => {
  expect(limitsExecutions({ N8N_CONCURRENCY_PRODUCTION_LIMIT: limit })).toBe(waits);
});
