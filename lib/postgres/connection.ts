import { connect as connectTcp } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Client } from '../../vendor/pg';
import { Failure, isFailure, messageOf } from '../failure';
import { cancelled, type Task } from '../task';

/** A database and who logs in to it. */
export interface Database {
  /** As people know it: `database n8n on host bruno`. */
  readonly name: string;
  readonly database: string;
  readonly user: string;
  readonly password?: string;
  /** A port that this process reaches itself, or a way to open a stream (a socket on a host, through `openSocket`). */
  readonly at: { readonly host: string; readonly port: number } | { readonly open: (task: Task) => Promise<Duplex> };
  /** Without it the connection is not encrypted, which is right for a local port or a stream through SSH. */
  readonly tls?: { readonly serverName: string; readonly ca?: string };
}

export type Row = Readonly<Record<string, unknown>>;

export interface StatementAnswer {
  /** `SELECT`, `INSERT`, `CREATE`. */
  readonly command: string;
  /** Rows that were read or changed; null where the command counts none. */
  readonly count: number | null;
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
}

/** One connection; statements that are given at once wait for each other. */
export interface Connection {
  readonly query: (text: string, values?: readonly (string | number | null)[]) => Promise<readonly Row[]>;
  /** One statement and no more, whatever the text holds: the server refuses a second one. Also says what was done. */
  readonly statement: (text: string, values: readonly (string | number | null)[]) => Promise<StatementAnswer>;
  readonly isBroken: () => boolean;
  readonly close: () => Promise<void>;
}

const CONNECT_MS = 15_000;
const STATEMENT_MS = 20_000;
const CLOSE_MS = 2_000;

/**
 * Failures: `database_unreachable` (nothing was sent), `database_refused` (login), `database_lost` (the connection broke;
 * a statement under way may have been carried out), `database_error` (the server said no).
 */
export async function connectPostgres(
  database: Database,
  task: Task,
  { statementMs = STATEMENT_MS }: { readonly statementMs?: number } = {},
): Promise<Connection> {
  const stream = await openStream(database, task);
  let client: Client;
  try {
    client = await login(database, stream, task);
  } catch (error) {
    stream.destroy();
    throw error;
  }
  let broken = false;
  client.on('error', () => {
    broken = true;
  });
  client.on('end', () => {
    broken = true;
  });
  const ask = async (text: string, values: readonly (string | number | null)[], alone: boolean) => {
    try {
      const question = { text, values: [...values], ...(alone && { queryMode: 'extended' }) };
      const answer = client.query<Record<string, unknown>, unknown[]>(question);
      return await within(answer, statementMs, task, database);
    } catch (error) {
      const failure = translate(database, error);
      if (failure.code !== 'database_error') {
        broken = true;
        stream.destroy();
      }
      throw failure;
    }
  };
  let last: Promise<unknown> = Promise.resolve();
  const inTurn = (text: string, values: readonly (string | number | null)[], alone: boolean) => {
    const answer = last.then(() => ask(text, values, alone));
    last = answer.catch(() => undefined);
    return answer;
  };
  return {
    isBroken: () => broken,
    query: async (text, values = []) => (await inTurn(text, values, false)).rows,
    statement: async (text, values) => {
      const { command, rowCount, fields, rows } = await inTurn(text, values, true);
      return { command, count: rowCount, columns: fields.map(({ name }) => name), rows };
    },
    close: async () => {
      broken = true;
      const gone = new Promise<void>((resolve) => {
        if (stream.closed) resolve();
        stream.once('close', () => {
          resolve();
        });
      });
      const timer = setTimeout(() => stream.destroy(), CLOSE_MS);
      // A farewell, so that the server does not log a lost client.
      client.end().catch(() => stream.destroy());
      await gone;
      clearTimeout(timer);
    },
  };
}

async function openStream(database: Database, task: Task): Promise<Duplex> {
  const { at } = database;
  if ('open' in at) {
    try {
      return await at.open(task);
    } catch (error) {
      throw isFailure(error, 'connection_lost') ? unreachable(database, error) : error;
    }
  }
  const socket = connectTcp({ host: at.host, port: at.port });
  const connected = new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  try {
    await within(connected, CONNECT_MS, task, database);
    socket.setKeepAlive(true, 15_000);
    return socket;
  } catch (error) {
    socket.destroy();
    throw error instanceof Failure && error.code === 'cancelled' ? error : unreachable(database, error);
  }
}

