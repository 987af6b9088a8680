import { Failure } from '../failure';
import type { Json } from '../json';
import type { Task } from '../task';
import { connectPostgres, type Database, type Row } from './connection';

export interface Question {
  /** One statement; what is different each time stands in it as $1, $2. */
  readonly sql: string;
  readonly values: readonly (string | number | null)[];
  readonly mayWrite: boolean;
  readonly timeoutMs: number;
  readonly mostRows: number;
}

export interface Answer {
  readonly command: string;
  readonly count: number | null;
  readonly columns: readonly string[];
  readonly rows: readonly Readonly<Record<string, Json>>[];
}

/** Longer than the server's own limit, so that it is the server who says that time is up. */
const GRACE_MS = 5_000;

/**
 * Asks one statement. Unless it may write it runs in a read-only transaction, which one statement cannot leave: the
 * server itself refuses what would change a row. What a function does beside rows is up to the rights of the login.
 */
export async function askQuestion(database: Database, question: Question, task: Task): Promise<Answer> {
  const { sql, values, mayWrite, timeoutMs, mostRows } = question;
  const connection = await connectPostgres(database, task, { statementMs: timeoutMs + GRACE_MS });
  try {
    await connection.query("select set_config('statement_timeout', $1, false)", [String(Math.ceil(timeoutMs))]);
    // After its first question a transaction cannot be made one that writes.
    if (!mayWrite) await connection.query('begin transaction read only; select 1');
    const { command, count, columns, rows } = await connection.statement(sql, values);
    if (!mayWrite) await connection.query('rollback');
    if (rows.length > mostRows) throw tooMany(database, rows.length, mostRows);
    return { command, count, columns, rows: rows.map(plainRow) };
  } finally {
    await connection.close();
  }
}

/** As JSON carries it: times in ISO, bytes in base64, numbers too great for a number as text. */
function plainRow(row: Row): Readonly<Record<string, Json>> {
  return Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)]));
}

function plain(value: unknown): Json {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (Buffer.isBuffer(value)) return value.toString('base64');
  if (Array.isArray(value)) return value.map(plain);
  return JSON.parse(JSON.stringify(value)) as Json;
}

function tooMany(database: Database, found: number, most: number): Failure {
  return new Failure({
    code: 'too_many_rows',
    subject: database.name,
    message: `The answer of ${database.name} has ${found} rows, and ${most} were allowed`,
    nextStep: 'Add a LIMIT to the statement, or allow more rows.',
  });
}
