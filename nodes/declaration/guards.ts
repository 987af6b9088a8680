import type { IExecuteFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import type { Operation } from './operation';

/** Checks a token that an AI agent's call came with, and burns it; throws a Failure for one that is not valid. */
export type ApprovalCheck = (
  execute: IExecuteFunctions,
  approval: { readonly token: string; readonly operation: string; readonly input: unknown; readonly itemIndex: number },
) => Promise<void>;

/** Where nothing may be changed, only reading and dry runs pass. */
export function refuseChanges(operation: Operation<never>, dryRun: boolean): void {
  if (operation.effect === 'reads' || dryRun) return;
  throw new Failure({
    code: 'read_only',
    subject: operation.action,
    message: `Refused: "${operation.action}" ${verb(operation)}, and the credential is read-only`,
    nextStep: operation.dryRun
      ? 'Use a credential that may make changes, or switch Dry Run on to see what would be done.'
      : 'Use a credential that may make changes.',
  });
}

/** Destructive operations that an AI agent calls need a person's approval, whatever the prompt said. */
export async function demandApproval(
  execute: IExecuteFunctions,
  operation: Operation<never>,
  check: ApprovalCheck | undefined,
  call: { readonly input: Readonly<Record<string, unknown>>; readonly dryRun: boolean; readonly itemIndex: number },
): Promise<void> {
  if (!operation.needsApproval || call.dryRun || !isCalledAsTool(execute)) return;
  const token = call.input['approvalToken'];
  if (typeof token !== 'string' || token === '') {
    throw new Failure({
      code: 'approval_needed',
      subject: operation.action,
      message: `Refused: "${operation.action}" was called by an AI agent without an approval token`,
      nextStep: 'Have a person approve it, and hand the approval token of that plan to the tool.',
    });
  }
  if (check === undefined) {
    throw new Failure({
      code: 'approval_not_possible',
      subject: operation.action,
      message: `Refused: "${operation.action}" cannot be approved for an AI agent, as this node has no way to check the token`,
      nextStep: 'Run it from a workflow instead.',
    });
  }
  const { resource, name } = operation;
  await check(execute, { token, operation: `${resource}.${name}`, input: call.input, itemIndex: call.itemIndex });
}

/**
 * n8n runs tools in three ways, and each shows in another place: classic agents say so themselves, newer ones run the
 * generated `…Tool` node type like any node, and the agents outside of workflows run the plain node in mode `internal`.
 */
export function isCalledAsTool(execute: IExecuteFunctions): boolean {
  return (
    (typeof execute.isToolExecution === 'function' && execute.isToolExecution()) ||
    execute.getNode().type.endsWith('Tool') ||
    execute.getMode() === 'internal'
  );
}

function verb(operation: Operation<never>): string {
  switch (operation.effect) {
    case 'creates':
      return 'creates something';
    case 'destroys':
      return 'destroys something';
    default:
      return 'changes something';
  }
}
