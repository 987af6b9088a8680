import { Failure } from '../failure';

/** Failures of a read that say nothing about the thing itself: the next try may go well. */
const passing = new Set([
  'bad_gateway',
  'connect_timeout',
  'connection_lost',
  'connection_refused',
  'maintenance',
  'name_not_found',
  'rate_limit_exceeded',
  'rate_limited',
  'server_error',
  'service_error',
  'timeout',
  'unavailable',
  'unreachable',
]);

export function isPassing(error: unknown): error is Failure {
  if (!(error instanceof Failure)) return false;
  const { status } = error.details;
  return typeof status === 'number' ? status >= 500 || status === 408 || status === 429 : passing.has(error.code);
}
