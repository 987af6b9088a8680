import { Failure, isFailure } from '../../failure';
import { createHttpClient } from '../../http/client';
import { path } from '../../http/path';
import type { Method } from '../../http/request';
import { isObject, type Json } from '../../json';
import { SealedText } from '../../secrets/sealed';
import type { Task } from '../../task';
import type { MakingOwner, TakingOwner, ValueOwner } from '../owner';

/** A request in which `$NEW`, `$OLD` and `$ADMIN` stand for values: in headers and in the texts of the body. */
export interface ApiCall {
  readonly method: Method;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Json;
}

export interface ApiOwner {
  /** What it is for people: `token of the Forgejo robot`. */
  readonly label: string;
  readonly admin?: SealedText;
  /** Changes `$OLD` to `$NEW`; or, with `answerField`, makes another one. */
  readonly change: ApiCall;
  /** Where the answer has the value that the service made: `token`, `data.key`. */
  readonly answerField?: string;
  /** Ends `$OLD`, asked for with `$NEW`. Needed when the service makes the values. */
  readonly retire?: ApiCall;
  /** Answers 2xx when `$NEW` logs in, and 401 or 403 when it is refused. */
  readonly prove: ApiCall;
}

interface Values {
  readonly fresh?: SealedText;
  readonly old?: SealedText;
  readonly admin?: SealedText;
}

/** A password or token of a service with an HTTP API. */
export function apiOwner({ label, admin, change, answerField, retire, prove }: ApiOwner): ValueOwner {
  const known = admin === undefined ? {} : { admin };
  const name = `${label} at ${new URL(change.url).origin}`;
  const shared = {
    name,
    check: () => Promise.resolve(),
    accepts: async (value: SealedText, task: Task) => {
      try {
        await call(label, prove, { ...known, fresh: value }, task);
        return true;
      } catch (error) {
        // Before a rotation begins the present value was seen to get 2xx, so 403 is about the value, not about rights.
        if (isFailure(error) && (error.details['status'] === 401 || error.details['status'] === 403)) return false;
        throw error;
      }
    },
  };
  if (answerField === undefined) {
    return {
      kind: 'takes',
      ...shared,
      set: async (to, from, task) => {
        await call(label, change, { ...known, fresh: to, old: from }, task);
        return [];
      },
    } satisfies TakingOwner;
  }
  if (retire === undefined) {
    throw new Failure({
      code: 'rotation_refused',
      subject: name,
      message: `${label} makes its values itself, and no request is given that ends the old one`,
      nextStep: 'Give the request that retires a value.',
    });
  }
  return {
    kind: 'makes',
    ...shared,
    make: async (current, task) =>
      fieldOf(name, await call(label, change, { ...known, old: current }, task), answerField),
    retire: async (value, working, task) => {
      await call(label, retire, { ...known, fresh: working, old: value }, task);
    },
  } satisfies MakingOwner;
}

async function call(service: string, { method, url, headers, body }: ApiCall, values: Values, task: Task) {
  const { origin, pathname, searchParams } = new URL(url);
  const segments = pathname.split('/').flatMap((part) => (part === '' ? [] : [decodeURIComponent(part)]));
  const fill = (text: string) =>
    text.replace(/\$(NEW|OLD|ADMIN)\b/g, (whole, which: string) => {
      const value = which === 'NEW' ? values.fresh : which === 'OLD' ? values.old : values.admin;
      if (value === undefined) throw missing(service, whole);
      return value.reveal();
    });
  const secrets = [values.fresh, values.old, values.admin].flatMap((value) =>
    value === undefined ? [] : [value.reveal()],
  );
  const http = createHttpClient({ service, baseUrl: origin, secrets });
  try {
    const request = {
      method,
      path: segments.length === 0 ? path('/') : path('/{rest}', { rest: segments }),
      query: Object.fromEntries(searchParams),
      headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, fill(value)])),
      ...(body !== undefined && { body: { json: filled(body, fill) } }),
    };
    return (await http.request(request, task)).body;
  } finally {
    http.close();
  }
}

function filled(value: Json, fill: (text: string) => string): Json {
  if (typeof value === 'string') return fill(value);
  if (Array.isArray(value)) return value.map((one: Json) => filled(one, fill));
  if (isObject(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one, fill)]));
  }
  return value;
}

function fieldOf(name: string, body: unknown, field: string): SealedText {
  let found: unknown = body;
  for (const part of field.split('.')) found = isObject(found) ? found[part] : undefined;
  if (typeof found === 'string' && found !== '') return new SealedText(found);
  throw new Failure({
    code: 'rotation_answer_unreadable',
    subject: name,
    message: `The answer of ${name} has no value in the field ${field}; what it made may exist there, and nobody knows it`,
    nextStep: 'Look there for a value that was just made and remove it; then correct the field.',
  });
}

function missing(service: string, which: string): Failure {
  return new Failure({
    code: 'rotation_refused',
    subject: service,
    message: `A request for ${service} asks for ${which}, which there is not at that point`,
    nextStep: 'Use $ADMIN only with an admin password, $OLD and $NEW as the documentation says.',
  });
}
