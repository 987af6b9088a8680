import { Failure } from '../failure';
import type { SecretReference } from './reference';

export type NamedSecrets = ReadonlyMap<string, string>;

/**
 * Reads the Named Secrets credential: one `NAME=value` a line; the value is all that follows. A value with line ends is
 * written as a JSON string, in double quotes with \n.
 */
export function parseNamedSecrets(text: string): NamedSecrets {
  const secrets = new Map<string, string>();
  text.split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '' || line.trimStart().startsWith('#')) return;
    const match = /^\s*([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*=(.*)$/.exec(line);
    const name = match?.[1];
    const value = match?.[2];
    if (name === undefined || value === undefined) throw unreadable(index + 1, 'it is not NAME=value');
    if (secrets.has(name)) throw unreadable(index + 1, `${name} is already set above`);
    secrets.set(name, value.startsWith('"') ? unquoted(value, index + 1) : value);
  });
  return secrets;
}

function unquoted(value: string, line: number): string {
  try {
    const parsed: unknown = JSON.parse(value);
    if (typeof parsed === 'string') return parsed;
  } catch {
    // The parser's message would quote the value.
  }
  throw unreadable(line, 'the value begins with a double quote but is not a whole JSON string');
}

/** The message never holds the line: it is a secret. */
function unreadable(line: number, why: string): Failure {
  return new Failure({
    code: 'named_secrets_invalid',
    subject: `Named Secrets credential, line ${line}`,
    message: `Line ${line} of the Named Secrets credential cannot be read: ${why}`,
    nextStep: 'Write one NAME=value a line.',
  });
}

export function resolveSecret(reference: Pick<SecretReference, 'name'>, secrets: NamedSecrets | undefined): string {
  const value = secrets?.get(reference.name);
  if (value !== undefined) return value;
  throw new Failure({
    code: 'secret_missing',
    subject: `secret ${reference.name}`,
    message:
      secrets === undefined
        ? `Secret ${reference.name} is asked for, but the node has no Named Secrets credential`
        : `The Named Secrets credential has no secret ${reference.name}`,
    nextStep:
      secrets === undefined
        ? 'Choose a Named Secrets credential in the node.'
        : 'Add it there, or correct the reference.',
  });
}
