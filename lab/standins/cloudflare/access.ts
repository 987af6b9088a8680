import type { Asked } from '../http';
import { refuse } from './envelope';
import type { State, Token, Zone } from './state';

/** Whose request it is. */
export function tokenOf(state: State, { headers }: Asked): Token {
  const header = headers['authorization'];
  if (header === undefined) refuse(400, 9106, 'Missing X-Auth-Key, X-Auth-Email or Authorization headers');
  const value = /^Bearer ([A-Za-z0-9_-]+)$/.exec(header)?.[1];
  if (value === undefined) refuse(400, 6003, 'Invalid request headers');
  return state.tokens.get(value) ?? refuse(403, 9109, 'Invalid access token');
}

/** The token of a request that needs this permission, of its account or of this zone. */
export function allowed(state: State, asked: Asked, permission: string, zone?: Zone): Token {
  const token = tokenOf(state, asked);
  if (token.status !== 'active') refuse(403, 9109, 'Invalid access token');
  if (!token.permissions.includes(permission) || (zone !== undefined && !reaches(token, zone))) {
    refuse(403, 10000, 'Authentication error');
  }
  return token;
}

export function reaches(token: Token, zone: Zone): boolean {
  return token.zones === undefined || token.zones.includes(zone.name);
}

/** The zone of a request, which must be there and within reach. */
export function zoneOf(state: State, asked: Asked, permission: string): Zone {
  const id = asked.params['zone'] ?? '';
  const zone = state.zones.get(id);
  if (zone === undefined) {
    tokenOf(state, asked);
    refuse(404, 7003, `Could not route to /client/v4${asked.path}, perhaps your object identifier is invalid?`);
  }
  allowed(state, asked, permission, zone);
  return zone;
}
