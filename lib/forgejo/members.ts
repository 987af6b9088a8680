import type { Task } from '../task';
import type { ForgejoApi } from './api';
import type { Kind } from './kind';
import { teamMembers } from './kinds/people';
import { repositories } from './kinds/repository';
import { findFound, type Names, send } from './things';

/** Who, or what, belongs to a team. */
export type Membership =
  | { readonly kind: 'user'; readonly team: number; readonly user: string }
  | { readonly kind: 'repository'; readonly team: number; readonly owner: string; readonly repo: string };

const server = { path: '', at: {} } as const;

function placeOf(wanted: Membership): { readonly kind: Kind; readonly names: Names } {
  if (wanted.kind === 'user') return { kind: teamMembers, names: { id: wanted.team, username: wanted.user } };
  const kind: Kind = { ...repositories, member: '/teams/{id}/repos/{org}/{repo}' };
  return { kind, names: { id: wanted.team, org: wanted.owner, repo: wanted.repo } };
}

export async function ensureMember(api: ForgejoApi, wanted: Membership, dryRun: boolean, task: Task) {
  const { kind, names } = placeOf(wanted);
  const before = (await findFound(api, kind, server, names, task))?.item ?? null;
  if (before !== null || dryRun) return { changed: before === null, dryRun, before, after: before };
  await send(api, 'PUT', server, kind.member, names, () => undefined, task);
  const after = (await findFound(api, kind, server, names, task))?.item ?? null;
  return { changed: true, dryRun, before, after };
}

export async function removeMember(api: ForgejoApi, wanted: Membership, dryRun: boolean, task: Task) {
  const { kind, names } = placeOf(wanted);
  const before = (await findFound(api, kind, server, names, task))?.item ?? null;
  if (before !== null && !dryRun) await send(api, 'DELETE', server, kind.member, names, () => undefined, task);
  return { changed: before !== null, dryRun, before, after: null };
}
