import { manualWorkflow, sharedN8n } from './harness';

// n8n forgets nothing of what it remembers. What is full fails; where it goes on all the same, what was to be told has to be read from before it.
test.each([
  ['room', 100_000, []],
  ['no room any more', 1, [{ error: expect.stringContaining('exceeds the maximum history size') }]],
])('what was told is told again only where the memory has %s', async (_, historySize, second) => {
  const { api } = sharedN8n();
  const said = { mode: 'raw', jsonOutput: JSON.stringify({ title: 'the disk is full' }), options: {} };
  const once = {
    ...{ operation: 'removeItemsSeenInPreviousExecutions', logic: 'removeItemsWithAlreadySeenKeyValues' },
    ...{ dedupeValue: '={{ $json.title }}', options: { scope: 'node', historySize } },
  };
  const id = await api.createWorkflow(
    manualWorkflow(
      'Told once',
      { type: 'n8n-nodes-base.set', typeVersion: 3.4, name: 'Said', parameters: said },
      { type: 'n8n-nodes-base.removeDuplicates', typeVersion: 2, parameters: once, onError: 'continueRegularOutput' },
    ),
  );
  const first = await api.runToEnd(id, 'By hand');
  expect(first.runs.Node?.[0]?.outputs[0]).toEqual([{ title: 'the disk is full' }]);
  const again = await api.runToEnd(id, 'By hand');
  expect(again.status).toBe('success');
  expect(again.runs.Node?.[0]?.outputs[0]).toEqual(second);
});
