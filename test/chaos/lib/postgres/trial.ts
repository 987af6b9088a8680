import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { longestGap, overlapping, prepareLedger, startLedger, type CommitLedger } from '../../../../lab/commit-ledger';
import { until } from '../../../../lab/hosts/waiting';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../../lab/postgres-pair';
import type { FailoverWish } from '../../../../lib/postgres/replication/failover';
import { rejoin, type RejoinResult } from '../../../../lib/postgres/replication/rejoin';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { quietTask } from '../../../shared/task';

/** A pair under load whose roles change from fault to fault. */
export interface Trials {
  readonly pair: PostgresPair;
  /** Who is the primary now, and who stands by. */
  readonly roles: () => { readonly from: PairName; readonly to: PairName };
  /** The usual wish, with what this trial allows. */
  readonly wish: (changes?: Partial<FailoverWish>) => FailoverWish;
  /** Writers that commit until `settle`; resolves when they do. */
  readonly load: () => Promise<CommitLedger>;
  /** Waits until commits are acknowledged by this member. */
  readonly writes: (ledger: CommitLedger, on: PairName) => Promise<void>;
  /** Ends the writers and compares what they were told with what is on the new primary. */
  readonly settle: (ledger: CommitLedger, on: PairName) => Promise<Account>;
  /** The old primary comes back by itself, and the pair is healthy with changed roles. */
  readonly bringBack: () => Promise<RejoinResult>;
  readonly stop: () => Promise<void>;
}

export interface Account {
  readonly acknowledged: number;
  /** Acknowledged, written down and synced by the client, and not there. */
  readonly missing: number;
  /** Acknowledged by the old primary after the new one had begun. */
  readonly overlapping: number;
  readonly gapMs: number;
}

export async function startTrials(
  settings: Readonly<Record<string, string>> = {},
  startPair: (settings: Readonly<Record<string, string>>) => Promise<PostgresPair> = startPostgresPair,
): Promise<Trials> {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-ledger-'));
  const pair = await startPair(settings).catch((error: unknown) => {
    rmSync(folder, { recursive: true });
    throw error;
  });
  const ledgers: CommitLedger[] = [];
  const stop = async () => {
    // Those of a test that failed still write.
    await Promise.all(ledgers.map((ledger) => ledger.freeze()));
    await pair.stop();
    rmSync(folder, { recursive: true });
  };
  let from: PairName = 'bruno';
  const other = (name: PairName): PairName => (name === 'bruno' ? 'eva' : 'bruno');
  let count = 0;
  try {
    const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
    await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, quietTask());
    await prepareLedger(pair.member('bruno').address, pair.app);
  } catch (error) {
    await stop();
    throw error;
  }
  const writes = async (ledger: CommitLedger, on: PairName) => {
    const { address } = pair.member(on);
    const begin = ledger.acknowledged.length;
    await until(`commits are acknowledged by ${on}`, 30_000, () =>
      ledger.acknowledged.slice(begin).filter(({ by }) => by === address).length >= 50 ? true : undefined,
    );
  };
  return {
    pair,
    roles: () => ({ from, to: other(from) }),
    wish: (changes = {}) => ({
      from: pair.member(from),
      to: pair.member(other(from)),
      outside: [],
      commitFence: false,
      automatic: true,
      ...changes,
    }),
    load: async () => {
      count += 1;
      await pair.sql(from, 'truncate public.ledger');
      const addresses = [pair.member('bruno').address, pair.member('eva').address];
      const file = join(folder, `ledger-${count}`);
      const ledger = startLedger({ addresses, login: pair.app, writers: 4, file });
      ledgers.push(ledger);
      await writes(ledger, from);
      return ledger;
    },
    writes,
    settle: async (ledger, on) => {
      // Frozen before the question, or a commit between the two would count as lost.
      await ledger.freeze();
      const there = new Set((await pair.sql(on, 'select id from public.ledger')).split('\n'));
      const told = readFileSync(join(folder, `ledger-${count}`), 'utf8')
        .trim()
        .split('\n');
      const ids = told.map((line) => line.split(' ')[0] ?? '');
      const [old, now] = [pair.member(other(on)).address, pair.member(on).address];
      return {
        acknowledged: ids.length,
        missing: ids.filter((id) => !there.has(id)).length,
        overlapping: overlapping(ledger.acknowledged, old, now).length,
        gapMs: longestGap(ledger.acknowledged),
      };
    },
    bringBack: async () => {
      const wish = { primary: pair.member(other(from)), standby: pair.member(from) };
      const outcome = await rejoin(pair.cluster, { ...wish, synchronous: true, allowCopy: true }, quietTask());
      from = other(from);
      const { primary, reasons } = await readTopology(pair.cluster, {}, quietTask());
      // Trials may be run with a repository that is out of reach.
      const wrong = reasons.filter(({ text }) => text !== 'its archiver fails');
      if (wrong.length > 0 || primary !== from) {
        throw new Error(`Not healthy after the rejoin: ${String(primary)}, ${JSON.stringify(wrong)}`);
      }
      return outcome;
    },
    stop,
  };
}
