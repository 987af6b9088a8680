import { Failure } from '../failure';
import type { SealedText } from './sealed';

/** Logins that were leased by this process for an execution under way. They are in memory only, and go with it. */
const held = new Map<string, Readonly<Record<string, SealedText>>>();

export function hold(lease: string, values: Readonly<Record<string, SealedText>>): void {
  held.set(lease, values);
}

export function letGo(lease: string): void {
  held.delete(lease);
}

export function heldValue(lease: string, name: string): string {
  const value = held.get(lease)?.[name];
  if (value !== undefined) return value.reveal();
  const known = held.has(lease);
  throw new Failure({
    code: 'secret_missing',
    subject: `lease ${lease}`,
    message: known
      ? `Lease ${lease} has no value ${name}`
      : `Lease ${lease} is not held by this execution: it has ended, or was made without "For This Execution"`,
    nextStep: known
      ? 'Take one of the references that Create gave.'
      : 'Lease the login in the same execution, with "For This Execution", and before the node that uses it.',
  });
}
