import { Failure } from '../failure';
import type { SealedText } from './sealed';

/** A login that was leased by this process for an execution under way. */
export interface HeldLease {
  readonly values: Readonly<Record<string, SealedText>>;
  /** The execution. */
  readonly owner: string;
  /** Revokes it: once, however often it is called. */
  readonly end: () => Promise<void>;
}

/** They are in memory only, and go with the process. */
const held = new Map<string, HeldLease>();

export function hold(lease: string, what: HeldLease): void {
  held.set(lease, what);
}

export function letGo(lease: string): void {
  held.delete(lease);
}

/**
 * `endWith` hands on what is to be called at the end of an execution. It is handed on for whoever uses the login in the
 * execution that holds it, since n8n forgets it while an execution waits.
 */
export function heldValue(
  lease: string,
  name: string,
  by: { readonly owner: string; readonly endWith?: ((lease: string, end: () => Promise<void>) => void) | undefined },
): string {
  const found = held.get(lease);
  const value = found?.values[name];
  if (found !== undefined && value !== undefined) {
    if (found.owner === by.owner) by.endWith?.(lease, found.end);
    return value.reveal();
  }
  throw new Failure({
    code: 'secret_missing',
    subject: `lease ${lease}`,
    message:
      found !== undefined
        ? `Lease ${lease} has no value ${name}`
        : `Lease ${lease} is not held here: it has ended, was made without "For This Execution", or this execution waited and goes on in another process`,
    nextStep:
      found !== undefined
        ? 'Take one of the references that Create gave.'
        : 'Lease the login in the same execution with "For This Execution", behind whatever it waits for and before the node that uses it.',
  });
}
