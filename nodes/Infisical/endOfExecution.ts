import type { IExecuteFunctions } from 'n8n-workflow';
import { Failure, messageOf } from '../../lib/failure';

/**
 * Gives the way to have something ended with the execution, after success, error and Stop; refuses where there is none,
 * before anything is done. n8n calls what it is given perhaps more than once, not when the execution goes to wait, and
 * drops what it throws, so that is said here.
 */
export function endOfExecution(execute: IExecuteFunctions): (end: () => Promise<void>) => void {
  const node = execute.getNode().name;
  if (typeof execute.onExecutionFinish !== 'function') {
    throw new Failure({
      code: 'execution_end_unknown',
      subject: node,
      message: 'Nothing can be held for this execution: this n8n does not tell its nodes when an execution ends',
      nextStep: 'Update n8n, or create the lease with a time to live and revoke it in a node of its own.',
    });
  }
  return (end) => {
    execute.onExecutionFinish?.(() =>
      end().catch((error: unknown) => execute.logger.error(`${node}: ${messageOf(error)}`)),
    );
  };
}
