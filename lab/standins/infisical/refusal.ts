import type { Reply } from '../http';

/** What the server's error handler makes of an error. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly error: string,
    readonly said: unknown,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(typeof said === 'string' ? said : error);
  }
}

let requests = 0;

export function refused({ status, error, said, headers }: Refusal): Reply {
  requests += 1;
  return { status, headers, json: { reqId: `req-${requests}`, statusCode: status, message: said, error } };
}

export function notFound(what: string): never {
  throw new Refusal(404, 'NotFound', `${what} not found`);
}

export function badRequest(message: string): never {
  throw new Refusal(400, 'BadRequest', message);
}

export function invalid(path: string, message: string): never {
  throw new Refusal(422, 'ValidationFailure', [{ code: 'custom', path: [path], message }]);
}
