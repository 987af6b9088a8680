import { Failure } from '../failure';
import type { Task } from '../task';
import { type Action, readAction } from './action';
import { entriesOf, type HetznerApi, pathOf, type Side } from './api';
import { awaitActions, type Manner } from './change';
import type { Place, Resource } from './resource';
import type { Path } from '../http/path';

const mostIds = 25;

function actionsPath(side: Side): Path {
  return pathOf(side === 'cloud' ? '/actions' : '/storage_boxes/actions', {});
}

/** What Hetzner says about actions that somebody began: up to 25 of them with one request. */
export async function getActions(
  api: HetznerApi,
  side: Side,
  ids: readonly number[],
  task: Task,
): Promise<readonly Action[]> {
  const wanted = [...new Set(ids)];
  const found: Action[] = [];
  for (let start = 0; start < wanted.length; start += mostIds) {
    const query = { id: wanted.slice(start, start + mostIds) };
    const { body } = await api.request(side, { method: 'GET', path: actionsPath(side), query }, task);
    found.push(...entriesOf(body, 'actions').map(readAction));
  }
  const missing = wanted.find((id) => !found.some((action) => action.id === id));
  if (missing === undefined) return found;
  throw new Failure({
    code: 'not_found',
    subject: `Hetzner action ${missing}`,
    message: `Hetzner does not know an action ${missing} in this project`,
    nextStep: 'Check the id, and that the token belongs to the right project. Old actions are forgotten after a while.',
  });
}

/** What was done to one thing, the newest first. */
export async function listActions(
  api: HetznerApi,
  resource: Resource,
  place: Place,
  { status, limit }: { readonly status?: string; readonly limit?: number },
  task: Task,
): Promise<readonly Action[]> {
  const query = { sort: 'id:desc', status };
  const wanted = { path: pathOf(`${resource.member}/actions`, place), name: 'actions', query, limit, paged: true };
  return (await api.list(resource.side, wanted, task)).map(readAction);
}

export async function followActions(
  api: HetznerApi,
  side: Side,
  ids: readonly number[],
  manner: Pick<Manner, 'wait' | 'timeoutMs'>,
  task: Task,
): Promise<readonly Action[]> {
  return awaitActions(api, { side }, await getActions(api, side, ids, task), manner, task);
}
