import { slotOf, type Cluster } from '../cluster';
import type { ServerView } from '../status';
import type { Topology } from '../topology';
import type { Incident } from './event';

export interface Limits {
  readonly lagBytes: number;
  readonly slotBytes: number;
  /** Commits are meant to wait for a standby. */
  readonly synchronous: boolean;
}

export type Sign = Pick<Incident, 'key' | 'kind' | 'member' | 'text'>;

/** What is wrong with a cluster whose primary answers, or that seems to have two. */
export function signsOf(cluster: Cluster, topology: Topology, limits: Limits): readonly Sign[] {
  const torn = topology.reasons.filter(({ verdict }) => verdict === 'split brain');
  const signs: Sign[] = torn.map(({ member, text }) => ({
    ...{ key: `splitBrainSuspected/${member}`, kind: 'splitBrainSuspected', member, text },
  }));
  const primary = topology.members.find(({ name }) => name === topology.primary);
  if (primary === undefined || primary.server.kind !== 'answers') return signs;
  const view = primary.server;
  const say = (kind: Sign['kind'], member: string, text: string) => {
    signs.push({ key: `${kind}/${member}`, kind, member, text });
  };
  for (const member of cluster.members) {
    if (member.name === primary.name) continue;
    const seen = view.standbys.find(({ name }) => name === member.name);
    if (seen?.state !== 'streaming') {
      say(
        'replicaLost',
        member.name,
        `${member.name} does not stream from ${primary.name} (${seen?.state ?? 'absent'})`,
      );
    } else if ((seen.lagBytes ?? 0) > limits.lagBytes) {
      say('lagAbove', member.name, `${member.name} is ${seen.lagBytes ?? 0} bytes behind ${primary.name}`);
    }
    const slot = view.slots.find(({ name }) => name === slotOf(member));
    if (slot?.walStatus === 'lost') {
      say('slotGrowing', member.name, `the slot of ${member.name} has lost WAL that it still needs: rebuild it`);
    } else if ((slot?.retainedBytes ?? 0) > limits.slotBytes) {
      say(
        'slotGrowing',
        member.name,
        `the slot of ${member.name} keeps ${slot?.retainedBytes ?? 0} bytes on ${primary.name}`,
      );
    }
  }
  if (limits.synchronous) {
    const why = whyNotSynchronous(view, topology, primary.name);
    if (why !== undefined) say('syncDegraded', primary.name, why);
  }
  if (view.archiver.failing) say('archiverFailing', primary.name, `archiving fails on ${primary.name}`);
  return signs;
}

function whyNotSynchronous(view: ServerView, topology: Topology, primary: string): string | undefined {
  if ((view.settings.synchronous_standby_names ?? '') === '') return `commits of ${primary} wait for nobody`;
  if (!view.standbys.some(({ syncState }) => syncState === 'sync' || syncState === 'quorum')) {
    return `commits of ${primary} wait for a standby that is not there`;
  }
  const promised = topology.members.some(({ record }) => record?.promotable === true && record.primary === primary);
  return promised ? undefined : `no standby of ${primary} holds the promise that it has every acknowledged commit`;
}

/** For whom commits wait, by their names. */
export function syncsetOf(view: ServerView): readonly string[] {
  return view.standbys
    .filter(({ syncState }) => syncState === 'sync' || syncState === 'quorum')
    .map(({ name }) => name);
}
