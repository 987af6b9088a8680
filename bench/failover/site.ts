import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { clock, prepareLedger } from '../../lab/commit-ledger';
import type { Network } from '../../lab/hosts/network';
import { until } from '../../lab/hosts/waiting';
import type { Login, PairName } from '../../lab/postgres-pair';
import { accountOf, CLIENTS, readLedger, type Account } from './account';
import { runProgram, type Program } from './program';
import type { WritersPlan } from './writers-program';

/** Two servers, clients beside them, and whoever makes the standby the primary when the primary is lost. */
export interface Site {
  readonly system: string;
  readonly network: Network<PairName>;
  readonly app: Login;
  readonly address: (name: PairName) => string;
  /** Who is the primary when a trial begins. */
  readonly roles: () => { readonly from: PairName; readonly to: PairName };
  /** SQL as the superuser by the local socket. */
  readonly sql: (name: PairName, text: string) => Promise<string>;
  readonly signal: (name: PairName, signal: NodeJS.Signals, which: 'postmaster' | 'all') => void;
  /** Hears when a trial begins and what it is called. */
  readonly note: (text: string) => void;
}

export interface Load {
  /** Resolves when so many commits of this address are acknowledged after now. */
  readonly writes: (by: PairName, count: number, deadlineMs?: number) => Promise<void>;
  /** The first of the two addresses by which so many commits are acknowledged after now. */
  readonly whoWrites: (count: number, deadlineMs?: number) => Promise<PairName>;
  /** Ends the writers, and compares what they were told with what is there. */
  readonly settle: (on: PairName) => Promise<Account & { readonly warned: number; readonly inDoubt: number }>;
  /** When this address acknowledged its first commit to a client after this time. */
  readonly firstAfter: (by: PairName, at: number) => number | undefined;
  readonly stop: () => Promise<void>;
}

const WRITERS = 4;
/** As a pool of an application would; without a pause their logins would be what is measured. */
const AGAIN_MS = 50;
const PROBE_MS = 100;
const memory = existsSync('/dev/shm') ? '/dev/shm' : '/tmp';
const running = new Set<Load>();

/**
 * Clients with both addresses, in a namespace of their own; and from every namespace, the two hosts' own included, a
 * probe at each of the two addresses that writes every 100 ms.
 */
export async function startLoad(site: Site): Promise<Load> {
  const { network, app } = site;
  const { from } = site.roles();
  await prepareLedger(site.address(from), app);
  await site.sql(from, 'truncate public.ledger');
  const folder = mkdtempSync(join(memory, 'selfhost-bench-'));
  const both = [site.address('bruno'), site.address('eva')];
  const places = [network.clients[0] ?? '', network.namespaces.bruno, network.namespaces.eva];
  const programs: { readonly program: Program; readonly file: string; readonly ledgers: readonly string[] }[] = [];
  places.forEach((namespace, place) => {
    const file = join(folder, `plan-${place}`);
    const ledgers = [0, 1, 2].map((group) => join(folder, `ledger-${place}-${group}`));
    const probes = both.map((one, index) => ({
      ...{
        addresses: [one],
        login: app,
        writers: 1,
        file: ledgers[index + 1] ?? '',
        everyMs: PROBE_MS,
        againMs: PROBE_MS,
      },
      name: `probe-${place}-${index}-`,
    }));
    const clients = {
      ...{ addresses: both, login: app, writers: WRITERS, file: ledgers[0] ?? '', name: CLIENTS },
      ...{ everyMs: 2, againMs: AGAIN_MS },
    };
    const plan: WritersPlan = place === 0 ? [clients, ...probes] : probes;
    for (const { file: ledger } of plan) writeFileSync(ledger, '');
    writeFileSync(file, JSON.stringify(plan));
    const program = runProgram('writers-program', file, namespace);
    programs.push({ program, file, ledgers: plan.map((one) => one.file) });
  });
  const files = programs.flatMap(({ ledgers }) => ledgers);
  const told = () => files.flatMap((file) => readLedger(file));
  const clients = files[0] ?? '';
  // The whole file again at each look would take more than the writers do.
  const counted = (by: string, since: number) =>
    readLedger(clients).filter((one) => one.by === by && one.at > since).length;
  const stop = async () => {
    for (const { program } of programs) {
      program.child.kill('SIGCONT');
      program.child.kill('SIGTERM');
    }
    await Promise.all(programs.map(({ program }) => program.ended));
    running.delete(load);
  };
  let settled = false;
  const whoWrites = (wanted: readonly PairName[], count: number, deadlineMs = 60_000) => {
    const since = clock();
    const size = statSync(clients).size;
    return until(`${count} commits are acknowledged by ${wanted.join(' or ')}`, deadlineMs, () => {
      for (const { program } of programs) {
        if (!program.isRunning()) throw new Error(`The writers have ended: ${program.complaint()}`);
      }
      if (statSync(clients).size - size < count * 20) return undefined;
      return wanted.find((by) => counted(site.address(by), since) >= count);
    });
  };
  const load: Load = {
    writes: async (by, count, deadlineMs) => {
      await whoWrites([by], count, deadlineMs);
    },
    whoWrites: (count, deadlineMs) => whoWrites(['bruno', 'eva'], count, deadlineMs),
    firstAfter: (by, at) =>
      told()
        .filter((one) => one.by === site.address(by) && one.at > at)
        .map((one) => one.at)
        .sort((one, other) => one - other)[0],
    settle: async (on) => {
      await stop();
      settled = true;
      const there = new Set((await site.sql(on, 'select id from public.ledger')).split('\n'));
      const other = on === 'bruno' ? 'eva' : 'bruno';
      const account = accountOf(told(), there, { old: site.address(other), now: site.address(on) });
      const ends = programs.map(
        ({ file }) => JSON.parse(readFileSync(`${file}.end`, 'utf8')) as { warned: number; inDoubt: number },
      );
      const sum = (pick: (end: { warned: number; inDoubt: number }) => number) =>
        ends.reduce((total, one) => total + pick(one), 0);
      rmSync(folder, { recursive: true });
      return { ...account, warned: sum(({ warned }) => warned), inDoubt: sum(({ inDoubt }) => inDoubt) };
    },
    stop: async () => {
      if (settled) return;
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  running.add(load);
  await load.writes(from, 100);
  return load;
}

/** Those of trials that failed still write. */
export async function stopLoads(): Promise<void> {
  await Promise.all([...running].map((load) => load.stop()));
}
