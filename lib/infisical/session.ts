import { createHash } from 'node:crypto';
import { createHttpClient } from '../http/client';
import { path } from '../http/path';
import { type Explanation, realSurroundings, type Surroundings } from '../http/settings';
import { SealedText } from '../secrets/sealed';
import { cancelled, type Task } from '../task';
import { read } from './answer';
import type { InfisicalSettings } from './credential';
import { explainInfisical } from './explain';
import { loginRequestOf, type LoginWithRequest } from './login';

interface Token {
  readonly text: SealedText;
  /** When another one is fetched: well before this one ends. */
  readonly renewAt: number;
  readonly endsAt: number;
  /** Renewing cannot go beyond this. */
  readonly mayLiveUntil: number;
}

export interface Session {
  readonly token: (signal: AbortSignal) => Promise<string>;
  /** The server refused this token before its time: revoked, or the server was restored. */
  readonly refused: (token: string) => void;
}

const LOGIN_MS = 30_000;
const LONGEST_MARGIN_MS = 5 * 60_000;

/** One login for all executions of this process, however many ask at once. */
const sessions = new Map<string, Session>();

export function sessionOf(settings: InfisicalSettings, surroundings: Surroundings = realSurroundings): Session {
  const { login } = settings;
  if (login.method === 'token') {
    return { token: () => Promise.resolve(login.accessToken), refused: () => undefined };
  }
  const key = createHash('sha256').update(JSON.stringify(settings)).digest('hex');
  const known = sessions.get(key);
  if (known !== undefined) return known;
  const session = sessionWith(settings, login, surroundings);
  sessions.set(key, session);
  return session;
}

/** For tests, and for a process that is to begin anew. */
export function forgetSessions(): void {
  sessions.clear();
}

function sessionWith(settings: InfisicalSettings, login: LoginWithRequest, surroundings: Surroundings): Session {
  const { now } = surroundings;
  let current: Token | undefined;
  let underway: Promise<Token> | undefined;

  /** A login can be sent twice: it only makes one more token. So can a renewal. */
  const ask = async (address: string, json: Readonly<Record<string, string>>, hidden: string): Promise<Token> => {
    const http = createHttpClient(
      {
        service: 'Infisical',
        baseUrl: settings.siteUrl,
        ...(settings.privateAuthority !== undefined && { privateAuthority: settings.privateAuthority }),
        explain: explainLogin,
        secrets: [hidden],
      },
      surroundings,
    );
    // It belongs to all who wait for it, so nobody's Stop ends it.
    const task: Task = { signal: AbortSignal.timeout(LOGIN_MS), progress: () => undefined, owner: 'Infisical login' };
    const asked = now();
    const { body } = await http
      .request({ method: 'POST', path: path(address), body: { json }, idempotent: true }, task)
      .finally(http.close);
    const answer = read(body, 'a login');
    const lifeMs = answer.number('expiresIn') * 1000;
    const longestMs = answer.numberOr('accessTokenMaxTTL', 0) * 1000;
    return {
      text: new SealedText(answer.text('accessToken')),
      renewAt: asked + lifeMs - Math.min(lifeMs / 5, LONGEST_MARGIN_MS),
      endsAt: asked + lifeMs,
      mayLiveUntil: longestMs > 0 ? asked + longestMs : Infinity,
    };
  };

  const logIn = async () => {
    const { address, json, hidden } = await loginRequestOf(settings, login, surroundings);
    return ask(address, json, hidden);
  };

  /** A renewed token lives on without another login; where the server will not, a login makes a new one. */
  const renew = async (old: Token): Promise<Token> => {
    if (now() >= old.endsAt) return logIn();
    try {
      const accessToken = old.text.reveal();
      const renewed = await ask('/api/v1/auth/token/renew', { accessToken }, accessToken);
      const mayLiveUntil = Math.min(old.mayLiveUntil, renewed.mayLiveUntil);
      return renewed.endsAt > old.endsAt && now() < mayLiveUntil ? { ...renewed, mayLiveUntil } : await logIn();
    } catch {
      return logIn();
    }
  };

  const fetchOnce = (): Promise<Token> => {
    underway ??= (current === undefined ? logIn() : renew(current))
      .then((token) => (current = token))
      .finally(() => (underway = undefined));
    return underway;
  };

  return {
    token: async (signal) => {
      if (current !== undefined && now() < current.renewAt) return current.text.reveal();
      try {
        return (await unlessStopped(fetchOnce(), signal)).text.reveal();
      } catch (error) {
        // It is renewed early so that there is time for it to fail.
        if (signal.aborted || current === undefined || now() >= current.endsAt) throw error;
        return current.text.reveal();
      }
    },
    refused: (token) => {
      if (current?.text.reveal() === token) current = undefined;
    },
  };
}

/** A refused login is another thing than a refused token: trying again would only lock the identity out. */
function explainLogin(body: unknown, status: number): Explanation | undefined {
  const explained = explainInfisical(body, status);
  if (explained?.code === undefined) return explained;
  return {
    ...explained,
    code: 'infisical_login_refused',
    nextStep: 'Check the login in the credential, and that the machine identity still exists and may log in this way.',
  };
}

function unlessStopped<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(cancelled('Infisical: login'));
    if (signal.aborted) {
      promise.catch(() => undefined);
      stop();
      return;
    }
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
