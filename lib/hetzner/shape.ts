import { Failure } from '../failure';
import { type ItemOf, type Reader, readShape, readValue, type Shape } from '../shape';

export * from '../shape';

/** Reads a whole item; a value that is not what the API promises is a failure, never a guess. */
export function readItem<S extends Shape>(shape: S, value: unknown, where: string): ItemOf<S> {
  return readShape(shape, value, where, unexpected);
}

export function readOf<Value>(reader: Reader<Value>, value: unknown, where: string): Value {
  return readValue(reader, value, where, unexpected);
}

export function unexpected(where: string, mustBe: string): Failure {
  return new Failure({
    code: 'unexpected_answer',
    subject: `Hetzner: ${where}`,
    message: `The answer of Hetzner is not what its API promises: ${where} must be ${mustBe}`,
    nextStep: 'Check the base URLs in the credential; if they are right, report this, as the API has changed.',
  });
}
