import type { Json } from '../json';

const mask = '[secret]';
// Shorter values would blacken ordinary words.
const shortestSecret = 4;

/** Replaces every secret, in the forms in which it travels, by a mask. */
export function createRedaction(secrets: readonly string[]): (text: string) => string {
  const forms = secrets
    .filter((secret) => secret.length >= shortestSecret)
    .flatMap((secret) => [
      secret,
      encodeURIComponent(Buffer.from(secret).toString()),
      JSON.stringify(secret).slice(1, -1),
      Buffer.from(secret).toString('base64'),
    ]);
  // The longest first: a secret may be part of another.
  const ordered = [...new Set(forms)].sort((left, right) => right.length - left.length);
  return (text) => ordered.reduce((redacted, form) => redacted.replaceAll(form, mask), text);
}

export function redactJson(value: Json, redact: (text: string) => string): Json {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((one: Json) => redactJson(one, redact));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [redact(name), redactJson(one, redact)]));
  }
  return value;
}

/** The header's value, and the token in it: `Bearer abc` gives both. */
export function secretsOfHeaders(headers: Readonly<Record<string, string>>): string[] {
  return Object.values(headers).flatMap((value) => {
    const [scheme = '', ...rest] = value.split(' ');
    const token = rest.join(' ');
    if (token === '') return [value];
    if (scheme.toLowerCase() !== 'basic') return [value, token];
    const plain = Buffer.from(token, 'base64').toString();
    return [value, token, plain, plain.slice(plain.indexOf(':') + 1)];
  });
}
