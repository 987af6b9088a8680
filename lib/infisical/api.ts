import { Failure, isFailure } from '../failure';
import { createHttpClient } from '../http/client';
import type { HttpRequest } from '../http/request';
import { realSurroundings, type Surroundings } from '../http/settings';
import type { Task } from '../task';
import type { InfisicalSettings } from './credential';
import { explainInfisical, tokenRefused } from './explain';
import { lastingSecretOf } from './login';
import { sessionOf } from './session';

/** Infisical's API with a login that renews itself. The functions of this folder take it. */
export interface InfisicalApi {
  readonly ask: <Result>(request: HttpRequest, parse: (body: unknown) => Result, task: Task) => Promise<Result>;
  /** Of the identity that is logged in, as its token says. */
  readonly identity: (task: Task) => Promise<string | undefined>;
  readonly close: () => void;
}

export function infisicalApi(settings: InfisicalSettings, surroundings: Surroundings = realSurroundings): InfisicalApi {
  const session = sessionOf(settings, surroundings);
  const { login } = settings;
  const lasting = lastingSecretOf(login);
  let last = '';
  const http = createHttpClient(
    {
      service: 'Infisical',
      baseUrl: settings.siteUrl,
      ...(settings.privateAuthority !== undefined && { privateAuthority: settings.privateAuthority }),
      authentication: async (signal) => {
        last = await session.token(signal);
        return { authorization: `Bearer ${last}` };
      },
      explain: explainInfisical,
      secrets: lasting === undefined ? [] : [lasting],
    },
    surroundings,
  );
  const request = async (wanted: HttpRequest, task: Task) => {
    // Nothing that writes is repeated: a DELETE that is lost may have opened a request for approval.
    const once = wanted.method === 'DELETE' ? { ...wanted, idempotent: false } : wanted;
    try {
      return await http.request(once, task);
    } catch (error) {
      if (!isFailure(error, tokenRefused) || login.method === 'token') throw error;
      // A refused token has done nothing, so this is no repetition. One new login, and no more.
      session.refused(last);
      return await http.request(once, task);
    }
  };
  return {
    ask: async (wanted, parse, task) => {
      try {
        return parse((await request(wanted, task)).body);
      } catch (error) {
        throw unreachable(error, settings);
      }
    },
    identity: async (task) => identityOf(await session.token(task.signal)),
    close: http.close,
  };
}

const noWay = new Set(['name_not_found', 'connection_refused', 'unreachable', 'connect_timeout', 'timeout']);

/** Every stack waits for its secrets when Infisical is away, so this is said as what it is. */
function unreachable(error: unknown, { siteUrl }: InfisicalSettings): unknown {
  if (!isFailure(error) || !noWay.has(error.code)) return error;
  return new Failure({
    code: 'infisical_unreachable',
    subject: error.subject,
    message: `Infisical at ${siteUrl} cannot be reached: ${error.message}`,
    nextStep: `${error.nextStep} The files that were written to hosts before are untouched.`,
    details: { ...error.details, reason: error.code },
    cause: error,
  });
}

/** Only to be shown: nothing is decided by it, so it is not verified. */
function identityOf(token: string): string | undefined {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    const id = typeof claims === 'object' && claims !== null && 'identityId' in claims ? claims.identityId : undefined;
    return typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}
