import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostOf } from '../../../lab/hosts/as-host';
import { startNetwork, type Network } from '../../../lab/hosts/network';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import type { Together } from '../../../lab/together';
import { serverProcesses, signalServer, type Login, type PairName } from '../../../lab/postgres-pair';
import { runCommand } from '../../../lib/host/run';
import { closeSessions } from '../../../lib/host/sessions';
import type { Task } from '../../../lib/task';
import type { Site } from '../site';

/** Two machines for a rival: the same network, clients and ledger as ours have. */
export interface Machines {
  readonly network: Network<PairName>;
  readonly app: Login;
  readonly folder: (name: PairName) => string;
  readonly data: (name: PairName) => string;
  readonly programs: string;
  /** A constant script as PostgreSQL's user on that machine; what it starts lives and dies with the machine. */
  readonly onMachine: (name: PairName, script: string, ...list: readonly string[]) => Promise<string>;
  /** A program of a third machine, which only keeps count. */
  readonly witness: string | undefined;
  readonly sql: Site['sql'];
  readonly write: (name: PairName, file: string, text: string) => string;
}

export const task: Task = { signal: new AbortController().signal, progress: () => undefined, owner: 'bench' };
export const names: readonly PairName[] = ['bruno', 'eva'];
/** Where Debian's packages of the rivals put their extension. */
const PROGRAMS = '/usr/lib/postgresql/15/bin';
const asPostgres = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups', '--'] as const;

export async function startMachines({ ledger, keep }: Pick<Together, 'ledger' | 'keep'>): Promise<Machines> {
  const base = mkdtempSync(join(tmpdir(), 'selfhost-rival-'));
  ledger.add({ kind: 'folder', path: base });
  chmodSync(base, 0o755);
  const network = keep(await startNetwork<PairName>({ hosts: names, clients: ['client', 'witness'] }));
  keep({ stop: closeSessions });
  const { hosts, clients } = network;
  const folder = (name: PairName) => join(base, name);
  for (const name of names) {
    mkdirSync(folder(name), { mode: 0o755 });
    await run(['chown', 'postgres:', folder(name)]);
  }
  const onMachine = async (name: PairName, script: string, ...list: readonly string[]) => {
    // Where PostgreSQL's user may stand.
    const argv = [...asPostgres, 'bash', '-euc', `cd /\n${script}`, 'bash', ...list] as const;
    return (await runCommand(hostOf(hosts[name]), { argv }, { timeoutMs: 120_000 }, task)).stdout;
  };
  const psql = (name: PairName) => [join(PROGRAMS, 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', '-h', folder(name)];
  return {
    ...{ network, folder, onMachine, programs: PROGRAMS, witness: clients[1] },
    app: { user: 'app', password: 'app-of-the-lab', database: 'postgres' },
    data: (name) => join(folder(name), 'data'),
    sql: async (name, text) =>
      (await run([...asPostgres, ...psql(name), '-U', 'postgres', '-d', 'postgres'], { input: text })).trim(),
    write: (name, file, text) => {
      const path = join(folder(name), file);
      writeFileSync(path, text, { mode: 0o644 });
      return path;
    },
  };
}

/** The part of a site that every rival has in common. */
export function siteOf(machines: Machines, system: string, note: Site['note'], roles: Site['roles']): Site {
  const { network, app, sql, data } = machines;
  return {
    ...{ system, network, app, sql, note, roles },
    address: (name) => network.hosts[name].address,
    signal: (name, signal, which) => {
      signalServer(serverProcesses(data(name)), name, signal, which);
    },
  };
}

export async function isPrimary({ sql }: Pick<Machines, 'sql'>, name: PairName): Promise<boolean> {
  return (await sql(name, 'select pg_is_in_recovery()').catch(() => '')) === 'f';
}

export async function awaitStandby(machines: Machines, primary: PairName, condition: string): Promise<void> {
  await until(`a standby streams from ${primary}`, 120_000, async () =>
    (await machines.sql(primary, `select count(*) from pg_stat_replication where ${condition}`).catch(() => '0')) ===
    '1'
      ? true
      : undefined,
  );
}
