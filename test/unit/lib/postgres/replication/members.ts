import type { Cluster, Member } from '../../../../../lib/postgres/replication/cluster';
import type { MemberStatus, ServerView } from '../../../../../lib/postgres/replication/status';

export const cluster: Cluster = {
  name: 'immich',
  members: [] as readonly Member[],
  replication: { user: 'selfhost_replication', password: 'not used here' },
};

export const settings = {
  fsync: 'on',
  full_page_writes: 'on',
  synchronous_commit: 'on',
  wal_log_hints: 'on',
  synchronous_standby_names: 'FIRST 1 ("eva")',
  restore_command_set: 'false',
};

export const view: ServerView = {
  version: 150018,
  systemIdentifier: '7',
  role: 'primary',
  timeline: 1,
  lsn: '0/3000060',
  replayLsn: null,
  replayPaused: false,
  receiver: null,
  standbys: [],
  slots: [],
  archiver: { failed: 0, failing: false, lastArchived: null },
  checksums: false,
  settings,
};

export const eva = {
  name: 'eva',
  address: '10.0.0.2',
  state: 'streaming',
  syncState: 'sync',
  sentLsn: '0/3000060',
  flushLsn: '0/3000060',
  replayLsn: '0/3000060',
  lagBytes: 0,
  lagSeconds: 0,
};

export const receiver = { status: 'streaming', from: '10.0.0.1', flushedLsn: '0/3000060', secondsSinceMessage: 0.1 };

/** A member that answers, with whatever a test wants to be different. */
export function member(name: string, changes: Partial<ServerView>, status: Partial<MemberStatus> = {}): MemberStatus {
  return {
    name,
    host: { reached: true },
    folder: {
      exists: true,
      standby: changes.role === 'standby',
      processes: 7,
      autostart: false,
      state: 'in production',
      timeline: 1,
      checkpointLsn: '0/3000028',
      systemIdentifier: '7',
    },
    server: { kind: 'answers', ...view, ...changes },
    record: null,
    journal: null,
    restore: null,
    ...status,
  };
}
