import { itemsOf } from '../../../../nodes/declaration/output';

test.each([
  ['a truthy error at the top, which n8n takes for a failed item', { error: 'x' }, 'must not put out a field "error"'],
  ['something that is no object', 'text', 'must give objects'],
])('refused as a bug: %s', async (_what, result, message) => {
  await expect(itemsOf(result, 0)).rejects.toThrow(message);
});

test('a very long list of results is no problem', async () => {
  const many = Array.from({ length: 200_000 }, (_, number) => ({ number }));
  const items = await itemsOf(many, 4);
  expect([items.length, items.at(-1)]).toEqual([200_000, { json: { number: 199_999 }, pairedItem: { item: 4 } }]);
});
