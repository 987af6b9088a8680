import { Failure } from '../../failure';
import type { Cluster, Member } from './cluster';

export interface ConnectionWish {
  readonly user: string;
  readonly database: string;
  /** Which member is wanted: the one that takes writes, or any that answers, or a standby where there is one. */
  readonly target: 'read-write' | 'any' | 'prefer-standby';
  /** Empty: the usual of libpq, which does not insist. */
  readonly sslMode: string;
  readonly connectSeconds: number;
}

/**
 * A connection string that names every member, so that libpq (psql, psycopg, PHP, Ruby; and with the same words pgx and
 * npgsql) finds the one that takes writes by itself. The password is not in it.
 */
export function connectionString(members: readonly Member[], wish: ConnectionWish): string {
  const places = members.map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`);
  const { user, database, target, sslMode, connectSeconds } = wish;
  const options = new URLSearchParams({
    target_session_attrs: target,
    connect_timeout: String(connectSeconds),
    ...(sslMode !== '' && { sslmode: sslMode }),
  });
  return `postgresql://${encodeURIComponent(user)}@${places.join(',')}/${encodeURIComponent(database)}?${options.toString()}`;
}

/** For drivers of Java, which call it otherwise. */
export function jdbcString(members: readonly Member[], { database, target }: ConnectionWish): string {
  const places = members.map(({ address, port }) => `${address.includes(':') ? `[${address}]` : address}:${port}`);
  const kind = { 'read-write': 'primary', any: 'any', 'prefer-standby': 'preferSecondary' }[target];
  return `jdbc:postgresql://${places.join(',')}/${encodeURIComponent(database)}?targetServerType=${kind}`;
}

/** What a pooler's or a balancer's file of our own holds. The file is included by theirs. */
export function routeFile(
  kind: 'pgbouncer' | 'haproxy',
  cluster: Cluster,
  primary: Member,
  names: readonly string[],
): string {
  const head = `selfhost: written for cluster ${cluster.name.replace(/[\r\n]/g, ' ')}, primary ${primary.name}; do not edit`;
  if (kind === 'haproxy') {
    const [port] = names;
    if (port === undefined || !/^\d{1,5}$/.test(port)) throw unusable('a port to listen on is needed for HAProxy');
    return [
      `# ${head}`,
      `listen selfhost-${cluster.name.replace(/[^A-Za-z0-9_.-]/g, '-')}`,
      `    bind :${port}`,
      '    mode tcp',
      '    option tcp-check',
      `    server ${primary.name} ${primary.address}:${primary.port} check inter 2s on-marked-down shutdown-sessions`,
      '',
    ].join('\n');
  }
  if (names.length === 0) throw unusable('at least one database is needed for PgBouncer');
  const lines = names.map((name) => {
    if (!/^[A-Za-z0-9_.$-]{1,63}$/.test(name)) throw unusable(`"${name}" is no plain name of a database`);
    return `${name} = host=${primary.address} port=${primary.port} dbname=${name}`;
  });
  return [`;; ${head}`, '[databases]', ...lines, ''].join('\n');
}

function unusable(why: string): Failure {
  return new Failure({
    code: 'route_unusable',
    subject: 'the route',
    message: `The route cannot be written: ${why}`,
    nextStep: 'Correct the fields of the operation.',
  });
}
