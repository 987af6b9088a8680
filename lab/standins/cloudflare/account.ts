import { isObject } from '../../../lib/json';
import { type Asked, jsonOf, type Reply, type Route } from '../http';
import { allowed, tokenOf, zoneOf } from './access';
import { done, page, refuse } from './envelope';
import type { State } from './state';

type Kept = Map<string, Readonly<Record<string, unknown>>>;

/** Tokens, and what is balanced and watched. */
export function accountRoutes(state: State): readonly Route[] {
  const pages = { standard: 100, largest: state.largestPage };
  return [
    { method: 'GET', template: '/user/tokens/verify', handle: (asked) => verified(asked, 'user') },
    { method: 'GET', template: '/accounts/{account}/tokens/verify', handle: (asked) => verified(asked, 'account') },
    ...kept('/accounts/{account}/load_balancers/pools', 'lb', () => state.pools),
    ...kept('/accounts/{account}/load_balancers/monitors', 'lb', () => state.monitors),
    ...kept(
      '/zones/{zone}/healthchecks',
      'healthchecks',
      (asked, permission) => zoneOf(state, asked, permission).healthChecks,
    ),
  ];

  function verified(asked: Asked, owner: 'user' | 'account'): Reply {
    const value = /^Bearer (.*)$/.exec(asked.headers['authorization'] ?? '')?.[1] ?? '';
    if (state.tokens.get(value)?.owner !== owner) refuse(401, 1000, 'Invalid API Token');
    const { id, status } = tokenOf(state, asked);
    return done({ id, status });
  }

  function kept(template: string, group: string, where: (asked: Asked, permission: string) => Kept): readonly Route[] {
    const look = (asked: Asked, permission: string): readonly [Kept, string, Readonly<Record<string, unknown>>] => {
      allowed(state, asked, permission);
      const all = where(asked, permission);
      const id = asked.params['id'] ?? '';
      return [all, id, all.get(id) ?? refuse(404, 1001, 'The object was not found')];
    };
    return [
      {
        method: 'GET',
        template,
        handle: (asked) => {
          allowed(state, asked, `${group}:read`);
          return page([...where(asked, `${group}:read`).values()], asked.query, pages);
        },
      },
      { method: 'GET', template: `${template}/{id}`, handle: (asked) => done(look(asked, `${group}:read`)[2]) },
      {
        method: 'PATCH',
        template: `${template}/{id}`,
        handle: (asked): Reply => {
          const [all, id, before] = look(asked, `${group}:edit`);
          const body = jsonOf(asked);
          if (!isObject(body)) refuse(400, 1002, 'The body is no object');
          all.set(id, { ...before, ...body, id, modified_on: state.now() });
          return done(all.get(id));
        },
      },
    ];
  }
}
