import type { Task } from '../../task';
import type { Cluster } from './cluster';
import { isOpen } from './journal';
import { readStatus, type MemberStatus, type StatusOptions } from './status';

export type Verdict = 'healthy' | 'degraded' | 'at risk' | 'down' | 'split brain';

export interface Reason {
  readonly verdict: Exclude<Verdict, 'healthy'>;
  readonly member: string;
  readonly text: string;
}

export interface Topology {
  readonly cluster: string;
  readonly verdict: Verdict;
  readonly reasons: readonly Reason[];
  /** The one member that takes writes, where there is exactly one. */
  readonly primary: string | null;
  readonly members: readonly MemberStatus[];
}

const ORDER: readonly Verdict[] = ['healthy', 'degraded', 'at risk', 'down', 'split brain'];

/** How much WAL a slot may keep back before somebody should look. */
const SLOT_BYTES = 4 * 1024 ** 3;
const LAG_BYTES = 64 * 1024 ** 2;

/** Looks at every member from its own view, all at once. */
export async function readTopology(cluster: Cluster, options: StatusOptions, task: Task): Promise<Topology> {
  const members = await Promise.all(cluster.members.map((member) => readStatus(cluster, member, options, task)));
  return judge(cluster, members);
}

/** One verdict, the worst of its reasons. */
export function judge(cluster: Cluster, members: readonly MemberStatus[]): Topology {
  const primaries = members.filter(isPrimary);
  const reasons = [
    ...aboutPrimaries(cluster, members, primaries),
    ...members.flatMap((one) => aboutMember(one, primaries)),
  ];
  const worst = Math.max(0, ...reasons.map(({ verdict }) => ORDER.indexOf(verdict)));
  return {
    cluster: cluster.name,
    verdict: ORDER[worst] ?? 'healthy',
    reasons: [...reasons].sort((a, b) => ORDER.indexOf(b.verdict) - ORDER.indexOf(a.verdict)),
    primary: primaries.length === 1 ? (primaries[0]?.name ?? null) : null,
    members,
  };
}

type Answering = MemberStatus & { readonly server: { readonly kind: 'answers' } };

function isPrimary(status: MemberStatus): status is Answering {
  return status.server.kind === 'answers' && status.server.role === 'primary';
}

function aboutPrimaries(cluster: Cluster, members: readonly MemberStatus[], primaries: readonly Answering[]): Reason[] {
  const [first] = primaries;
  if (first === undefined) {
    const unseen = members.some(({ host, server }) => !host.reached || server.kind === 'hung');
    const text = unseen ? 'no member that could be asked is a primary' : 'no member is a primary';
    return [{ verdict: 'down', member: cluster.name, text }];
  }
  if (primaries.length === 1) return [];
  return primaries.map(({ name, server }) => ({
    verdict: 'split brain',
    member: name,
    text: `it is one of ${primaries.length} primaries, on timeline ${server.timeline}`,
  }));
}

function aboutMember(status: MemberStatus, primaries: readonly Answering[]): Reason[] {
  const { name, host, server, folder, journal, record, restore } = status;
  const reasons: Reason[] = [];
  const say = (verdict: Reason['verdict'], text: string) => {
    reasons.push({ verdict, member: name, text });
  };
  if (isOpen(journal)) {
    say('at risk', `a ${journal.kind} from ${journal.from} to ${journal.to} was left at the step "${journal.step}"`);
  }
  if (!host.reached) {
    say('at risk', `its host could not be asked: ${host.why}`);
    return reasons;
  }
  const primary = primaries.length === 1 ? primaries[0] : undefined;
  // Once it takes writes nobody waits for it any more, whatever is left to tidy up.
  if (restore !== null && !(server.kind === 'answers' && server.role === 'primary')) {
    say('at risk', `a restore (${restore.target}) over it goes on, or was cut off: ${restore.step} at ${restore.at}`);
  }
  switch (server.kind) {
    case 'unknown':
      say('at risk', 'its server could not be asked');
      return reasons;
    case 'hung':
      say('at risk', 'its server runs and answers no login');
      return reasons;
    case 'refuses':
      say('at risk', `its server refuses the login: ${server.why}`);
      return reasons;
    case 'down':
      say('degraded', folder?.exists === true ? 'its server is stopped' : 'it has no data folder yet');
      if (folder?.exists === true && !folder.standby && primary !== undefined) {
        if (folder.autostart) say('at risk', 'it was a primary, and a reboot would start it as one again');
      }
      return reasons;
    case 'answers':
      break;
  }
  if (server.role === 'standby') {
    if (server.receiver === null) say('at risk', 'it receives nothing from a primary');
    if (server.replayPaused) say('at risk', 'its replay is paused, so it could not be promoted');
    if (server.settings.restore_command_set === 'true') {
      say('degraded', 'its restore_command can hold up a promotion for as long as one call of it takes');
    }
    if (primary !== undefined) {
      if (server.systemIdentifier !== primary.server.systemIdentifier) say('at risk', 'it is a copy of another system');
      else if (server.timeline !== primary.server.timeline) {
        say('at risk', `it is on timeline ${server.timeline}, and the primary is on ${primary.server.timeline}`);
      }
    }
    return reasons;
  }
  if (record !== null && record.primary !== '' && record.primary !== name) {
    say('split brain', `it takes writes, although in epoch ${record.epoch} ${record.primary} is the primary`);
  }
  const { settings, standbys, slots, archiver } = server;
  for (const [setting, weak] of [
    ['fsync', 'off'],
    ['full_page_writes', 'off'],
    ['synchronous_commit', 'off'],
  ] as const) {
    if (settings[setting] === weak) say('at risk', `${setting} is ${weak}, so a crash can lose what was acknowledged`);
  }
  if (!server.checksums && settings.wal_log_hints !== 'on') {
    say('degraded', 'neither checksums nor wal_log_hints are on, so it could not be rewound after a failover');
  }
  if (archiver.failing) say('at risk', 'its archiver fails');
  const streaming = standbys.filter(({ state }) => state === 'streaming');
  if (streaming.length === 0) say('at risk', 'no standby streams from it');
  else if ((settings.synchronous_standby_names ?? '') === '') {
    say('degraded', 'it acknowledges commits that no standby has (synchronous_standby_names is empty)');
  }
  if (
    (settings.synchronous_standby_names ?? '') !== '' &&
    !standbys.some(({ syncState }) => syncState === 'sync' || syncState === 'quorum')
  ) {
    say('down', 'its commits wait for a standby that is not there');
  }
  for (const standby of streaming) {
    if ((standby.lagBytes ?? 0) > LAG_BYTES)
      say('degraded', `${standby.name} is ${standby.lagBytes ?? 0} bytes behind`);
  }
  for (const slot of slots) {
    if (slot.walStatus === 'lost') say('at risk', `slot ${slot.name} has lost WAL that its standby still needs`);
    else if (!slot.active && (slot.retainedBytes ?? 0) > SLOT_BYTES) {
      say('at risk', `slot ${slot.name} is not in use and keeps ${slot.retainedBytes ?? 0} bytes of WAL`);
    }
  }
  return reasons;
}
