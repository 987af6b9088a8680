import { Failure } from '../../failure';

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A .env as Compose reads it: every value comes out as it went in, also with quotes, dollars and line ends. */
export function envFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (!NAME.test(name)) throw unusable(name, 'its name may hold letters, digits and _ only');
      if (value.includes('\0')) throw unusable(name, 'it holds a zero byte');
      return `${name}=${quoted(value)}\n`;
    })
    .join('');
}

function quoted(value: string): string {
  // Between single quotes nothing has a meaning but their end.
  if (!/['\\]/.test(value)) return `'${value}'`;
  const escaped = value
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('$', '\\$')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r');
  return `"${escaped}"`;
}

function unusable(name: string, why: string): Failure {
  return new Failure({
    code: 'env_invalid',
    subject: `environment variable ${name}`,
    message: `The environment variable ${JSON.stringify(name)} cannot be written to .env: ${why}`,
    nextStep: 'Change its name or value.',
  });
}
