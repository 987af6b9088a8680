import { type Failure, isFailure } from '../../lib/failure';

/** The Failure of something that must fail. */
export async function failureOf(work: Promise<unknown>): Promise<Failure> {
  const outcome = await work.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (isFailure(outcome)) return outcome;
  throw new Error('It was to fail, and did not', { cause: outcome });
}
