import type { Cluster, Member } from '../../../../../lib/postgres/replication/cluster';
import { hashOfLines, refuseOther } from '../../../../../lib/postgres/replication/agreed';
import { connectionString, jdbcString, routeFile } from '../../../../../lib/postgres/replication/route';
import { compareLsn } from '../../../../../lib/postgres/replication/wait';

const members = [
  { name: 'bruno', address: '10.0.0.2', port: 5432 },
  { name: 'eva', address: 'fd00::3', port: 5433 },
] as unknown as readonly Member[];
const [bruno] = members;
const cluster = { name: 'immich\nx', members } as unknown as Cluster;
const wish = {
  user: 'im mich',
  database: 'photos',
  target: 'read-write',
  sslMode: 'verify-full',
  connectSeconds: 3,
} as const;

test('one string names every member, for libpq and for Java', () => {
  expect(connectionString(members, wish)).toBe(
    'postgresql://im%20mich@10.0.0.2:5432,[fd00::3]:5433/photos?target_session_attrs=read-write&connect_timeout=3&sslmode=verify-full',
  );
  expect(jdbcString(members, { ...wish, target: 'prefer-standby' })).toBe(
    'jdbc:postgresql://10.0.0.2:5432,[fd00::3]:5433/photos?targetServerType=preferSecondary',
  );
});

test('the file of a pooler or balancer holds what it is given and nothing that was smuggled in', () => {
  if (bruno === undefined) throw new Error('no member');
  expect(routeFile('pgbouncer', cluster, bruno, ['immich'])).toBe(
    ';; selfhost: written for cluster immich x, primary bruno; do not edit\n[databases]\nimmich = host=10.0.0.2 port=5432 dbname=immich\n',
  );
  expect(routeFile('haproxy', cluster, bruno, ['5000'])).toContain('listen selfhost-immich-x\n    bind :5000\n');
  expect(() => routeFile('pgbouncer', cluster, bruno, ['a = host=evil'])).toThrow('no plain name of a database');
  expect(() => routeFile('haproxy', cluster, bruno, ['5000\n'])).toThrow('a port to listen on is needed');
});

test('LSNs are compared as numbers, not as text', () => {
  expect([compareLsn('0/9000000', '0/10000000'), compareLsn('1/0', '0/FFFFFFFF'), compareLsn('0/a', '0/A')]).toEqual([
    -1, 1, 0,
  ]);
});

test('only what was agreed to is done, whatever the order of its words', () => {
  const hash = hashOfLines('immich', 'set up', { a: 1, b: 2 }, ['one', 'two']);
  expect(hashOfLines('immich', 'set up', { b: 2, a: 1 }, ['one', 'two'])).toBe(hash);
  expect(() => refuseOther('immich', hash, hash, [])).not.toThrow();
  expect(() => refuseOther('immich', '', hash, [])).not.toThrow();
  expect(() => refuseOther('immich', hash, hashOfLines('immich', 'set up', { a: 1, b: 2 }, ['one']), ['one'])).toThrow(
    'is not what was agreed to',
  );
});
