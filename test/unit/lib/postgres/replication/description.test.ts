import { failureOf } from '../../../../shared/failure';
import { clusterOf, parseDescription } from '../../../../../lib/postgres/replication/description';
import { selectHost } from '../../../../../lib/host/select';
import { parseIdentity } from '../../../../../lib/host/identity';

const identity = parseIdentity({
  user: 'root',
  login: 'password',
  password: 'x',
  hosts:
    'bruno=203.0.113.7 SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\neva=203.0.113.8 SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
});
const replication = { user: 'selfhost_replication', password: 'long-enough' };

test('a cluster of Debian needs a name, addresses and a version; the rest is where the packages put it', () => {
  const description = parseDescription({
    name: 'immich',
    members: [
      { name: 'bruno', address: '10.0.0.2', version: 15 },
      { name: 'standby', host: 'eva', address: '10.0.0.3', version: '15', port: 5433 },
    ],
  });
  const cluster = clusterOf(description, replication, (name) => selectHost(identity, name));
  expect(
    cluster.members.map(({ host, ...rest }) => ({ ...rest, host: host.target.name, watchful: host.watchful })),
  ).toEqual([
    {
      ...{ name: 'bruno', host: 'bruno', watchful: true, address: '10.0.0.2', port: 5432 },
      runtime: { kind: 'debian', version: '15', cluster: 'main' },
      ...{ programs: '/usr/lib/postgresql/15/bin', dataFolder: '/var/lib/postgresql/15/main' },
      ...{ configFile: '/etc/postgresql/15/main/postgresql.conf', socketFolder: '/var/run/postgresql' },
      ...{ systemUser: 'postgres', superuser: 'postgres' },
    },
    {
      ...{ name: 'standby', host: 'eva', watchful: true, address: '10.0.0.3', port: 5433 },
      runtime: { kind: 'debian', version: '15', cluster: 'main' },
      ...{ programs: '/usr/lib/postgresql/15/bin', dataFolder: '/var/lib/postgresql/15/main' },
      ...{ configFile: '/etc/postgresql/15/main/postgresql.conf', socketFolder: '/var/run/postgresql' },
      ...{ systemUser: 'postgres', superuser: 'postgres' },
    },
  ]);
});

test('a container needs its name and where its data lies on the host; the rest is as in the usual images', () => {
  const member = { name: 'bruno', address: '10.0.0.2', runtime: 'docker', container: 'immich_postgres', version: 14 };
  const parsed = (more: object) =>
    parseDescription({ name: 'immich', members: [{ ...member, dataFolder: '/srv/immich/pgdata', ...more }] })
      .members[0];
  expect(parsed({})).toEqual({
    ...{ name: 'bruno', host: 'bruno', address: '10.0.0.2', port: 5432 },
    runtime: {
      ...{ kind: 'docker', container: 'immich_postgres' },
      ...{ dataInside: '/var/lib/postgresql/data', portInside: 5432 },
    },
    ...{ programs: '/usr/lib/postgresql/14/bin', dataFolder: '/srv/immich/pgdata' },
    ...{ socketFolder: '/var/run/postgresql', systemUser: 'postgres', superuser: 'postgres' },
  });
  const own = { dataInside: '/data', portInside: 5433, dockerSocket: '/run/user/1000/docker.sock' };
  expect(parsed({ ...own, port: 15_432, programs: '/usr/local/bin' })).toMatchObject({
    ...{ port: 15_432, programs: '/usr/local/bin' },
    runtime: { ...own, kind: 'docker', container: 'immich_postgres' },
  });
});

test.each([
  ['text', 'it must be an object with "name" and "members"'],
  [{ name: 'immich', members: [], owner: 'x' }, '"owner" is not known'],
  [{ name: 'immich', members: [] }, 'it has no list of "members"'],
  [{ name: 'immich', members: [{ name: 'bruno', version: 15, address: ' ' }] }, 'bruno needs "address"'],
  [{ name: 'immich', members: [{ name: 'bruno', address: 'a', adress: 'b' }] }, '"adress" of bruno is not known'],
  [
    { name: 'immich', members: [{ name: 'bruno', address: 'a', runtime: 'windows' }] },
    'the runtime "windows" is none of debian, systemd, plain, docker',
  ],
  [
    { name: 'immich', members: [{ name: 'bruno', address: 'a', version: 15, container: 'db' }] },
    '"container" of bruno is for the runtime docker only',
  ],
  [
    { name: 'immich', members: [{ name: 'bruno', address: 'a', runtime: 'docker', container: 'db' }] },
    'bruno needs "programs"',
  ],
  [
    { name: 'immich', members: [{ name: 'bruno', address: 'a', version: '15; rm -rf /' }] },
    '"version" and "cluster" are those of pg_lsclusters, like 15 and main',
  ],
])('what is wrong with a description is said in one sentence: %j', async (value, why) => {
  const failure = await failureOf(Promise.resolve().then(() => parseDescription(value)));
  expect(failure.message).toBe(`The description of the cluster cannot be used: ${why}`);
});
