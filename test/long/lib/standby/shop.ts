import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitLedger, startLedger } from '../../../../lab/commit-ledger';
import type { PairName } from '../../../../lab/postgres-pair';
import { type ServicePair, startServicePair } from '../../../../lab/service-pair';

/** The shop of the lab and its two machines, as a customer sees them, and as whoever looks at the machines does. */
export interface Shop {
  readonly pair: ServicePair;
  /** Goes with it. */
  readonly scratch: string;
  readonly addressOf: (of: PairName) => string;
  /** Its page, from outside. */
  readonly page: (of: PairName) => Promise<string>;
  /** Names of the containers that run there. */
  readonly running: (of: PairName) => Promise<readonly string[]>;
  /** What its database holds there, sorted. */
  readonly rows: (of: PairName) => Promise<readonly string[]>;
  /** Customers who write to whichever host takes it, until they are frozen or the shop is closed. */
  readonly writers: (name: string, everyMs?: number) => CommitLedger;
  readonly stop: () => Promise<void>;
}

export async function startShop(): Promise<Shop> {
  const pair = await startServicePair();
  const scratch = mkdtempSync(join(tmpdir(), 'selfhost-shop-'));
  const ledgers: CommitLedger[] = [];
  const addressOf = (of: PairName) => pair.network.hosts[of].address;
  return {
    ...{ pair, scratch, addressOf },
    page: async (of) => {
      // Kept alive, a connection to a machine that has gone would stay open for minutes.
      const signal = AbortSignal.timeout(3_000);
      return (await fetch(`http://${addressOf(of)}/`, { signal, headers: { connection: 'close' } })).text();
    },
    running: async (of) => (await pair.docker(of, 'ps', '--format', '{{.Names}}')).split('\n').filter(Boolean).sort(),
    rows: async (of) => (await pair.sql(of, 'select id from ledger')).split('\n').filter(Boolean).sort(),
    writers: (name, everyMs = 0) => {
      const addresses = [addressOf('bruno'), addressOf('eva')];
      const ledger = startLedger({
        ...{ addresses, login: pair.app, writers: 4, everyMs },
        ...{ file: join(scratch, name), name },
      });
      ledgers.push(ledger);
      return ledger;
    },
    stop: async () => {
      for (const ledger of ledgers) await ledger.freeze();
      await pair.stop();
      rmSync(scratch, { recursive: true, force: true });
    },
  };
}
