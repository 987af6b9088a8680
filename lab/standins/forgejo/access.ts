import type { Asked } from '../http';
import { Refusal } from './refusal';
import type { State, User } from './state';

/** Which scope an address belongs to. */
const CATEGORIES: readonly (readonly [RegExp, string])[] = [
  [/^\/api\/v1\/(version|settings\/)/, ''],
  [/^\/api\/v1\/repos\/issues\//, 'issue'],
  [/^\/api\/v1\/user\/repos/, 'repository'],
  [/^\/api\/v1\/user\/orgs/, 'organization'],
  [/^\/api\/v1\/repos\//, 'repository'],
  [/^\/api\/v1\/orgs\/[^/]+\/repos/, 'repository'],
  [/^\/api\/v1\/orgs\//, 'organization'],
  [/^\/api\/v1\/packages\//, 'package'],
  [/^\/api\/v1\/admin\//, 'admin'],
  [/^\/api\/v1\/user/, 'user'],
];

export function userOf(state: State, { headers }: Pick<Asked, 'headers'>): User | undefined {
  const [, value = ''] = /^(?:token|bearer) (.+)$/i.exec(headers['authorization'] ?? '') ?? [];
  return userOfToken(state, value);
}

export function userOfToken(state: State, value: string): User | undefined {
  return state.users.get(state.tokens.get(value)?.user.toLowerCase() ?? '');
}

export function authorize(state: State, asked: Asked): void {
  const category = CATEGORIES.find(([pattern]) => pattern.test(asked.path))?.[1] ?? '';
  if (category === '') return;
  const [, value = ''] = /^(?:token|bearer) (.+)$/i.exec(asked.headers['authorization'] ?? '') ?? [];
  const token = state.tokens.get(value);
  const user = userOfToken(state, value);
  if (token === undefined || user === undefined) throw new Refusal(401, 'invalid username, password or token');
  const level = asked.method === 'GET' || asked.method === 'HEAD' ? 'read' : 'write';
  const fits = [`${level}:${category}`, `write:${category}`];
  if (token.scopes !== undefined && !fits.some((scope) => token.scopes?.includes(scope))) {
    throw new Refusal(403, `token does not have at least one of required scope(s): [${level}:${category}]`);
  }
  if (category === 'admin' && !user.isAdmin) throw new Refusal(403, 'Must be site admin');
}
