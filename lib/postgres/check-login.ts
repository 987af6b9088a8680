import { Failure } from '../failure';
import { selectHost } from '../host/select';
import { openSocket } from '../host/socket';
import type { Task } from '../task';
import { connectPostgres, type Database } from './connection';
import type { PostgresCredential } from './credential';

/** Logs in as the credential says and asks one question; says who answered. */
export async function checkLogin(credential: PostgresCredential, task: Task): Promise<string> {
  const connection = await connectPostgres(databaseOf(credential), task);
  try {
    const [row] = await connection.query(
      "select current_user as name, current_setting('server_version') as version, pg_is_in_recovery() as standby",
    );
    const role = row?.['standby'] === true ? 'a standby' : 'a primary';
    return `Logged in as ${String(row?.['name'])} to PostgreSQL ${String(row?.['version'])}, ${role}`;
  } finally {
    await connection.close();
  }
}

function databaseOf({ user, password, database, reach, test }: PostgresCredential): Database {
  const { host, port } = test;
  const login = { database, user, ...(password !== '' && { password }) };
  if (reach.kind === 'direct') {
    if (host === '') throw notTested('Test At names no address', 'Fill in Test At with the address of a server.');
    return {
      ...login,
      name: `PostgreSQL on ${host}`,
      at: { host, port },
      ...(reach.encrypt && {
        tls: { serverName: host, ...(reach.authority !== undefined && { ca: reach.authority }) },
      }),
    };
  }
  if (reach.identity === undefined) {
    throw notTested(
      'its tunnel is the Host credential of the node, which a test of this credential cannot see',
      'Give it an SSH login of its own to have it tested here, or run the operation SQL: Write Probe of the node.',
    );
  }
  const target = selectHost(reach.identity, host);
  return {
    ...login,
    name: `PostgreSQL on ${target.target.name}`,
    at: { open: (task) => openSocket(target, { host: '127.0.0.1', port }, task) },
  };
}

function notTested(why: string, nextStep: string): Failure {
  return new Failure({
    code: 'not_tested',
    subject: 'PostgreSQL credential',
    message: `Not tested: ${why}. ${nextStep}`,
    nextStep,
  });
}
