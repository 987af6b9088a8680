import type { IExecuteFunctions } from 'n8n-workflow';
import { Failure } from '../../lib/failure';
import type { Task } from '../../lib/task';
import type { Operation } from './operation';

/** A call by an AI agent that a person has to allow. */
export interface ApprovalCall {
  /** Name of the node in workflows. */
  readonly node: string;
  /** `zone.apply` */
  readonly operation: string;
  readonly action: string;
  /** All values of the call but the token. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Names of the values that are secrets. */
  readonly secrets: readonly string[];
  readonly itemIndex: number;
  readonly task: Task;
  /** What a dry run puts out; nothing where the operation has none. */
  readonly preview: () => Promise<readonly unknown[]>;
}

/** Where calls are noted for a person to look at, and the tokens they were allowed with are used up. */
export interface ApprovalDesk {
  /** Notes the call and says under which id; undefined where it cannot be noted. */
  readonly request: (execute: IExecuteFunctions, call: ApprovalCall) => Promise<string | undefined>;
  /**
   * Uses the token up, or throws a Failure where it does not allow exactly this call. `hash` is that of the plan that the
   * dry run has shown, where it has one. Undefined where tokens cannot be checked.
   */
  readonly burn: (
    execute: IExecuteFunctions,
    token: string,
    call: ApprovalCall,
  ) => Promise<{ readonly hash: string } | undefined>;
}

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

/**
 * Destructive operations that an AI agent calls need a person's approval, whatever the prompt said. Returns the hash of
 * the plan that was approved, where the dry run has one; otherwise an empty text.
 */
export async function demandApproval(
  execute: IExecuteFunctions,
  operation: Operation<never>,
  desk: ApprovalDesk | undefined,
  call: Omit<ApprovalCall, 'operation' | 'action' | 'secrets'> & { readonly dryRun: boolean },
): Promise<string> {
  if (!operation.needsApproval || call.dryRun || !isCalledAsTool(execute)) return '';
  const { approvalToken: token, ...input } = call.input;
  const { resource, name, action } = operation;
  const whole: ApprovalCall = {
    ...call,
    input,
    operation: `${resource}.${name}`,
    action,
    secrets: secretsOf(operation),
  };
  if (typeof token !== 'string' || token === '') {
    const id = await desk?.request(execute, whole);
    throw new Failure({
      code: 'approval_needed',
      subject: action,
      message: `Refused: "${action}" was called by an AI agent without an approval token`,
      nextStep:
        id === undefined
          ? 'Have a person approve it, and hand the approval token of that plan to the tool.'
          : `Have a person look at request ${id} with the Approval node. Then call it again with the same values and the token.`,
      ...(id !== undefined && { details: { request: id } }),
    });
  }
  const allowed = await desk?.burn(execute, token, whole);
  if (allowed !== undefined) return allowed.hash;
  throw new Failure({
    code: 'approval_not_possible',
    subject: action,
    message: `Refused: "${action}" cannot be approved for an AI agent, as this node has no way to check the token`,
    nextStep:
      desk === undefined
        ? 'Run it from a workflow instead.'
        : 'Choose the credentials State (PostgreSQL) and Plan Key in the node, or run it from a workflow instead.',
  });
}

function secretsOf({ input }: Operation<never>): string[] {
  return Object.entries(input)
    .filter(([, field]) => field.form.typeOptions?.password === true)
    .map(([name]) => name);
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
