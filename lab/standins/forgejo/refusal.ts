import type { Reply } from '../http';

/** Thrown by a route; answered as Forgejo answers. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function refused({ status, message }: Refusal): Reply {
  return { status, json: { message, url: 'http://localhost/api/swagger' } };
}

export function notFound(): Refusal {
  return new Refusal(404, "The target couldn't be found.");
}
