import { isFailure } from '../failure';
import { connectPostgres, type Connection, type Database, type Row } from '../postgres/connection';
import { pause, type Task } from '../task';
import { TRACE_MS, type Backend, type Outcome } from './backend';
import { parseJson } from '../json';
import { isVersion, parseEntry } from './entry';
import { stateNewerSchema, stateOutcomeUnknown, stateUnreadable } from './failures';
import { openState } from './open';
import * as statements from './postgres-statements';
import { ENTRY_SCHEMA, type Entry, type Listed, type StateStore } from './store';

const ATTEMPTS = 4;
const IDLE_MS = 10_000;

type Value = string | number | null;

/** State in one table of a PostgreSQL database, which is made on first use. One connection, closed when idle. */
export function postgresState(database: Database, task: Task): StateStore {
  return openState(postgresBackend(database, task), task);
}

function postgresBackend(database: Database, task: Task): Backend {
  const place = `state in ${database.name}`;
  const link = keepConnected(database, place, task);

  /** Reads may be repeated. */
  const ask = (text: string, values: readonly Value[]) =>
    repeat(
      (connection) => connection.query(text, values),
      (lost) => lost,
    );

  /** Makes a change; an answer that got lost is looked up by the id of the write before anything is done again. */
  function change(key: string, id: string, text: string, values: readonly Value[]): Promise<Outcome> {
    let unheard = false;
    return repeat(
      async (connection) => {
        if (unheard) {
          const known = writtenBy(await connection.query(statements.LOOK, [key, id]), place, key);
          if (known !== undefined) return { outcome: 'done', version: known };
        }
        unheard = true;
        const [row] = await connection.query(text, values);
        if (row !== undefined) return { outcome: 'done', version: versionOf(row.version, place, key) };
        return why(await connection.query(statements.LOOK, [key, id]), place, key);
      },
      (lost) => (unheard ? stateOutcomeUnknown(place, key, lost) : lost),
    );
  }

  /** Tries again when the connection breaks, and when a new one can't be had. */
  async function repeat<T>(
    work: (connection: Connection) => Promise<T>,
    giveUp: (error: unknown) => unknown,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await link.use(work);
      } catch (error) {
        const again = isFailure(error, 'database_lost') || isFailure(error, 'database_unreachable');
        if (!again) throw error;
        // A server that was never there is reported at once; one that was there gets time to come back.
        if (attempt >= ATTEMPTS || (!link.everConnected() && isFailure(error, 'database_unreachable'))) {
          throw giveUp(error);
        }
        await pause(250 * attempt, task.signal, database.name);
      }
    }
  }

  async function read(key: string): Promise<Entry | undefined> {
    const [row] = await ask(statements.READ, [key]);
    return row === undefined ? undefined : entryOf(row, place, key);
  }

  return {
    place,
    read,
    write: async ({ key, id, value, expected, ttlMs = null }) => {
      if (expected !== 'absent') return change(key, id, statements.REPLACE, [key, value, ttlMs, id, expected]);
      // Between finding it there and looking why, it may go; then it can be created after all.
      for (let attempt = 1; ; attempt += 1) {
        const outcome = await change(key, id, statements.CREATE, [key, value, ttlMs, id]);
        if (outcome.outcome !== 'absent' || attempt >= ATTEMPTS) return outcome;
      }
    },
    remove: async ({ key, id, expected }) => {
      // What cannot be read must not be swept away unseen.
      if ((await read(key)) === undefined) return { outcome: 'absent' };
      return change(key, id, statements.REMOVE, [key, id, expected === 'any' ? null : expected]);
    },
    list: async (prefix, after, limit) => {
      const rows = await ask(statements.LIST, [prefix, after, limit + 1]);
      const page = rows.slice(0, limit).map((row) => listed(row, place));
      const items = page.map(({ item }) => item).filter((item) => item !== undefined);
      return rows.length > limit ? { items, next: page.at(-1)?.key } : { items };
    },
    cleanUp: async () => Number((await ask(statements.CLEAN_UP, [TRACE_MS]))[0]?.expired ?? 0),
    close: () => link.close(),
  };
}

/** One connection that is made when it is needed, made anew when it broke, and closed when nobody used it for a while. */
function keepConnected(database: Database, place: string, task: Task) {
  let current: Promise<Connection> | undefined;
  let idle: NodeJS.Timeout | undefined;
  let users = 0;
  let connected = false;

  async function connect(): Promise<Connection> {
    const connection = await connectPostgres(database, task);
    connected = true;
    try {
      await prepareTable(connection, place);
      return connection;
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  async function get(): Promise<Connection> {
    const mine = (current ??= connect());
    try {
      const connection = await mine;
      if (!connection.isBroken()) return connection;
    } catch (error) {
      if (current === mine) current = undefined;
      throw error;
    }
    if (current === mine) current = undefined;
    return get();
  }

  async function close(): Promise<void> {
    clearTimeout(idle);
    const mine = current;
    current = undefined;
    await (await mine?.catch(() => undefined))?.close();
  }

  return {
    everConnected: () => connected,
    close,
    use: async <T>(work: (connection: Connection) => Promise<T>): Promise<T> => {
      users += 1;
      clearTimeout(idle);
      try {
        return await work(await get());
      } finally {
        users -= 1;
        if (users === 0) idle = setTimeout(() => void close(), IDLE_MS).unref();
      }
    },
  };
}

async function prepareTable(connection: Connection, place: string): Promise<void> {
  const [table] = await connection.query(statements.TABLE_EXISTS);
  if (table?.there !== true) await connection.query(statements.CREATE_TABLE);
  const [row] = await connection.query(statements.READ_TABLE_SCHEMA);
  const schema = Number(row?.value);
  if (Number.isInteger(schema) && schema > ENTRY_SCHEMA) throw stateNewerSchema(place, 'the table', schema);
  if (schema !== ENTRY_SCHEMA) throw stateUnreadable(place, 'the table', 'it does not say which schema it has');
}

/** Puts the columns together as a file would hold them, so that both are read by one parser. */
function entryOf(row: Row, place: string, key: string): Entry | undefined {
  const { schema, version, updated_at: updatedAt, expires_at: expiresAt, value, dead } = row;
  const stored = parseEntry(
    {
      schema,
      version: Number(version),
      updatedAt,
      ...(expiresAt !== null && { expiresAt }),
      value: parseJson(String(value)),
    },
    place,
    key,
  );
  return dead === true || stored === 'removed' ? undefined : stored;
}

function listed(row: Row, place: string): { key: string; item: Listed | undefined } {
  const key = String(row.key);
  try {
    const entry = entryOf(row, place, key);
    return { key, item: entry === undefined ? undefined : { key, entry } };
  } catch (error) {
    if (isFailure(error)) return { key, item: { key, failure: error } };
    throw error;
  }
}

function why(rows: readonly Row[], place: string, key: string): Outcome {
  const written = writtenBy(rows, place, key);
  if (written !== undefined) return { outcome: 'done', version: written };
  const [row] = rows;
  const entry = row === undefined ? undefined : entryOf(row, place, key);
  return entry === undefined ? { outcome: 'absent' } : { outcome: 'present', version: entry.version };
}

function writtenBy([row]: readonly Row[], place: string, key: string): number | undefined {
  return row === undefined || row.written === null ? undefined : versionOf(row.written, place, key);
}

function versionOf(value: unknown, place: string, key: string): number {
  const version = Number(value);
  if (!isVersion(version)) throw stateUnreadable(place, key, 'its version is not a number');
  return version;
}
