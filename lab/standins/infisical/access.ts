import type { Asked, Reply, Route } from '../http';
import { loginRoutes, type WayIn } from './logins';
import { Refusal } from './refusal';
import { bodyOf, newToken, type State, textOf } from './state';

export function accessRoutes(state: State, ways: readonly WayIn[]): readonly Route[] {
  const base = '/api/v1/auth';
  return [
    { method: 'POST', template: `${base}/universal-auth/login`, handle: (asked) => login(state, asked) },
    { method: 'POST', template: `${base}/token/renew`, handle: (asked) => renew(state, asked) },
    ...loginRoutes(state, ways, (token) => answer(state, token)),
  ];
}

function login(state: State, asked: Asked): Reply {
  const fields = bodyOf(asked);
  const identity = state.identities.get(textOf(fields, 'clientId'));
  if (identity?.clientSecret !== textOf(fields, 'clientSecret')) {
    throw new Refusal(401, 'UnauthorizedError', 'Invalid credentials');
  }
  return answer(state, newToken(state, identity));
}

/** The same token lives longer, up to its longest life. */
function renew(state: State, asked: Asked): Reply {
  const text = textOf(bodyOf(asked), 'accessToken');
  const token = state.tokens.get(text);
  if (token === undefined) throw new Refusal(401, 'UnauthorizedError', 'No identity access token found');
  const now = state.now();
  if (now >= token.expiresAt)
    throw new Refusal(401, 'UnauthorizedError', 'Failed to renew MI access token due to TTL expiration');
  token.expiresAt = Math.min(now + state.tokenSeconds * 1000, token.maxUntil);
  return answer(state, text);
}

function answer(state: State, accessToken: string): Reply {
  const token = state.tokens.get(accessToken);
  return {
    status: 200,
    json: {
      accessToken,
      expiresIn: Math.round(((token?.expiresAt ?? 0) - state.now()) / 1000),
      accessTokenMaxTTL: state.tokenMaxSeconds,
      tokenType: 'Bearer',
    },
  };
}
