import { Failure } from '../failure';
import { isObject } from '../json';

const SHORTEST = 32;

/** Reads the credential Plan Key. */
export function parsePlanKey(input: unknown): string {
  const key = isObject(input) ? input['secretKey'] : undefined;
  if (typeof key === 'string' && key.trim().length >= SHORTEST) return key.trim();
  throw new Failure({
    code: 'plan_key_invalid',
    subject: 'Plan Key credential',
    message: `The Plan Key credential holds no key of at least ${SHORTEST} characters`,
    nextStep: 'Put in random text, for example what "openssl rand -hex 32" prints, and keep it the same everywhere.',
  });
}
