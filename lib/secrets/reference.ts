import { Failure } from '../failure';

/**
 * How a secret travels through a workflow: by its place, never by its value. Written as `credential:NAME`, a name in the
 * Named Secrets credential of the node.
 */
export interface SecretReference {
  readonly source: 'credential';
  readonly name: string;
}

export function parseReference(text: string): SecretReference {
  const match = /^credential:([A-Za-z0-9_][A-Za-z0-9_.-]*)$/.exec(text.trim());
  if (match?.[1] !== undefined) return { source: 'credential', name: match[1] };
  // Whatever stands there may be the secret itself, so it is not repeated.
  throw new Failure({
    code: 'secret_reference_invalid',
    subject: 'secret reference',
    message: 'A secret reference cannot be read',
    nextStep: 'Write credential:NAME, with NAME as in the Named Secrets credential. Never put the secret itself there.',
  });
}
