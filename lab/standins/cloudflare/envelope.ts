import type { Reply } from '../http';

export interface ApiMessage {
  readonly code: number;
  readonly message: string;
  readonly error_chain?: readonly ApiMessage[];
}

/** Thrown by what a route does; becomes Cloudflare's failure envelope. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly errors: readonly ApiMessage[],
  ) {
    super(errors[0]?.message);
  }
}

export function refuse(status: number, code: number, message: string): never {
  throw new Refusal(status, [{ code, message }]);
}

/** What Cloudflare says to values it does not take: one general error, with the particular ones chained to it. */
export function refuseValue(code: number, message: string): never {
  throw new Refusal(400, [{ code: 1004, message: 'DNS Validation Error', error_chain: [{ code, message }] }]);
}

export interface ResultInfo {
  readonly page: number;
  readonly per_page: number;
  readonly count: number;
  readonly total_count: number;
  readonly total_pages: number;
}

export function done(result: unknown, info?: ResultInfo): Reply {
  return {
    status: 200,
    json: { result, success: true, errors: [], messages: [], ...(info !== undefined && { result_info: info }) },
  };
}

export function refused({ status, errors }: Refusal): Reply {
  return { status, json: { result: null, success: false, errors, messages: [] } };
}

export interface Pages {
  readonly standard: number;
  readonly largest: number;
}

/** One page of a list, with what Cloudflare says about it. */
export function page(items: readonly unknown[], query: URLSearchParams, { standard, largest }: Pages): Reply {
  const number = wholeNumber(query.get('page'), 1);
  const size = Math.min(wholeNumber(query.get('per_page'), standard), largest);
  const some = items.slice((number - 1) * size, number * size);
  return done(some, {
    page: number,
    per_page: size,
    count: some.length,
    total_count: items.length,
    total_pages: Math.ceil(items.length / size),
  });
}

function wholeNumber(text: string | null, standard: number): number {
  if (text === null) return standard;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) refuse(400, 1004, 'Invalid page or per_page');
  return number;
}
