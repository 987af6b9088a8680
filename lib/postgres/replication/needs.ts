import { slotOf } from './cluster';
import { isOpen } from './journal';
import { namedPrimaries } from './roles';
import type { MemberStatus, ServerView } from './status';
import type { Topology } from './topology';

/** What has to be done about a member, by whoever keeps the pair. */
export type Need =
  /** A promotion on its host was left in the middle, and is to be finished or given up before anything else. */
  | 'finish'
  /** It was the primary, nobody takes writes now, and a standby that hears of nobody could. */
  | 'failover'
  /** It has fallen behind: it does not follow the primary, or commits do not wait for it although they should. */
  | 'rejoin';

export interface Wish {
  /** Commits are meant to wait for the standby. */
  readonly synchronous: boolean;
}

/** What each member needs, by its name; who is not in it needs nothing, or nothing that anybody but a person may do. */
export function needsOf({ verdict, primary, members }: Topology, wish: Wish): ReadonlyMap<string, Need> {
  // Which of the two is the right one only a person can say.
  if (verdict === 'split brain') return new Map();
  const unfinished = members.filter(({ journal }) => isOpen(journal));
  if (unfinished.length > 0) return all(unfinished, 'finish');
  if (primary === null) return all(lostPrimary(members), 'failover');
  return all(
    members.flatMap((one) => (one.name === primary ? membersBehind(one, members, wish) : [])),
    'rejoin',
  );
}

function all(members: readonly MemberStatus[], need: Need): ReadonlyMap<string, Need> {
  return new Map(members.map(({ name }) => [name, need]));
}

function membersBehind(primary: MemberStatus, members: readonly MemberStatus[], wish: Wish): readonly MemberStatus[] {
  const { server, record } = primary;
  if (server.kind !== 'answers') return [];
  return members.filter((one) => one !== primary && isBehind(one, server, record?.epoch ?? 0, wish));
}

function isBehind(
  { name, host, server, record }: MemberStatus,
  primary: ServerView,
  epoch: number,
  wish: Wish,
): boolean {
  const expected = primary.slots.some((slot) => slot.name === slotOf({ name }));
  // One that was never set up; one that was taken out keeps its record, and no slot.
  if (!host.reached || (record === null && !expected)) return false;
  const missedChange = (record?.epoch ?? 0) < epoch;
  if (server.kind === 'down') return missedChange || expected;
  if (server.kind !== 'answers' || server.role !== 'standby') return false;
  if (missedChange || !expected) return missedChange;
  if (server.receiver === null) return true;
  const seen = primary.standbys.find((standby) => standby.name === name);
  return wish.synchronous && seen?.syncState === 'async' && record?.promotable !== true;
}

/** Nobody, where none waits to take its place, or where a server refuses logins, which it does while it starts. */
function lostPrimary(members: readonly MemberStatus[]): readonly MemberStatus[] {
  const waits = members.some(({ server }) => isStandby(server) && server.receiver === null);
  if (!waits || members.some(({ server }) => server.kind === 'refuses')) return [];
  const named = namedPrimaries(members).flatMap((name) => members.filter((one) => one.name === name));
  // A record may name already who was to become the primary, and is a standby still.
  const lost = named.find(({ server }) => !isStandby(server)) ?? named[0];
  return lost === undefined ? [] : [lost];
}

function isStandby(server: MemberStatus['server']): server is { readonly kind: 'answers' } & ServerView {
  return server.kind === 'answers' && server.role === 'standby';
}
