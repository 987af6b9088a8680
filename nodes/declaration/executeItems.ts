import { setMaxListeners } from 'node:events';
import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import { cancelled } from '../../lib/task';
import type { Task } from '../../lib/task';
import { binaryOf } from './binary';
import { failedItem, toNodeError } from './errors';
import { demandApproval, refuseChanges } from './guards';
import { itemsInOrder } from './itemsInOrder';
import type { NodeDeclaration } from './actionNode';
import type { Operation } from './operation';
import { itemsOf } from './output';
import { readInput } from './parameters';
import { progressOf } from './progress';
import { fieldsOf, parallelByDefault, runOptionsField } from './properties';

/** One execution of a node: every item through the chosen operation. */
export async function executeItems<Context extends object>(
  execute: IExecuteFunctions,
  declaration: NodeDeclaration<Context>,
): Promise<INodeExecutionData[]> {
  const items = execute.getInputData();
  if (items.length === 0) return [];
  const node = execute.getNode();
  let operation: Operation<Context>;
  let parallel: number;
  try {
    operation = chosenOperation(execute, declaration);
    const options = runOptionsField.read(execute.getNodeParameter('runOptions', 0, {}, { skipValidation: true }), {
      label: 'Run Options',
      itemIndex: 0,
    });
    parallel = options.itemsInParallel ?? parallelByDefault(operation);
  } catch (error) {
    throw toNodeError(node, error);
  }

  const fields = fieldsOf(operation);
  const tasks = tasksOf(execute, items.length);
  const continues = execute.continueOnFail();
  const runItem = async (itemIndex: number): Promise<INodeExecutionData[]> => {
    const task = tasks(itemIndex);
    const input = readInput(execute, fields, itemIndex);
    const dryRun = operation.dryRun && input['dryRun'] === true;
    const context = await declaration.context({ execute, itemIndex, input, operation, task });
    if (context.readOnly === true) refuseChanges(operation, dryRun);
    await demandApproval(execute, operation, declaration.checkApproval, { input, dryRun, itemIndex });
    const given = { input, task, binary: binaryOf(execute, itemIndex), itemIndex };
    // Not spread: a context may find out a part of itself only when it is asked for it.
    const call = Object.defineProperties(given, Object.getOwnPropertyDescriptors(context)) as typeof given & Context;
    return itemsOf(await operation.run(call), itemIndex);
  };

  const { signal } = tasks(0);
  const outcomes = await itemsInOrder(items.length, runItem, { parallel, signal, stopAtFailure: !continues });
  const output: INodeExecutionData[] = [];
  for (const { index, result } of outcomes) {
    if (result.ok) {
      // One by one: spreading a very long list into arguments overflows the stack.
      for (const item of result.value) output.push(item);
    } else if (continues && !signal.aborted) {
      output.push({ json: failedItem(node, result.error, index), pairedItem: { item: index } });
    } else {
      throw toNodeError(node, result.error, index);
    }
  }
  // Stopped between two items: what was not begun must not look as if it had been done.
  if (outcomes.length < items.length) throw toNodeError(node, cancelled(node.name));
  return output;
}

function chosenOperation<Context extends object>(
  execute: IExecuteFunctions,
  { resources }: NodeDeclaration<Context>,
): Operation<Context> {
  const resource: unknown = execute.getNodeParameter('resource', 0, resources[0]?.name ?? '');
  const operations = resources.find(({ name }) => name === resource)?.operations;
  const name: unknown = execute.getNodeParameter('operation', 0, operations?.[0]?.name ?? '');
  const found = operations?.find((operation) => operation.name === name);
  if (found !== undefined) return found;
  throw new Failure({
    code: 'unknown_operation',
    subject: `${String(resource)}: ${String(name)}`,
    message: `This version of the node knows no operation '${String(name)}' of resource '${String(resource)}'`,
    nextStep: 'Choose another one, or install the version of n8n-nodes-selfhost that the workflow was made with.',
  });
}

/** One task per item; Stop and the owner are those of the execution. */
function tasksOf(execute: IExecuteFunctions, items: number): (itemIndex: number) => Task {
  // Absent where a node runs outside of an execution that can be stopped.
  const signal =
    (typeof execute.getExecutionCancelSignal === 'function' ? execute.getExecutionCancelSignal() : undefined) ??
    new AbortController().signal;
  // Every item listens to the one Stop; more than ten listeners are no leak here.
  setMaxListeners(0, signal);
  const owner = execute.getExecutionId() || `node ${execute.getNode().id}`;
  const progress = progressOf(execute, items);
  return (itemIndex) => ({ signal, owner, progress: progress(itemIndex) });
}
