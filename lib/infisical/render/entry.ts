import { Failure } from '../../failure';

export interface Entry {
  readonly key: string;
  readonly value: string;
}

export function cannotRender(key: string, format: string, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'secret_not_renderable',
    subject: `secret ${key}`,
    message: `${key} cannot be written as ${format}: ${why}`,
    nextStep,
  });
}

/** Names that a shell accepts, and so every program does. */
export function checkName(key: string, format: string, pattern: RegExp = /^[A-Za-z_][A-Za-z0-9_]*$/): void {
  if (pattern.test(key)) return;
  throw cannotRender(
    key,
    format,
    'its name is no name of an environment variable',
    'Rename it with letters, digits and underscores only, or write JSON or YAML.',
  );
}

export function refuseCharacters(
  { key, value }: Entry,
  format: string,
  pattern: RegExp,
  what: string,
  nextStep: string,
): void {
  if (pattern.test(value)) throw cannotRender(key, format, `its value holds ${what}`, nextStep);
}
