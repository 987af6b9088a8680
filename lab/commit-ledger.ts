import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { Client } from 'pg';
import type { Login } from './postgres-pair';

/** One commit that a client was told of. */
export interface Acknowledged {
  readonly id: string;
  /** On `clock`. */
  readonly at: number;
  /** When the statement was sent. */
  readonly sentAt: number;
  /** The address that acknowledged it. */
  readonly by: string;
}

export interface CommitLedger {
  readonly acknowledged: readonly Acknowledged[];
  /** Acknowledged with a warning: the wait for the standby was cancelled, so it counts for nobody. */
  readonly warned: readonly string[];
  /** Sent, and nobody said how it ended. */
  readonly inDoubt: readonly string[];
  /** Ends the writers; what comes later is not counted. */
  readonly freeze: () => Promise<void>;
}

export interface LedgerOptions {
  readonly addresses: readonly string[];
  readonly login: Login;
  readonly writers: number;
  /** Where each acknowledgement is written down and synced before the next commit is sent. */
  readonly file: string;
  readonly answerMs?: number;
  /** In front of the ids, where several processes write at once. */
  readonly name?: string;
  /** Between one commit and the next. */
  readonly everyMs?: number;
  /** How soon after a connection that failed the next is tried. */
  readonly againMs?: number;
}

/** Milliseconds on a clock that all processes of a machine share and nobody sets. */
export const clock = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

const TABLE =
  'create table if not exists public.ledger (id text primary key, at timestamptz default clock_timestamp())';

export async function prepareLedger(address: string, login: Login): Promise<void> {
  const client = await connect(address, login, 5_000);
  await client.query(TABLE);
  await client.end();
}

/**
 * Clients that commit one row after another, each on whichever address takes writes, as a libpq with several hosts and
 * target_session_attrs=read-write does.
 */
export function startLedger(options: LedgerOptions): CommitLedger {
  const { addresses, login, writers, file, answerMs = 1_000, name = '', everyMs = 0, againMs = 10 } = options;
  const descriptor = openSync(file, 'a', 0o600);
  const acknowledged: Acknowledged[] = [];
  const warned: string[] = [];
  const inDoubt: string[] = [];
  const ended = new AbortController();
  const isFrozen = () => ended.signal.aborted;
  const write = async (writer: number): Promise<void> => {
    // All are cut off at the same moment. If they gave up together as well, they would all miss the new primary together.
    const patienceMs = answerMs * (1 - (writer % 4) / 10);
    let client: Client | undefined;
    let at = 0;
    for (let count = 0; !isFrozen(); count++) {
      if (client === undefined) {
        const address = addresses[at++ % addresses.length] ?? '';
        client = await connect(address, login, patienceMs).catch(() => undefined);
        if (client === undefined) await new Promise((resolve) => setTimeout(resolve, againMs));
        continue;
      }
      const id = `${name}${writer}-${count}`;
      if (everyMs > 0) await new Promise((resolve) => setTimeout(resolve, everyMs));
      const sentAt = clock();
      const warnings: string[] = [];
      const onNotice = ({ message }: { message?: string }) => warnings.push(message ?? '');
      client.on('notice', onNotice);
      try {
        await client.query('insert into public.ledger (id) values ($1)', [id]);
        if (isFrozen()) break;
        if (warnings.length > 0) warned.push(id);
        else {
          const by = client.host;
          const at = clock();
          writeSync(descriptor, `${id} ${by} ${sentAt} ${at}\n`);
          fsyncSync(descriptor);
          acknowledged.push({ id, at, sentAt, by });
        }
      } catch (error) {
        // The server said no, and that is that; anything else leaves it open.
        const code = error instanceof Error && 'code' in error ? String(error.code) : '';
        if (!/^25006$/.test(code)) inDoubt.push(id);
        drop(client);
        client = undefined;
        continue;
      }
      client.off('notice', onNotice);
    }
    if (client !== undefined) drop(client);
  };
  const all = Promise.all(Array.from({ length: writers }, (_, index) => write(index)));
  return {
    acknowledged,
    warned,
    inDoubt,
    freeze: async () => {
      if (isFrozen()) return;
      ended.abort();
      await all;
      closeSync(descriptor);
    },
  };
}

/** The longest time in which nobody was told of a commit, from the first to the last. */
export function longestGap(acknowledged: readonly Acknowledged[]): number {
  const times = acknowledged.map(({ at }) => at).sort((a, b) => a - b);
  return Math.round(Math.max(0, ...times.slice(1).map((at, index) => at - (times[index] ?? at))));
}

/**
 * Writes that two servers took at once: acknowledged by one address although they were sent after another address had
 * acknowledged its first since the change.
 */
export function overlapping(acknowledged: readonly Acknowledged[], from: string, to: string): readonly Acknowledged[] {
  const first = Math.min(...acknowledged.filter(({ by }) => by === to).map(({ at }) => at));
  return acknowledged.filter(({ by, sentAt }) => by === from && sentAt > first);
}

async function connect(address: string, login: Login, answerMs: number): Promise<Client> {
  const client = new Client({
    ...login,
    host: address,
    port: 5432,
    connectionTimeoutMillis: answerMs,
    query_timeout: answerMs,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    const { rows } = await client.query<{ standby: boolean }>('select pg_is_in_recovery() as standby');
    if (rows[0]?.standby === false) return client;
  } catch (error) {
    drop(client);
    throw error;
  }
  drop(client);
  throw new Error(`${address} is a standby`);
}

/** Without a farewell: the other side may be gone. */
function drop(client: Client): void {
  client.end().catch(() => undefined);
  const { connection } = client as unknown as { connection?: { stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}
