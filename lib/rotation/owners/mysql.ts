import type { DockerAccess } from '../../docker/engine/access';
import { Failure } from '../../failure';
import type { CommandResult } from '../../host/command';
import { describeHost, type Host } from '../../host/host';
import { runCommand } from '../../host/run';
import type { SealedText } from '../../secrets/sealed';
import type { Task } from '../../task';
import type { TakingOwner } from '../owner';

/** The client program speaks to the server: on the host, or inside of the container that the server runs in. */
export interface MysqlPlace {
  readonly host: Host;
  readonly address: string;
  readonly port: number;
  readonly container?: { readonly docker: DockerAccess; readonly name: string };
}

export interface MysqlAccount {
  readonly place: MysqlPlace;
  readonly user: string;
  /** The part behind the @: `%`, `localhost`. */
  readonly from: string;
  /** Who may change the account. Without one the account changes its own password. */
  readonly admin?: { readonly user: string; readonly password: SealedText };
}

/*
 * For bash and for the plain sh of a container. The password comes by standard input and goes on through a descriptor,
 * so it is in no argument, environment or file; other option files are not read.
 */
const CLIENT = `
client=$(command -v mariadb || command -v mysql) || exit 97
IFS= read -r password
exec "$client" --defaults-file=/dev/fd/3 --no-auto-rehash --batch --skip-column-names --connect-timeout=10 "$@" 3<<END
[client]
password="$password"
END
`;

/*
 * The values stand before it as hexadecimal numbers, and the server quotes them. SET PASSWORD keeps the kind of login
 * that the account has; MySQL prepares it only as ALTER USER. What is prepared here is kept out of the general log,
 * where there is one, and the server itself writes no password into the binary log.
 */
const CHANGE = `
SET @change = IF(VERSION() LIKE '%MariaDB%',
  CONCAT('SET PASSWORD FOR ', QUOTE(@account), '@', QUOTE(@origin), ' = PASSWORD(', QUOTE(@password), ')'),
  CONCAT('ALTER USER ', QUOTE(@account), '@', QUOTE(@origin), ' IDENTIFIED BY ', QUOTE(@password)));
PREPARE change_it FROM @change;
EXECUTE change_it;
`;
const QUIET = `
SET @quiet = IF(@@GLOBAL.general_log, 'SET SESSION sql_log_off = 1', 'DO 0');
PREPARE be_quiet FROM @quiet;
EXECUTE be_quiet;
`;

/** Access denied, and the same where the account may log in by a socket only. */
const DENIED = /ERROR (1045|1698) /;

/** The password of a MySQL or MariaDB account. */
export function mysqlAccount({ place, user, from, admin }: MysqlAccount): TakingOwner {
  const server = describeServer(place);
  const name = `account ${user}@${from} of ${server}`;

  /** Undefined: the login was refused. */
  const ask = async (who: string, password: SealedText, sql: string, task: Task): Promise<string | undefined> => {
    const login = ['--protocol=TCP', `--host=${place.address}`, `--port=${place.port}`, `--user=${who}`];
    const { exitCode, stdout, stderr } = await client(place, login, `${optionValue(password)}\n${sql}`, task);
    if (exitCode === 0) return stdout;
    if (DENIED.test(stderr)) return undefined;
    throw exitCode === 97 ? clientMissing(server) : failed(server, stderr);
  };
  const accepts = async (value: SealedText, task: Task) => (await ask(user, value, 'DO 0;', task)) !== undefined;

  return {
    kind: 'takes',
    name,
    accepts,
    check: async (current, task) => {
      if (admin === undefined) {
        const logged = await ask(user, current, 'SELECT @@GLOBAL.general_log;', task);
        if (logged?.trim() !== '1') return;
        throw new Failure({
          code: 'rotation_refused',
          subject: name,
          message: `The password of ${name} is not rotated: the general log of the server is on and would hold the new one`,
          nextStep:
            'Switch the log off (SET GLOBAL general_log = 0), or give an admin, who can keep it out of the log.',
        });
      }
      const account = `SET @account = ${hex(user)}, @origin = ${hex(from)};\n`;
      const count =
        'SELECT COUNT(*) FROM mysql.user WHERE User = CONVERT(@account USING utf8) AND Host = CONVERT(@origin USING utf8);';
      const found = await ask(admin.user, admin.password, account + count, task);
      if (found === undefined) throw refusedLogin(server, admin.user);
      if (found.trim() === '1') return;
      throw new Failure({
        code: 'rotation_refused',
        subject: name,
        message: `There is no account ${user}@${from} in ${server}`,
        nextStep: 'Check its name and the host it may log in from: SELECT User, Host FROM mysql.user',
      });
    },
    set: async (to, old, task) => {
      const values = `SET @account = ${hex(user)}, @origin = ${hex(from)}, @password = ${hex(to.reveal())};\n`;
      const who = admin ?? { user, password: old };
      if ((await ask(who.user, who.password, QUIET + values + CHANGE, task)) !== undefined) return [];
      // Done already, before a crash.
      if (admin === undefined && (await accepts(to, task))) return [];
      throw refusedLogin(server, who.user);
    },
  };
}