async function login(database: Database, stream: Duplex, task: Task): Promise<Client> {
  const { Client } = await import('../../vendor/pg');
  const { tls } = database;
  const client = new Client({
    stream: () => connectedAlready(stream),
    host: tls?.serverName ?? 'localhost',
    port: 5432,
    database: database.database,
    user: database.user,
    // A function, so that no password from the environment or ~/.pgpass of n8n is ever sent in its place.
    password: () => database.password ?? '',
    ssl: tls === undefined ? false : { rejectUnauthorized: true, ...(tls.ca !== undefined && { ca: tls.ca }) },
    application_name: 'selfhost',
  });
  // Heard by whoever waits for a statement; without a listener it would end the process.
  client.on('error', () => undefined);
  try {
    await within(client.connect(), CONNECT_MS, task, database);
    return client;
  } catch (error) {
    if (error instanceof Failure && error.code === 'cancelled') throw error;
    throw sqlState(error) === undefined || isGoingAway(error) ? unreachable(database, error) : refused(database, error);
  }
}

/** The driver wants to connect its socket itself; this one is connected. */
function connectedAlready(stream: Duplex): Duplex {
  const nothing = () => stream;
  const connect = () => {
    process.nextTick(() => stream.emit('connect'));
    return stream;
  };
  const lacking =
    'setNoDelay' in stream ? {} : { setNoDelay: nothing, setKeepAlive: nothing, ref: nothing, unref: nothing };
  return Object.assign(stream, { ...lacking, connect });
}

function within<T>(work: Promise<T>, milliseconds: number, task: Task, database: Database): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(cancelled(database.name));
    };
    if (task.signal.aborted) stop();
    task.signal.addEventListener('abort', stop, { once: true });
    const timer = setTimeout(() => {
      reject(new Error(`no answer within ${milliseconds / 1000} s`));
    }, milliseconds);
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      task.signal.removeEventListener('abort', stop);
    });
  });
}

function translate(database: Database, error: unknown): Failure {
  // A socket through SSH that broke is a connection to the database that broke.
  if (error instanceof Failure && error.code !== 'connection_lost') return error;
  const state = sqlState(error);
  if (state === undefined || isGoingAway(error)) {
    return new Failure({
      code: 'database_lost',
      subject: database.name,
      message: `The connection to ${database.name} broke: ${messageOf(error)}`,
      nextStep: 'Check that the database runs. A statement that was under way may have been carried out.',
      cause: error,
    });
  }
  return new Failure({
    code: 'database_error',
    subject: database.name,
    message: `${database.name} refused a statement: ${messageOf(error)} (${state})`,
    nextStep: HINTS[state] ?? 'Look the code up in the list of PostgreSQL error codes.',
    details: { sqlState: state },
  });
}

const HINTS: Readonly<Record<string, string>> = {
  '42501': 'Give the user this right, or use another user.',
  '25006': 'This server is a standby or read-only; connect to the primary.',
  '53100': 'Its disk is full; make room first.',
  '42P01': 'The table is missing; check that this is the right database.',
};

function unreachable(database: Database, error: unknown): Failure {
  return new Failure({
    code: 'database_unreachable',
    subject: database.name,
    message: `${database.name} cannot be reached: ${messageOf(error)}`,
    nextStep: 'Check that it runs, and the address and port.',
    cause: error,
  });
}

function refused(database: Database, error: unknown): Failure {
  return new Failure({
    code: 'database_refused',
    subject: database.name,
    message: `${database.name} refused the login of ${database.user}: ${messageOf(error)}`,
    nextStep: 'Check the user, password and database name in the credential.',
    details: { sqlState: sqlState(error) ?? null },
  });
}

/** The five characters by which the server names an error; absent when the error is not the server's. */
function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || !('severity' in error)) return undefined;
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}

/** Shutdown, crash or start-up of the server: nothing about the statement is settled by it. */
function isGoingAway(error: unknown): boolean {
  return /^(08|57P0[1-5])/.test(sqlState(error) ?? '');
}
