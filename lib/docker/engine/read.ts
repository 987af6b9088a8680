import { Failure } from '../../failure';
import { isObject } from '../../json';

/** Docker leaves out what is empty, or says null, differently in each version: absent is empty here. */
export function textAt(value: unknown, ...way: readonly string[]): string {
  const found = at(value, way);
  return typeof found === 'string' ? found : '';
}

export function numberAt(value: unknown, ...way: readonly string[]): number {
  const found = at(value, way);
  return typeof found === 'number' ? found : 0;
}

export function flagAt(value: unknown, ...way: readonly string[]): boolean {
  return at(value, way) === true;
}

export function listAt(value: unknown, ...way: readonly string[]): readonly unknown[] {
  const found = at(value, way);
  return Array.isArray(found) ? found : [];
}

export function textsAt(value: unknown, ...way: readonly string[]): readonly string[] {
  return listAt(value, ...way).filter((one) => typeof one === 'string');
}

export function recordAt(value: unknown, ...way: readonly string[]): Readonly<Record<string, unknown>> {
  const found = at(value, way);
  return isObject(found) ? found : {};
}

export function labelsAt(value: unknown, ...way: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(recordAt(value, ...way)).flatMap(([name, one]) => (typeof one === 'string' ? [[name, one]] : [])),
  );
}

/** A time, or null where Docker writes the year 1 for "never". */
export function timeAt(value: unknown, ...way: readonly string[]): string | null {
  const found = textAt(value, ...way);
  return found === '' || found.startsWith('0001-') ? null : found;
}

/** What cannot be missing from an answer that was understood. */
export function idAt(value: unknown, ...way: readonly string[]): string {
  const found = textAt(value, ...way);
  if (found !== '') return found;
  throw new Failure({
    code: 'docker_answer_unreadable',
    subject: 'Docker',
    message: `An answer of Docker has no ${way.join('.')}`,
    nextStep: 'Check that a Docker Engine answers on that socket, and report its version.',
  });
}

function at(value: unknown, way: readonly string[]): unknown {
  return way.reduce<unknown>((here, name) => (isObject(here) ? here[name] : undefined), value);
}
