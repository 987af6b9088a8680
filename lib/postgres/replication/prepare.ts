import { Failure } from '../../failure';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { describeMember, type Cluster, type Member } from './cluster';
import { runOnMember } from './member-script';
import { isVerifierOf, scramVerifier } from './scram';
import { STANDBY_FOLDER } from './standby-folder';

/** What a primary needs before anybody can read from it. Both members get it, so that either can be the primary. */
export interface PrimaryNeeds {
  /** How much old WAL is kept for standbys beside their slots. */
  readonly walKeepMegabytes: number;
  /** How much WAL a slot may keep before it is given up, so that a lost standby does not fill the disk. */
  readonly slotKeepMegabytes: number;
}

export const PRIMARY_NEEDS: PrimaryNeeds = { walKeepMegabytes: 1024, slotKeepMegabytes: 16_384 };

interface Setting {
  readonly name: string;
  readonly was: string;
  readonly value: string;
  readonly restart: boolean;
}

export interface Preparation {
  readonly settings: readonly Setting[];
  readonly role: 'keep' | 'create' | 'correct';
  readonly accessFile: { readonly path: string; readonly block: string; readonly change: boolean };
  readonly restart: boolean;
  /** One line for each thing that would be changed. */
  readonly lines: readonly string[];
}

const FACTS_SQL = `
select json_build_object(
  'hbaFile', current_setting('hba_file'),
  'checksums', current_setting('data_checksums') = 'on',
  'settings', (select json_object_agg(name, json_build_object('value', setting, 'restart', context = 'postmaster'))
    from pg_settings where name in ('wal_level', 'max_wal_senders', 'max_replication_slots', 'wal_keep_size',
      'max_slot_wal_keep_size', 'wal_log_hints', 'hot_standby', 'listen_addresses')),
  'pending', (select coalesce(json_agg(name), '[]') from pg_settings where pending_restart),
  'role', (select json_build_object('verifier', rolpassword, 'usable', rolcanlogin and rolreplication)
    from pg_authid where rolname = :'login'),
  'granted', (select case when exists (select from pg_roles where rolname = :'login') then
    has_function_privilege(:'login', 'pg_ls_dir(text, boolean, boolean)', 'execute') and
    has_function_privilege(:'login', 'pg_stat_file(text, boolean)', 'execute') and
    has_function_privilege(:'login', 'pg_read_binary_file(text)', 'execute') and
    has_function_privilege(:'login', 'pg_read_binary_file(text, bigint, bigint, boolean)', 'execute') else false end)
);
`;

const READ_FACTS = `
answer=$(sql -v login="$1")
printf 'facts %s\\n' "$answer"
hba=$(printf '%s' "$answer" | sed -n 's/.*"hbaFile" : "\\([^"]*\\)".*/\\1/p')
host_path "$hba"
hba=$REPLY
[ -f "$hba" ] || stop_with access_file_missing "its pg_hba.conf ($hba) is not there"
sed 's/^/hba /' "$hba"
`;

/** Looks what has to change on a primary, and changes nothing. */
export async function planPreparation(
  cluster: Cluster,
  member: Member,
  needs: PrimaryNeeds,
  task: Task,
): Promise<Preparation> {
  const { stdout } = await runOnMember(
    cluster,
    member,
    { script: READ_FACTS, arguments: [cluster.replication.user], input: FACTS_SQL },
    task,
  );
  const lines = stdout.split('\n');
  const facts: unknown = JSON.parse(lines.find((line) => line.startsWith('facts '))?.slice(6) ?? 'null');
  if (!isObject(facts) || !isObject(facts.settings) || typeof facts.hbaFile !== 'string') {
    throw new Failure({
      code: 'status_unreadable',
      subject: describeMember(cluster, member),
      message: `${describeMember(cluster, member)} gave an answer about its settings that is not understood`,
      nextStep: 'Update the pack; if this is the newest, report it.',
    });
  }
  const access = lines.filter((line) => line.startsWith('hba ')).map((line) => line.slice(4));
  const settings = settingsToChange(cluster, facts.settings, facts.checksums === true, needs);
  const role = await roleChange(cluster, facts.role, facts.granted === true);
  const block = accessBlock(cluster);
  const change = !`\n${access.join('\n')}\n`.includes(`\n${block}\n`);
  const pending = Array.isArray(facts.pending) ? facts.pending.filter((name) => typeof name === 'string') : [];
  const awaited = pending.filter((name) => name in (facts.settings as object));
  const restart = settings.some((one) => one.restart) || awaited.length > 0;
  return {
    settings,
    role,
    accessFile: { path: facts.hbaFile, block, change },
    restart,
    lines: [
      ...settings.map(({ name, was, value }) => `${name}: ${was} -> ${value}`),
      ...(role === 'keep' ? [] : [`role ${cluster.replication.user}: ${role}`]),
      ...(change ? block.split('\n').map((line) => `${String(facts.hbaFile)}: ${line}`) : []),
      ...(restart ? [`restart of PostgreSQL on ${member.name}`] : []),
    ],
  };
}

