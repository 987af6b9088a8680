import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { clock } from '../../lab/commit-ledger';
import { makeMemory, memoryState } from '../../lab/memory-state';
import type { Login } from '../../lab/postgres-pair';
import { isFailure, messageOf } from '../../lib/failure';
import { databaseAt } from '../../lib/postgres/replication/access';
import { memberOf, type Cluster } from '../../lib/postgres/replication/cluster';
import { failover, type OutsideFence } from '../../lib/postgres/replication/failover';
import { otherOf } from '../../lib/postgres/replication/roles';
import { watchCluster } from '../../lib/postgres/replication/watch/watch';
import { pause, type Task } from '../../lib/task';

export interface OrchestratorPlan {
  readonly cluster: Cluster;
  readonly app: Login;
  readonly commitFence: boolean;
  /** A fence from outside: whoever runs the bench cuts the power, and says so by a file. */
  readonly powerOff: boolean;
  /** When it is about to begin this step, this happens to it: it dies, stops, or is cut off until the file `go` is there. */
  readonly trouble?: { readonly at: string; readonly kind: 'killed' | 'frozen' | 'cut off' };
}

/** One line of what it says. */
export type Said =
  | { readonly kind: 'state'; readonly value: unknown; readonly at: number }
  | { readonly kind: 'event'; readonly event: string; readonly evidence: readonly string[]; readonly at: number }
  | { readonly kind: 'step'; readonly step: string; readonly at: number }
  | { readonly kind: 'power off wanted' | 'stopped here'; readonly at: number }
  | { readonly kind: 'done'; readonly result: unknown; readonly at: number }
  | { readonly kind: 'refused'; readonly code: string; readonly message: string; readonly at: number }
  | { readonly kind: 'trouble'; readonly message: string; readonly at: number };

/** What n8n does in a flow: the trigger's watch, and a failover for each loss that it tells of. */
async function main(folder: string): Promise<void> {
  const plan = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as OrchestratorPlan;
  const { cluster } = plan;
  const say = (said: object) => {
    appendFileSync(join(folder, 'said'), `${JSON.stringify({ ...said, at: clock() })}\n`);
  };
  const block = new Int32Array(new SharedArrayBuffer(4));
  const progress = ({ message }: { message: string }) => {
    say({ kind: 'step', step: message });
    if (message !== plan.trouble?.at || existsSync(join(folder, 'happened'))) return;
    writeFileSync(join(folder, 'happened'), '');
    say({ kind: 'stopped here' });
    if (plan.trouble.kind === 'killed') process.kill(process.pid, 'SIGKILL');
    if (plan.trouble.kind === 'frozen') process.kill(process.pid, 'SIGSTOP');
    // The step must not begin before the cable is out.
    while (plan.trouble.kind === 'cut off' && !existsSync(join(folder, 'go'))) Atomics.wait(block, 0, 0, 2);
  };
  const stop = new AbortController();
  process.on('SIGTERM', () => {
    stop.abort();
  });
  const task: Task = { signal: stop.signal, progress, owner: `bench ${process.pid}` };
  const powerOff: OutsideFence = {
    name: 'power off',
    silence: async ({ signal }) => {
      // That of the trial before says nothing of this one.
      rmSync(join(folder, 'off'), { force: true });
      say({ kind: 'power off wanted' });
      while (!existsSync(join(folder, 'off'))) await pause(50, signal, 'the power off');
      return 'the server is off';
    },
  };
  // As it is kept for n8n: what was not told to its end is told again by the next process.
  const kept = join(folder, 'state.json');
  const memory = makeMemory();
  if (existsSync(kept)) {
    const entries = JSON.parse(readFileSync(kept, 'utf8')) as [string, never][];
    for (const [key, value] of entries) memory.entries.set(key, value);
  }
  const store = memoryState(memory, task);
  const saving = {
    ...store,
    update: async (...args: Parameters<typeof store.update>) => {
      const done = await store.update(...args);
      writeFileSync(`${kept}.new`, JSON.stringify([...memory.entries]));
      renameSync(`${kept}.new`, kept);
      say({ kind: 'state', value: (await store.read(args[0]))?.value });
      return done;
    },
  };
  const credential = {
    ...plan.app,
    ...{ reach: { kind: 'tunnel' as const }, test: { host: '', port: 5432 }, replication: cluster.replication },
  };
  await watchCluster(
    {
      cluster,
      databaseOf: (member) => databaseAt(cluster, member, credential),
      witnesses: [],
      store: saving,
      limits: { lagBytes: 64 * 1024 ** 2, slotBytes: 64 * 1024 ** 3, synchronous: true },
      everyMs: 2_000,
      heartbeatMs: 5_000,
      workflowId: '',
      deliver: async ({ event, evidence, primary }) => {
        say({ kind: 'event', event, evidence });
        if ((event !== 'primaryLost' && event !== 'primaryHung') || primary === null) return 'ended well';
        const from = memberOf(cluster, primary);
        const outside = plan.powerOff ? [powerOff] : [];
        const wish = { from, to: otherOf(cluster, from), outside, commitFence: plan.commitFence, automatic: true };
        try {
          say({ kind: 'done', result: await failover(cluster, wish, task) });
          return 'ended well';
        } catch (error) {
          say({ kind: 'refused', code: isFailure(error) ? error.code : 'error', message: messageOf(error) });
          return 'failed';
        }
      },
      onTrouble: (error) => {
        if (error !== undefined) say({ kind: 'trouble', message: error.message });
      },
    },
    task,
  );
  process.exit(0);
}

void main(process.argv[2] ?? '');
