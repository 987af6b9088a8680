import type { Asked, Reply, Route } from '../http';
import { deliver } from './deliver';
import { userOf } from './access';
import { paged } from './paged';
import { notFound } from './refusal';
import { shownUser } from './shown';
import type { Package, State } from './state';

export function packageRoutes(state: State): readonly Route[] {
  const one = '/api/v1/packages/{owner}/{type}/{name}/{version}';
  return [
    {
      method: 'GET',
      template: '/api/v1/packages/{owner}',
      handle: (asked) => {
        const type = asked.query.get('type');
        const q = (asked.query.get('q') ?? '').toLowerCase();
        const owned = state.packages
          .filter(({ owner }) => owner.toLowerCase() === (asked.params['owner'] ?? '').toLowerCase())
          .filter((found) => (type === null || found.type === type) && found.name.toLowerCase().includes(q))
          .sort((a, b) => b.created.localeCompare(a.created) || b.id - a.id);
        return paged(
          state,
          asked,
          owned.map((found) => shown(state, found)),
        );
      },
    },
    { method: 'GET', template: one, handle: (asked) => ({ status: 200, json: shown(state, find(state, asked)) }) },
    {
      method: 'GET',
      template: `${one}/files`,
      handle: (asked) => ({
        status: 200,
        json: find(state, asked).files.map(({ name, size, sha256 }, id) => ({ id: id + 1, name, Size: size, sha256 })),
      }),
    },
    {
      method: 'DELETE',
      template: one,
      handle: async (asked): Promise<Reply> => {
        const found = find(state, asked);
        state.packages.splice(state.packages.indexOf(found), 1);
        const sender = shownUser(state, userOf(state, asked)?.login ?? found.owner);
        const payload = {
          action: 'deleted',
          repository: null,
          package: shown(state, found),
          organization: null,
          sender,
        };
        // The aggregated name of this one event is empty.
        await deliver(state, { type: 'package', header: '', repository: undefined, owner: found.owner, payload });
        return { status: 204 };
      },
    },
  ];
}

function find(state: State, { params }: Asked): Package {
  const found = state.packages.find(
    ({ owner, type, name, version }) =>
      owner === params['owner'] && type === params['type'] && name === params['name'] && version === params['version'],
  );
  if (found === undefined) throw notFound();
  return found;
}

function shown(state: State, { id, owner, type, name, version, created }: Package): Record<string, unknown> {
  return {
    id,
    owner: shownUser(state, owner),
    repository: null,
    creator: shownUser(state, owner),
    type,
    name,
    version,
    created_at: created,
    html_url: `${state.url()}/${owner}/-/packages/${type}/${name}/${encodeURIComponent(version)}`,
  };
}