function settingsToChange(
  cluster: Cluster,
  found: Record<string, unknown>,
  checksums: boolean,
  needs: PrimaryNeeds,
): Setting[] {
  const now = (name: string): { value: string; restart: boolean } => {
    const one = found[name];
    return isObject(one) ? { value: String(one.value), restart: one.restart === true } : { value: '', restart: false };
  };
  const wanted: (readonly [string, string])[] = [];
  const atLeast = (name: string, least: number) => {
    if (Number(now(name).value) < least) wanted.push([name, String(least)]);
  };
  if (!['replica', 'logical'].includes(now('wal_level').value)) wanted.push(['wal_level', 'replica']);
  atLeast('max_wal_senders', 2 * cluster.members.length);
  atLeast('max_replication_slots', 2 * cluster.members.length);
  atLeast('wal_keep_size', needs.walKeepMegabytes);
  if (now('max_slot_wal_keep_size').value === '-1') {
    wanted.push(['max_slot_wal_keep_size', String(needs.slotKeepMegabytes)]);
  }
  // pg_rewind needs one of the two, and an old primary that cannot be rewound has to be copied whole.
  if (!checksums && now('wal_log_hints').value !== 'on') wanted.push(['wal_log_hints', 'on']);
  if (now('hot_standby').value !== 'on') wanted.push(['hot_standby', 'on']);
  const heard = now('listen_addresses')
    .value.split(',')
    .map((one) => one.trim());
  if (!heard.some((one) => ['*', '0.0.0.0', '::'].includes(one))) {
    // Every member starts from a copy of these files, so no single address would do.
    wanted.push(['listen_addresses', '*']);
  }
  return wanted.map(([name, value]) => ({ name, value, was: now(name).value, restart: now(name).restart }));
}

async function roleChange(cluster: Cluster, role: unknown, granted: boolean): Promise<Preparation['role']> {
  if (!isObject(role)) return 'create';
  const known = typeof role.verifier === 'string' && (await isVerifierOf(cluster.replication.password, role.verifier));
  return known && granted && role.usable === true ? 'keep' : 'correct';
}

function markOf(cluster: Cluster): string {
  return `selfhost replication of ${cluster.name.replace(/[\r\n]/g, ' ')}`;
}

/** The lines that let the other members in, and nobody else. */
function accessBlock(cluster: Cluster): string {
  const { user } = cluster.replication;
  // Also its own address: the file is copied to the others, where that is the one to let in.
  const lines = cluster.members.flatMap(({ address }) => {
    const range = address.includes(':') ? `${address}/128` : /^[\d.]+$/.test(address) ? `${address}/32` : address;
    return ['replication', 'postgres'].map((database) => `host ${database} ${user} ${range} scram-sha-256`);
  });
  return [`# ${markOf(cluster)}: begin`, ...lines, `# ${markOf(cluster)}: end`].join('\n');
}

const APPLY_SETTINGS = `
while (($# > 0)); do
  sql -v name="$1" -v value="$2" <<'SQL'
alter system set :"name" = :'value';
SQL
  shift 2
done
sql <<'SQL'
select pg_reload_conf();
SQL
`;

// The verifier comes by a descriptor: it is in no statement that could be logged, and in no process list.
const APPLY_ROLE = `
secret=3 sql -v login="$1" 3<&0 <<'SQL'
set log_statement = 'none'; set log_min_duration_statement = -1; set log_min_error_statement = 'panic';
set synchronous_commit = local;
\\set verifier \`cat <&3\`
select format('create role %I', :'login') where not exists (select from pg_roles where rolname = :'login') \\gexec
alter role :"login" login replication password :'verifier';
grant execute on function pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),
  pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) to :"login";
SQL
`;

const APPLY_ACCESS = `${STANDBY_FOLDER}
host_path "$1"
path=$REPLY begin=$2 end=$3 block=$4
mode=$(stat -c %a -- "$path")
before=$(cat -- "$path"; echo .)
rest=$(printf '%s' "\${before%.}" | awk -v begin="$begin" -v end="$end" '
  $0 == begin { skip = 1 } !skip { print } $0 == end { skip = 0 }'; echo .)
# The first line that fits decides, so ours come first: they are about one login and these addresses only.
{ printf '%s\\n' "$block"; printf '%s' "\${rest%.}"; } | owned_file "$path" "$mode"
broken=$(sql <<'SQL'
select 'line ' || line_number || ': ' || error from pg_hba_file_rules where error is not null limit 1;
SQL
)
if [ -n "$broken" ]; then
  printf '%s' "\${before%.}" | owned_file "$path" "$mode"
  stop_with access_file_broken "its pg_hba.conf would not be understood ($broken); it was left as it was"
fi
sql <<'SQL'
select pg_reload_conf();
SQL
`;

const RESTART = `
stop_server_cleanly 120 || stop_with server_not_stopped "PostgreSQL of $self did not stop within 120 s"
start_server
`;

/** Makes a primary ready. What is right already is left alone. */
export async function applyPreparation(
  cluster: Cluster,
  member: Member,
  plan: Preparation,
  { allowRestart }: { readonly allowRestart: boolean },
  task: Task,
): Promise<void> {
  if (plan.restart && !allowRestart) {
    throw new Failure({
      code: 'restart_needed',
      subject: describeMember(cluster, member),
      message: `${describeMember(cluster, member)} has to be restarted before it can be replicated; nothing was changed`,
      nextStep: 'Allow the restart (clients are cut off for some seconds), at a time that suits.',
      details: { changes: plan.lines },
    });
  }
  const run = (script: string, list: readonly string[], input?: string) =>
    runOnMember(cluster, member, { script, arguments: list, input, timeoutMs: 300_000 }, task);
  if (plan.settings.length > 0) {
    await run(
      APPLY_SETTINGS,
      plan.settings.flatMap(({ name, value }) => [name, value]),
    );
  }
  if (plan.role !== 'keep') {
    await run(APPLY_ROLE, [cluster.replication.user], await scramVerifier(cluster.replication.password));
  }
  const { path, block, change } = plan.accessFile;
  if (change) await run(APPLY_ACCESS, [path, `# ${markOf(cluster)}: begin`, `# ${markOf(cluster)}: end`, block]);
  if (plan.restart) {
    task.progress({ message: `Restarting ${describeMember(cluster, member)}` });
    await run(RESTART, []);
  }
}
