import { isOpen } from './journal';
import type { MemberStatus, SlotSeen } from './status';
import type { Topology } from './topology';

/** A member in one flat row, as tables and messages want it. */
export interface MemberSummary {
  readonly name: string;
  readonly state: 'primary' | 'standby' | 'refuses' | 'hung' | 'down' | 'unknown' | 'not reached';
  readonly why: string | null;
  readonly version: number | null;
  readonly timeline: number | null;
  readonly lsn: string | null;
  readonly replayLsn: string | null;
  readonly lagBytes: number | null;
  readonly lagSeconds: number | null;
  readonly syncState: string | null;
  readonly receiving: boolean | null;
  readonly replayPaused: boolean | null;
  readonly archiverFailing: boolean | null;
  readonly autostart: boolean | null;
  readonly epoch: number | null;
  readonly recordPrimary: string | null;
  readonly promotable: boolean | null;
  readonly promotion: string | null;
  readonly restore: string | null;
  readonly slots: readonly SlotSeen[];
  readonly settings: Readonly<Record<string, string>>;
}

export function summaryOf({ members }: Topology): readonly MemberSummary[] {
  return members.map((member) => summary(member, members));
}

function summary(member: MemberStatus, all: readonly MemberStatus[]): MemberSummary {
  const { name, host, server, folder, record, journal, restore } = member;
  const view = server.kind === 'answers' ? server : undefined;
  const seen = all
    .flatMap((one) => (one.server.kind === 'answers' && one.server.role === 'primary' ? one.server.standbys : []))
    .find((one) => one.name === name);
  return {
    name,
    state: !host.reached ? 'not reached' : (view?.role ?? (server.kind === 'answers' ? 'unknown' : server.kind)),
    why: !host.reached ? host.why : server.kind === 'refuses' ? server.why : null,
    version: view?.version ?? null,
    timeline: view?.timeline ?? folder?.timeline ?? null,
    lsn: view?.lsn ?? null,
    replayLsn: view?.replayLsn ?? null,
    lagBytes: seen?.lagBytes ?? null,
    lagSeconds: seen?.lagSeconds ?? null,
    syncState: seen?.syncState ?? null,
    receiving: view?.role === 'standby' ? view.receiver !== null : null,
    replayPaused: view?.role === 'standby' ? view.replayPaused : null,
    archiverFailing: view?.archiver.failing ?? null,
    autostart: folder?.autostart ?? null,
    epoch: record?.epoch ?? null,
    recordPrimary: record?.primary ?? null,
    promotable: record?.promotable ?? null,
    promotion: isOpen(journal) ? `${journal.kind} from ${journal.from} to ${journal.to}: ${journal.step}` : null,
    restore: restore === null ? null : `${restore.target}: ${restore.step} at ${restore.at}`,
    slots: view?.slots ?? [],
    settings: view?.settings ?? {},
  };
}
