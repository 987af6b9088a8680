import type { Asked, Reply } from '../http';
import type { State } from './state';

export function paged(state: State, { query }: Asked, all: readonly unknown[]): Reply {
  const limit = Math.min(Number(query.get('limit') ?? 30) || 30, state.largestPage);
  const page = Math.max(1, Number(query.get('page') ?? 1));
  return {
    status: 200,
    headers: { 'x-total-count': String(all.length) },
    json: all.slice((page - 1) * limit, page * limit),
  };
}
