import type { Task } from '../../task';
import type { Cluster, Member } from './cluster';
import { runOnMember } from './member-script';

// Waits for no standby: whether commits do is another question, and this one is asked to be answered at any time.
const BEAT = `
sql -v writer="$1" -v epoch="$2" <<'SQL'
set client_min_messages = error;
set statement_timeout = '5s';
set synchronous_commit = local;
select pg_is_in_recovery() as standby \\gset
\\if :standby
  \\echo standby
\\else
create schema if not exists selfhost;
create table if not exists selfhost.heartbeat (
  writer text primary key, at timestamptz not null, epoch bigint not null, beats bigint not null);
insert into selfhost.heartbeat values (:'writer', clock_timestamp(), :epoch, 1)
on conflict (writer) do update set at = excluded.at, epoch = excluded.epoch, beats = selfhost.heartbeat.beats + 1;
\\echo beaten
\\endif
SQL
`;

/**
 * Writes that somebody was here, so that an idle standby hears something, and a restored backup can be asked up to when
 * it goes. False at a standby.
 */
export async function beat(
  cluster: Cluster,
  member: Member,
  { writer, epoch }: { readonly writer: string; readonly epoch: number },
  task: Task,
): Promise<boolean> {
  const ask = { script: BEAT, arguments: [writer, String(epoch)], timeoutMs: 15_000 };
  return (await runOnMember(cluster, member, ask, task)).stdout.includes('beaten');
}
