import { Failure } from '../failure';
import { isObject, type Json } from '../json';

/** Below this a "secret" would be found in every other word. */
const SHORTEST = 4;

/** Takes known secrets out of whatever is about to leave: a program may well print what it was given. */
export function redact<T>(value: T, secrets: readonly string[]): T {
  const known = secrets.flatMap(forms).filter((form) => form.length >= SHORTEST);
  if (known.length === 0) return value;
  return visit(
    value,
    [...new Set(known)].sort((a, b) => b.length - a.length),
  ) as T;
}

/** As it is, without its last line end, and as it looks inside JSON, in an address and in base64. */
function forms(secret: string): string[] {
  const trimmed = secret.replace(/\r?\n$/, '');
  // A lone surrogate cannot stand in an address.
  const inAddress = encodeURIComponent(Buffer.from(trimmed).toString());
  const encoded = [secret, trimmed].flatMap((text) => {
    const bytes = Buffer.from(text);
    return [bytes.toString('base64'), bytes.toString('base64url')];
  });
  return [secret, trimmed, JSON.stringify(trimmed).slice(1, -1), inAddress, ...encoded];
}

function visit(value: unknown, secrets: readonly string[]): unknown {
  if (typeof value === 'string') return secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), value);
  if (Array.isArray(value)) return value.map((item) => visit(item, secrets));
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, visit(item, secrets)]));
  }
  return value;
}

/** Runs something that knows secrets; neither its result nor its failure tells them. */
export async function withoutSecrets<T>(secrets: readonly string[], work: () => Promise<T>): Promise<T> {
  try {
    return redact(await work(), secrets);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { code, subject, message, nextStep, details } = error;
    throw new Failure({
      code,
      ...redact<{ subject: string; message: string; nextStep: string; details: Readonly<Record<string, Json>> }>(
        { subject, message, nextStep, details },
        secrets,
      ),
    });
  }
}
