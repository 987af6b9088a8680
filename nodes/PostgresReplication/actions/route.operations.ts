import { memberOf } from '../../../lib/postgres/replication/cluster';
import { pointRoute } from '../../../lib/postgres/replication/point';
import { rolesOf } from '../../../lib/postgres/replication/roles';
import { connectionString, jdbcString, routeFile } from '../../../lib/postgres/replication/route';
import { choice, list, number, optional, schema, text, when } from '../../declaration';
import { changeOptions, clusterField, hostOptions, primaryField } from '../fields';
import { operation } from '../operation';

const connection = operation({
  resource: 'route',
  name: 'connectionString',
  action: 'Make a connection string that finds the primary',
  description:
    'Names all members, so that clients of libpq find the one that takes writes by themselves, without DNS. The password is not in it.',
  effect: 'reads',
  input: {
    cluster: clusterField,
    database: text({ required: true, placeholder: 'immich' }),
    user: text({ required: true, placeholder: 'immich' }),
    target: choice({
      options: {
        'read-write': 'The Primary',
        any: 'Any Member',
        'prefer-standby': 'A Standby Where There Is One',
      },
      default: 'read-write',
    }),
    options: optional({
      ...hostOptions,
      sslMode: text({ label: 'SSL Mode', placeholder: 'verify-full', description: 'Of libpq. Empty: its usual.' }),
      connectSeconds: number({
        label: 'Connect Timeout (Seconds)',
        default: 3,
        min: 1,
        max: 300,
        integer: true,
        description: 'How long a member that does not answer holds up the next',
      }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      libpq: schema.string('For psql, psycopg, PHP, Ruby, Go and .NET'),
      jdbc: schema.string('For Java'),
    }),
  ),
  run: ({ input, cluster }) => {
    const { user, database, target, options } = input;
    const { sslMode = '', connectSeconds = 3 } = options;
    const wish = { user, database, target, sslMode, connectSeconds };
    return {
      cluster: cluster.name,
      libpq: connectionString(cluster.members, wish),
      jdbc: jdbcString(cluster.members, wish),
    };
  },
});

const point = operation({
  resource: 'route',
  name: 'point',
  action: 'Point a pooler or balancer at the primary',
  description:
    'Replaces a file of its own, which the configuration has to include, has it tested, and lets the service read it again without a restart. Put back where that fails.',
  effect: 'changes',
  dryRun: true,
  input: {
    cluster: clusterField,
    primary: primaryField,
    kind: choice({ options: { pgbouncer: 'PgBouncer', haproxy: 'HAProxy' }, default: 'pgbouncer' }),
    host: text({
      required: true,
      placeholder: 'bruno',
      description: 'Where it runs, as pinned in the Host credential',
    }),
    databases: when(
      'kind',
      ['pgbouncer'],
      list({ placeholder: 'immich', description: 'Databases that clients ask it for' }),
    ),
    port: when('kind', ['haproxy'], number({ default: 5432, min: 1, max: 65_535, integer: true })),
    options: optional({
      ...changeOptions,
      path: text({
        label: 'File',
        placeholder: '/etc/pgbouncer/selfhost.ini',
        description: 'Empty: selfhost.ini in /etc/pgbouncer, or selfhost.cfg in /etc/haproxy',
      }),
      unit: text({ placeholder: 'pgbouncer', description: 'The systemd unit. Empty: pgbouncer or haproxy.' }),
    }),
  },
  output: schema.lazy(() =>
    schema.object({
      cluster: schema.string(),
      changed: schema.boolean('In a dry run: whether it would change'),
      dryRun: schema.boolean(),
      primary: schema.string(),
      address: schema.string(),
      port: schema.integer(),
      content: schema.string('Of the file'),
    }),
  ),
  run: async ({ input, cluster, hostOf, task }) => {
    const { kind, options, dryRun } = input;
    const primary =
      input.primary === '' ? (await rolesOf(cluster, '', task)).primary : memberOf(cluster, input.primary);
    const content = routeFile(kind, cluster, primary, input.databases ?? [String(input.port ?? '')]);
    const usual = kind === 'pgbouncer' ? '/etc/pgbouncer/selfhost.ini' : '/etc/haproxy/selfhost.cfg';
    const path = (options.path ?? '') === '' ? usual : (options.path ?? usual);
    const unit = (options.unit ?? '') === '' ? kind : (options.unit ?? kind);
    const { changed } = await pointRoute({ host: hostOf(input.host), kind, path, content, unit }, { dryRun }, task);
    const { name, address, port } = primary;
    return { cluster: cluster.name, changed, dryRun, primary: name, address, port, content };
  },
});

export const routeOperations = [connection, point];