function describeServer({ host, address, port, container }: MysqlPlace): string {
  const inside = container === undefined ? '' : ` in container ${container.name}`;
  return `MySQL at ${address}:${port}${inside} of ${describeHost(host)}`;
}

/** Exit codes: 97 no client, 1 whatever the server said. */
async function client(
  { host, container }: MysqlPlace,
  login: readonly string[],
  input: string,
  task: Task,
): Promise<CommandResult> {
  const options = { acceptExitCodes: [0, 1, 97], timeoutMs: 60_000 };
  if (container === undefined) return runCommand(host, { script: CLIENT, arguments: login, input }, options, task);
  const { docker, name } = container;
  return runCommand(
    host,
    {
      argv: ['docker', 'exec', '--interactive', '--', name, 'sh', '-c', CLIENT, 'sh', ...login],
      environment: { DOCKER_HOST: `unix://${docker.socketPath}` },
      input,
    },
    options,
    task,
  );
}

/** As an option file writes it between double quotes. */
function optionValue(password: SealedText): string {
  const value = password.reveal();
  if (/[\r\n\0]/.test(value)) {
    throw new Failure({
      code: 'rotation_refused',
      subject: 'password for MySQL',
      message: 'The password has a line end, which the client program of MySQL cannot be given',
      nextStep: 'Set one without line ends by hand first.',
    });
  }
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"');
}

function hex(text: string): string {
  return `CONVERT(X'${Buffer.from(text).toString('hex')}' USING utf8)`;
}

function clientMissing(server: string): Failure {
  return new Failure({
    code: 'mysql_client_missing',
    subject: server,
    message: `There is no client program to speak to ${server} with`,
    nextStep: 'Install mariadb-client (or default-mysql-client) there, or name the container that the server runs in.',
  });
}

function refusedLogin(server: string, user: string): Failure {
  return new Failure({
    code: 'rotation_login_refused',
    subject: server,
    message: `${server} refused the login of ${user}`,
    nextStep: 'Check the user and password of the admin, and the host that it may log in from.',
  });
}

/** Never all that the client says: a syntax error would quote the statement. */
function failed(server: string, stderr: string): Failure {
  const known = /ERROR (\d+) \(([0-9A-Z]{5})\)/.exec(stderr);
  const why = known === null ? stderr.trim().split('\n').at(-1)?.slice(0, 200) : `error ${known[1]} (${known[2]})`;
  return new Failure({
    code: 'mysql_failed',
    subject: server,
    message: `${server} could not do it: ${why ?? 'without a word'}`,
    nextStep: 'Check that it runs and listens there, and look the number up in the error messages of MySQL or MariaDB.',
  });
}
