import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { archiveToNowhere } from '../../lab/archive-nowhere';
import { prepareLedger } from '../../lab/commit-ledger';
import { startDockerPair } from '../../lab/docker-pair';
import { until } from '../../lab/hosts/waiting';
import { startPostgresPair, type PairName, type PostgresPair } from '../../lab/postgres-pair';
import { isObject } from '../../lib/json';
import { rejoin, type RejoinResult } from '../../lib/postgres/replication/rejoin';
import { setUpReplication } from '../../lib/postgres/replication/set-up';
import { readTopology } from '../../lib/postgres/replication/topology';
import type { Task } from '../../lib/task';
import type { OrchestratorPlan, Said } from './orchestrator-program';
import { runProgram, type Program } from './program';
import type { Site } from './site';

export interface Orchestrator {
  readonly said: () => readonly Said[];
  readonly program: Program;
  /** A file that it waits for: the power is off, the cable is out. */
  readonly tell: (what: 'off' | 'go') => void;
  readonly folder: string;
  readonly stop: () => Promise<void>;
}

export interface Ours extends Site {
  readonly pair: PostgresPair;
  readonly task: Task;
  /** The watch and the failover in a process of their own, ready. `after` begins with what another one had kept. */
  readonly orchestrate: (
    options: Partial<Pick<OrchestratorPlan, 'commitFence' | 'powerOff' | 'trouble'>>,
    after?: Orchestrator,
  ) => Promise<Orchestrator>;
  /** The old primary comes back by itself, and the pair is healthy with changed roles. */
  readonly bringBack: () => Promise<RejoinResult>;
  /** What is wrong with the pair, apart from the repository that nobody reaches. */
  readonly healthy: () => Promise<string | undefined>;
  /** Who is the primary has changed without a failover. */
  readonly changed: () => void;
  readonly stop: () => Promise<void>;
}

export async function startOurs(kind: 'plain' | 'docker', note: (text: string) => void): Promise<Ours> {
  // A restore_command that hangs for a while and then fails, as with a repository that is out of reach.
  // Small segments: a rewind copies every one of them whole, and here a change of roles is never far.
  const settings = { restore_command: 'sleep 3; exit 1', min_wal_size: '4MB', max_wal_size: '64MB' };
  const more = { clients: ['client'], initdb: ['--wal-segsize=1'] };
  const pair =
    kind === 'plain'
      ? await startPostgresPair(settings, 'plain', more)
      : await startDockerPair({}, undefined, ['client']);
  const task: Task = { signal: new AbortController().signal, progress: () => undefined, owner: 'bench' };
  const orchestrators = new Set<Orchestrator>();
  const stop = async () => {
    for (const one of orchestrators) await one.stop();
    await pair.stop();
  };
  let from: PairName = 'bruno';
  const healthy = async () => {
    const { primary, reasons } = await readTopology(pair.cluster, {}, task);
    const wrong = reasons.filter(({ text }) => text !== 'its archiver fails');
    if (wrong.length === 0 && primary === from) return undefined;
    return `Not healthy: ${String(primary)} is the primary, ${JSON.stringify(wrong)}`;
  };
  const other = (name: PairName): PairName => (name === 'bruno' ? 'eva' : 'bruno');
  try {
    const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
    await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, task);
    if (kind === 'plain') await archiveToNowhere(pair);
    // A gigabyte of old WAL is copied by each rewind, and minutes of trials write months of it.
    for (const name of ['bruno', 'eva'] as const) {
      await pair.sql(name, "alter system set wal_keep_size = '8MB'; select pg_reload_conf()");
    }
    await prepareLedger(pair.member('bruno').address, pair.app);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    system: kind === 'plain' ? 'ours' : 'ours, in containers',
    ...{ pair, task, note, stop, healthy, app: pair.app, network: pair.network },
    address: (name) => pair.member(name).address,
    roles: () => ({ from, to: other(from) }),
    sql: pair.sql,
    signal: pair.signal,
    changed: () => {
      from = other(from);
    },
    orchestrate: async (options, after) => {
      const folder = mkdtempSync(join(tmpdir(), 'selfhost-orchestrator-'));
      const plan: OrchestratorPlan = {
        ...{ cluster: pair.cluster, app: pair.app, commitFence: false, powerOff: false },
        ...options,
      };
      writeFileSync(join(folder, 'plan.json'), JSON.stringify(plan), { mode: 0o600 });
      const kept = after === undefined ? '' : join(after.folder, 'state.json');
      if (existsSync(kept)) writeFileSync(join(folder, 'state.json'), readFileSync(kept));
      const program = runProgram('orchestrator-program', folder);
      const file = join(folder, 'said');
      const said = () => (existsSync(file) ? parseSaid(readFileSync(file, 'utf8')) : []);
      const orchestrator: Orchestrator = {
        ...{ program, said, folder },
        tell: (what) => {
          writeFileSync(join(folder, what), '');
        },
        stop: async () => {
          program.child.kill('SIGCONT');
          program.child.kill('SIGKILL');
          await program.ended;
          orchestrators.delete(orchestrator);
          rmSync(folder, { recursive: true, force: true });
        },
      };
      orchestrators.add(orchestrator);
      if (after === undefined) await awaitQuiet(orchestrator, from);
      return orchestrator;
    },
    bringBack: async () => {
      const wish = { primary: pair.member(other(from)), standby: pair.member(from) };
      if (kind === 'plain') forgetWaiting(wish.primary.dataFolder);
      const outcome = await rejoin(pair.cluster, { ...wish, synchronous: true, allowCopy: true }, task);
      from = other(from);
      const wrong = await healthy();
      if (wrong !== undefined) throw new Error(`After the rejoin: ${wrong}`);
      return outcome;
    },
  };
}

/** The watch knows who is the primary, that the standby may be promoted, and of nothing that is wrong. */
export async function awaitQuiet(orchestrator: Orchestrator, primary: PairName): Promise<void> {
  const seen = () => orchestrator.said().findLast((said) => said.kind === 'state');
  await until(`the watch is quiet with ${primary}`, 60_000, () => {
    if (!orchestrator.program.isRunning()) {
      throw new Error(`The orchestrator has ended: ${orchestrator.program.complaint()}`);
    }
    const state = seen();
    const value = state?.kind === 'state' ? state.value : undefined;
    if (!isObject(value) || value.primary !== primary || value.promotable !== true) return undefined;
    const open = Array.isArray(value.incidents) ? value.incidents.filter(isObject) : [];
    // Whatever else it says is over a moment later.
    return open.some(({ kind }) => kind === 'primaryLost' || kind === 'primaryHung') ? undefined : true;
  }).catch((error: unknown) => {
    const last = orchestrator.said().slice(-3);
    throw new Error(`${String(error)}: ${JSON.stringify(seen())}, ${JSON.stringify(last)}`, { cause: error });
  });
}

/** As if the repository had been there between two trials: WAL that waits for it is never recycled. */
function forgetWaiting(dataFolder: string): void {
  const folder = join(dataFolder, 'pg_wal', 'archive_status');
  const waiting = readdirSync(folder).filter((name) => name.endsWith('.ready'));
  for (const name of waiting) renameSync(join(folder, name), join(folder, name.replace(/ready$/, 'done')));
}

function parseSaid(text: string): readonly Said[] {
  const lines = text.split('\n');
  // The last one may be half written.
  return lines.slice(0, -1).map((line) => JSON.parse(line) as Said);
}
