import { Failure } from '../../failure';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A .env as Compose reads it: every value comes out as it went in, also with quotes, dollars and line ends. */
export function envFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (!NAME.test(name)) throw unusable(name, 'its name may hold letters, digits and _ only');
      if (value.includes('\0')) throw unusable(name, 'it holds a zero byte');
      return `${name}=${quotedForCompose(value)}\n`;
    })
    .join('');
}

/**
 * A value for env_file and .env of Docker Compose 2.20 and later. Between single quotes all is as it stands, but a quote
 * and a backslash before the end are special, and a carriage return is dropped; then double quotes are used, where
 * \ " $ and line ends are escaped.
 */
export function quotedForCompose(value: string): string {
  if (!/['\\\r]/.test(value)) return `'${value}'`;
  const escaped = value
    .replace(/[\\"$]/g, '\\$&')
    .replace(/\n/g, '\\n')
    .replace(/\r/g, '\\r');
  return `"${escaped}"`;
}

/** What such a file says, by the rules Compose documents. Undefined where it is not understood. */
export function readEnvFile(text: string): Map<string, string> | undefined {
  const found = new Map<string, string>();
  let rest = text;
  while (true) {
    rest = rest.replace(/^(?:\s+|#[^\n]*)+/, '');
    if (rest === '') return found;
    const start = /^(?:export[ \t]+)?([A-Za-z0-9_.]+)[ \t]*[=:][ \t]*/.exec(rest);
    if (start?.[1] === undefined) return undefined;
    rest = rest.slice(start[0].length);
    const value = /^'((?:[^'\\]|\\[^])*)'|^"((?:[^"\\]|\\[^])*)"|^([^\n]*)/.exec(rest);
    if (value === null) return undefined;
    rest = rest.slice(value[0].length);
    found.set(start[1], meaning(value[1], value[2], value[3] ?? ''));
  }
}

function meaning(single: string | undefined, double: string | undefined, plain: string): string {
  if (single !== undefined) return single.replaceAll("\\'", "'");
  if (double !== undefined) {
    return double.replace(/\\([^])/g, (whole, character: string) => {
      if (character === 'n') return '\n';
      if (character === 'r') return '\r';
      return /[\\"$]/.test(character) ? character : whole;
    });
  }
  return plain.replace(/\s#.*$/, '').trim();
}

function unusable(name: string, why: string): Failure {
  return new Failure({
    code: 'env_invalid',
    subject: `environment variable ${name}`,
    message: `The environment variable ${JSON.stringify(name)} cannot be written to .env: ${why}`,
    nextStep: 'Change its name or value.',
  });
}
