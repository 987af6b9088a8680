import { Failure, isFailure } from '../../failure';
import { type Connection, connectPostgres } from '../../postgres/connection';
import type { SealedText } from '../../secrets/sealed';
import type { Task } from '../../task';
import type { TakingOwner } from '../owner';
import { describeReach, openReach, type Reach } from '../reach';
import { scramVerifier } from './scram';

export interface PostgresRole {
  readonly reach: Reach;
  readonly role: string;
  readonly database: string;
  /** Who may change the role. Without one the role changes its own password. */
  readonly admin?: { readonly user: string; readonly password: SealedText };
}

/** The password of a PostgreSQL role. */
export function postgresRole({ reach, role, database, admin }: PostgresRole): TakingOwner {
  const name = `role ${role} of PostgreSQL at ${describeReach(reach)}`;
  const connect = (user: string, password: SealedText, task: Task) =>
    connectPostgres(
      {
        name: `PostgreSQL at ${describeReach(reach)}`,
        database,
        user,
        password: password.reveal(),
        at: { open: (opening) => openReach(reach, opening) },
      },
      task,
    );
  const accepts = async (value: SealedText, task: Task) => {
    try {
      await (await connect(role, value, task)).close();
      return true;
    } catch (error) {
      if (isWrongPassword(error)) return false;
      throw error;
    }
  };
  const asAdmin = async <Result>(work: (connection: Connection) => Promise<Result>, task: Task) => {
    if (admin === undefined) return undefined;
    const connection = await connect(admin.user, admin.password, task);
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  };
  const change = async (connection: Connection, to: SealedText) => {
    // The server quotes; a role's name is no parameter of ALTER ROLE.
    const [row] = await connection.query(`select format('ALTER ROLE %I PASSWORD %L', $1::text, $2::text) as change`, [
      role,
      scramVerifier(to.reveal()),
    ]);
    await connection.query(String(row?.['change']));
  };
  return {
    kind: 'takes',
    name,
    accepts,
    check: async (_, task) => {
      const row = await asAdmin(async (connection) => {
        const rows = await connection.query(
          'select rolcanlogin, rolreplication, rolsuper from pg_roles where rolname = $1',
          [role],
        );
        return rows[0] ?? {};
      }, task);
      if (row === undefined) return;
      if (row['rolcanlogin'] !== true) {
        throw refused(name, 'it is missing or may not log in', 'Check the name of the role.');
      }
      if (row['rolreplication'] === true && row['rolsuper'] !== true) {
        throw refused(
          name,
          'standby servers log in with it, and their settings are in no file that is written here',
          'Rotate it by hand, together with primary_conninfo of every standby.',
        );
      }
    },
    set: async (to, from, task) => {
      if (admin !== undefined) {
        await asAdmin((connection) => change(connection, to), task);
        return [];
      }
      const connection = await connect(role, from, task).catch(async (error: unknown) => {
        // Done already, before a crash.
        if (isWrongPassword(error) && (await accepts(to, task))) return undefined;
        throw error;
      });
      if (connection === undefined) return [];
      try {
        await change(connection, to);
      } finally {
        await connection.close();
      }
      return [];
    },
  };
}

function isWrongPassword(error: unknown): boolean {
  const states: readonly unknown[] = ['28P01', '28000'];
  return isFailure(error, 'database_refused') && states.includes(error.details['sqlState']);
}

function refused(name: string, why: string, nextStep: string): Failure {
  return new Failure({
    code: 'rotation_refused',
    subject: name,
    message: `The password of ${name} is not rotated: ${why}`,
    nextStep,
  });
}
