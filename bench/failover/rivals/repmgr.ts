import { join } from 'node:path';
import { until } from '../../../lab/hosts/waiting';
import type { PairName } from '../../../lab/postgres-pair';
import type { Site } from '../site';
import { startTogether } from '../../../lab/together';
import { awaitStandby, names, siteOf, startMachines, type Machines } from './machines';
import type { Rival } from './patroni';

/** Debian's repmgr with one repmgrd on each host, tuned to a second; asynchronous, as its manual sets it up. */
export async function startRepmgr(note: Site['note']): Promise<Rival> {
  return startTogether(async (together) => start(await startMachines(together), note, together.stop));
}

const MAKE = `
"$1/initdb" -D "$2" -U postgres -E UTF8 --no-locale --no-sync --auth-local=trust --auth-host=scram-sha-256 > /dev/null
`;
const START = '"$1/pg_ctl" -D "$2" -s -w -l "$3" start';
const DAEMON = 'setsid "$1/repmgrd" -f "$2" --daemonize=false --no-pid-file > "$3" 2>&1 < /dev/null &';
const CLONE = `
pid=$(head -n 1 "$3/postmaster.pid" 2>/dev/null || true)
rm -rf -- "$3"
"$1/repmgr" -f "$2" -h "$4" -U repmgr -d repmgr --upstream-node-id "$6" standby clone --force --fast-checkpoint > "$5" 2>&1
`;

async function start(machines: Machines, note: Site['note'], stop: Rival['stop']): Promise<Rival> {
  const { network, app, folder, data, onMachine, programs, sql, write } = machines;
  const address = (name: PairName) => network.hosts[name].address;
  const idOf = (name: PairName) => (name === 'bruno' ? '1' : '2');
  const config = (name: PairName) => join(folder(name), 'repmgr.conf');
  const log = (name: PairName, what: string) => join(folder(name), `${what}.log`);
  for (const name of names) {
    write(name, 'socket.conf', `unix_socket_directories = '${folder(name)}'\n`);
    const own = config(name);
    const text = {
      ...{ node_id: idOf(name), node_name: name, data_directory: data(name), pg_bindir: programs },
      conninfo: `host=${address(name)} user=repmgr dbname=repmgr connect_timeout=1`,
      ...{ failover: 'automatic', monitor_interval_secs: 1, reconnect_attempts: 3, reconnect_interval: 1 },
      ...{ use_replication_slots: 'yes', replication_user: 'repmgr' },
      promote_command: `${programs}/repmgr standby promote -f ${own}`,
      follow_command: `${programs}/repmgr standby follow -f ${own} --upstream-node-id=%n`,
    };
    const lines = Object.entries(text).map(([key, value]) => `${key}='${value}'\n`);
    write(name, 'repmgr.conf', lines.join(''));
  }
  await onMachine('bruno', MAKE, programs, data('bruno'));
  const settings = [
    ...["listen_addresses = '*'", "shared_preload_libraries = 'repmgr'", 'wal_log_hints = on', 'max_wal_senders = 10'],
    ...['dynamic_shared_memory_type = mmap', 'hot_standby = on', "include '../socket.conf'"],
  ].join('\n');
  const access = ['host all repmgr 0.0.0.0/0 trust', 'host replication repmgr 0.0.0.0/0 trust'];
  const rest = 'host all all 0.0.0.0/0 scram-sha-256';
  await onMachine(
    'bruno',
    'printf "%s\\n" "$2" >> "$1/postgresql.conf"; printf "%s\\n" "$3" >> "$1/pg_hba.conf"',
    ...[data('bruno'), settings, [...access, rest].join('\n')],
  );
  await onMachine('bruno', START, programs, data('bruno'), log('bruno', 'server'));
  await sql('bruno', 'create role repmgr superuser login replication');
  await sql('bruno', 'create database repmgr owner repmgr');
  await sql(
    'bruno',
    `create role ${app.user} login password '${app.password}'; grant create on schema public to ${app.user}`,
  );
  const REGISTER = '"$1/repmgr" -f "$2" "$3" register --force > /dev/null 2>&1';
  await onMachine('bruno', REGISTER, programs, config('bruno'), 'primary');
  const follow = async (name: PairName, primary: PairName) => {
    await onMachine(
      name,
      CLONE,
      programs,
      config(name),
      data(name),
      address(primary),
      log(name, 'clone'),
      idOf(primary),
    );
    await onMachine(name, START, programs, data(name), log(name, 'server'));
    await onMachine(name, REGISTER, programs, config(name), 'standby');
    await awaitStandby(machines, primary, "state = 'streaming'");
    await onMachine(name, DAEMON, programs, config(name), log(name, 'repmgrd'));
  };
  await onMachine('bruno', DAEMON, programs, config('bruno'), log('bruno', 'repmgrd'));
  await follow('eva', 'bruno');
  let from: PairName = 'bruno';
  const other = (name: PairName): PairName => (name === 'bruno' ? 'eva' : 'bruno');
  const site = siteOf(machines, 'repmgr', note, () => ({ from, to: other(from) }));
  return {
    site,
    bringBack: async () => {
      // As the runbook of repmgr leaves it to a person: the old one is ended and cloned from the new one.
      await network.heal(from);
      network.hosts[from].thaw();
      await until(`the server of ${from} has ended`, 30_000, () => {
        try {
          site.signal(from, 'SIGKILL', 'all');
          return undefined;
        } catch {
          return true;
        }
      });
      await onMachine(
        from,
        'for one in /proc/[0-9]*; do case $(tr "\\0" " " < "$one/cmdline" 2>/dev/null || :) in *repmgrd\\ *) kill -9 "${one#/proc/}" || :; esac; done',
      );
      from = other(from);
      await follow(other(from), from);
      return 'by hand: cloned';
    },
    stop,
  };
}
