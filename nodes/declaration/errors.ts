import { NodeOperationError } from 'n8n-workflow';
import type { IDataObject, INode } from 'n8n-workflow';
import { Failure, messageOf } from '../../lib/failure';

const issues = 'https://github.com/n8n-nodes-selfhost/n8n-nodes-selfhost/issues';

/** The one place where what lib/ throws becomes what n8n shows. */
export function toNodeError(node: INode, error: unknown, itemIndex?: number): Error {
  if (error instanceof Failure) return expected(node, error, itemIndex);
  if (isOfN8n(error)) return located(node, error, itemIndex);
  return unexpected(node, error, itemIndex);
}

/**
 * What an item that failed puts out under "Continue". n8n takes an item for a failed one, and sends it to the error
 * output, when it has `error` and beside it at most `message` and `details`; an `error` object outside of `json`
 * would replace all of this by its bare message.
 */
export function failedItem(node: INode, error: unknown, itemIndex: number): IDataObject {
  if (error instanceof Failure) {
    const { code, subject, nextStep, details } = error;
    return { error: error.message, details: { code, subject, nextStep, ...(details as IDataObject) } };
  }
  const shownError = toNodeError(node, error, itemIndex);
  const nextStep =
    'description' in shownError && typeof shownError.description === 'string' ? shownError.description : '';
  const code = isOfN8n(error) ? 'n8n_error' : 'unexpected_error';
  return { error: shownError.message, details: { code, subject: node.name, nextStep } };
}

function expected(node: INode, failure: Failure, itemIndex: number | undefined): NodeOperationError {
  const error = new NodeOperationError(node, failure, {
    description: failure.nextStep,
    ...(itemIndex !== undefined && { itemIndex }),
  });
  // n8n replaces a message in which it finds ENOENT or the like by a general one; ours says more.
  error.message = failure.message;
  error.messages = [];
  error.context['code'] = failure.code;
  error.context['subject'] = failure.subject;
  if (Object.keys(failure.details).length > 0) error.context['details'] = failure.details;
  return error;
}

function located(node: INode, error: N8nError, itemIndex: number | undefined): Error {
  if ('context' in error && typeof error.context === 'object' && error.context !== null) {
    const context = error.context as Record<string, unknown>;
    if (itemIndex !== undefined) context['itemIndex'] ??= itemIndex;
    return error;
  }
  return new NodeOperationError(node, error, itemIndex === undefined ? {} : { itemIndex });
}

function unexpected(node: INode, cause: unknown, itemIndex: number | undefined): NodeOperationError {
  const error = new NodeOperationError(node, new Error(`Unexpected error in ${node.name}: ${messageOf(cause)}`), {
    description: `This is a bug in n8n-nodes-selfhost. Nothing is known about what was done before it. Please report it with the stack trace at ${issues}`,
    level: 'error',
    ...(itemIndex !== undefined && { itemIndex }),
  });
  error.message = `Unexpected error in ${node.name}: ${messageOf(cause)}`;
  error.messages = [];
  error.context['code'] = 'unexpected_error';
  if (cause instanceof Error && cause.stack !== undefined) error.stack = cause.stack;
  return error;
}

type N8nError = Error & { readonly level: unknown };

// By shape, not by class: with a second n8n-workflow installed, `instanceof` would not know them.
function isOfN8n(error: unknown): error is N8nError {
  return error instanceof Error && 'level' in error && 'tags' in error;
}
