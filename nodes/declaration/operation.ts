import type { Task } from '../../lib/task';
import type { Binary } from './binary';
import type { Fields, ValuesOf } from './field';
import type { OutputOf, Schema } from './schema';
import type { Results } from './output';

/** What an operation does to the world. Everything but `reads` is refused where nothing may be changed. */
export type Effect = 'reads' | 'changes' | 'creates' | 'destroys';

export type DryRunInput<Dry extends boolean> = Dry extends true ? { readonly dryRun: boolean } : unknown;
export type ApprovalInput<Approval extends boolean> = Approval extends true
  ? { readonly approvalToken: string }
  : unknown;

/** What every `run` gets, beside the context of its node. */
export interface Call<Input> {
  readonly input: Input;
  readonly task: Task;
  readonly binary: Binary;
  readonly itemIndex: number;
  /** Of the plan that a person has approved for an AI agent's call: no other may be carried out. Otherwise empty. */
  readonly approvedHash: string;
}

export interface Declaration<
  Context,
  F extends Fields,
  S extends Schema<object>,
  Dry extends boolean,
  Approval extends boolean,
> {
  /** Value of the resource. API once released. */
  readonly resource: string;
  /** Value of the operation. API once released. */
  readonly name: string;
  /** Default: made from the name, `ensureMode` becomes `Ensure Mode`. */
  readonly label?: string;
  /** One sentence for the list of actions and for AI agents: `Restart a service`. */
  readonly action: string;
  readonly description: string;
  readonly effect: Effect;
  readonly input: F;
  readonly output: S;
  /** Adds a `Dry Run` toggle; `run` finds it as `input.dryRun`. A dry run changes nothing, so it is also allowed where nothing may be changed. */
  readonly dryRun?: Dry;
  /** Adds an `Approval Token` field; an AI agent's call is refused without a valid one. */
  readonly needsApproval?: Approval;
  readonly run: (
    call: Call<ValuesOf<F> & DryRunInput<Dry> & ApprovalInput<Approval>> & Context,
  ) => Promise<Results<OutputOf<S>>> | Results<OutputOf<S>>;
}

/** An operation as the rest of the framework sees it: its input types are checked where it was declared. */
export interface Operation<Context> {
  readonly resource: string;
  readonly name: string;
  readonly label?: string;
  readonly action: string;
  readonly description: string;
  readonly effect: Effect;
  readonly input: Fields;
  readonly output: Schema<object>;
  readonly dryRun: boolean;
  readonly needsApproval: boolean;
  readonly run: (call: Call<unknown> & Context) => Promise<Results<unknown>>;
}

/**
 * Gives the function that declares operations for nodes with this context:
 * `export const operation = operationsWith<HostContext>();`
 */
export function operationsWith<Context extends object = object>() {
  return <
    const F extends Fields,
    S extends Schema<object>,
    Dry extends boolean = false,
    Approval extends boolean = false,
  >(
    declaration: Declaration<Context, F, S, Dry, Approval>,
  ): Operation<Context> => {
    type Input = ValuesOf<F> & DryRunInput<Dry> & ApprovalInput<Approval>;
    return {
      ...declaration,
      dryRun: declaration.dryRun ?? false,
      needsApproval: declaration.needsApproval ?? false,
      // The input of a call is read with the very fields whose types `run` was checked against.
      run: async (call) => declaration.run(call as Call<Input> & Context),
    };
  };
}

/** Declares an operation that needs nothing but its input. */
export const operation = operationsWith();
