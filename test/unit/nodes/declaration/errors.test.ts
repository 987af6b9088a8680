import { ExpressionError, NodeApiError, NodeOperationError, UserError } from 'n8n-workflow';
import type { INode } from 'n8n-workflow';
import { Failure } from '../../../../lib/failure';
import { failedItem, toNodeError } from '../../../../nodes/declaration/errors';

const node: INode = {
  id: '1',
  name: 'Host',
  type: 'n8n-nodes-selfhost.host',
  typeVersion: 1,
  position: [0, 0],
  parameters: {},
};

const refused = new Failure({
  code: 'connection_refused',
  subject: 'host bruno',
  message: 'host bruno does not answer: ECONNREFUSED',
  nextStep: 'Check that sshd runs.',
  cause: new Error('raw'),
});

test('a failure keeps its own sentence, where n8n would put a general one', () => {
  const error = toNodeError(node, refused, 2);
  expect(error).toBeInstanceOf(NodeOperationError);
  expect(JSON.parse(JSON.stringify(error))).toMatchObject({
    message: 'host bruno does not answer: ECONNREFUSED',
    description: 'Check that sshd runs.',
    context: { itemIndex: 2, code: 'connection_refused', subject: 'host bruno' },
    cause: { name: 'Failure', message: 'host bruno does not answer: ECONNREFUSED' },
  });
});

test("n8n's own errors stay what they are, and learn the item", () => {
  const api = new NodeApiError(node, { message: 'no' });
  expect(toNodeError(node, api, 3)).toBe(api);
  expect(api.context['itemIndex']).toBe(3);
  const expression = new ExpressionError('cannot read', { itemIndex: 1 });
  expect(toNodeError(node, expression, 3)).toBe(expression);
  expect(expression.context['itemIndex']).toBe(1);
});

test('an error of n8n for its user becomes one of the node, with its sentence', () => {
  const error = toNodeError(node, new UserError('Node does not have any credentials set'), 0);
  expect([error.constructor.name, error.message]).toEqual([
    'NodeOperationError',
    'Node does not have any credentials set',
  ]);
});

test.each([
  ['a failure', refused, 'connection_refused', 'host bruno does not answer: ECONNREFUSED'],
  ['an error of n8n', new UserError('No credentials'), 'n8n_error', 'No credentials'],
  ['a bug', new TypeError('x is not a function'), 'unexpected_error', 'Unexpected error in Host: x is not a function'],
  ['something thrown that is no error', 'oops', 'unexpected_error', 'Unexpected error in Host: oops'],
])('the item of %s has only the fields by which n8n knows a failed item', (_what, thrown, code, message) => {
  const item = failedItem(node, thrown, 0);
  expect(Object.keys(item).sort()).toEqual(['details', 'error']);
  expect([item['error'], item['details']]).toEqual([message, expect.objectContaining({ code }) as unknown]);
});
