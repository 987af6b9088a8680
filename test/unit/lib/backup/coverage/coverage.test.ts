import { judgeCoverage } from '../../../../../lib/backup/coverage/coverage';
import { parseDiscovery } from '../../../../../lib/backup/coverage/discover';
import { parseDescribed } from '../../../../../lib/backup/described/described';

const { plan } = parseDescribed(
  {
    set: 'nightly',
    home: { provider: 'hetzner' },
    sources: [
      { kind: 'postgres', name: 'postgres/immich', database: 'immich' },
      { kind: 'sqlite', name: 'forgejo', path: '/srv/forgejo/gitea.db' },
      { kind: 'directory', name: 'srv', path: '/srv' },
      { kind: 'docker-volume', name: 'a volume', volume: 'backed-up' },
    ],
    destinations: [{ name: 'eva', remote: 'eva:x', provider: 'ovh' }],
  },
  { rclone: { kind: 'text', text: '' }, crypt: 'vault' },
  'bruno',
);

/** As `docker inspect` answers to the format that is asked for. */
const container = (name: string, image: string, ...mounts: object[]) =>
  JSON.stringify({ name: `/${name}`, image, mounts });
const volume = (name: string, inside: string) => ({
  Type: 'volume',
  Name: name,
  Source: `/var/lib/docker/volumes/${name}/_data`,
  Destination: inside,
  Driver: 'local',
  Mode: 'z',
  RW: true,
  Propagation: '',
});
const bind = (path: string, RW = true) => ({
  Type: 'bind',
  Source: path,
  Destination: path,
  Mode: '',
  RW,
  Propagation: 'rprivate',
});

const database = (engine: 'mysql' | 'postgres', server: string, name: string) =>
  ({ kind: 'database', engine, server, name }) as const;
const DATABASES = [
  database('postgres', 'port 5432', 'immich'),
  database('postgres', 'port 5432', 'postgres'),
  database('postgres', 'port 5433', 'immich'),
  // Another server has one of the same name.
  database('postgres', 'container pg', 'immich'),
  database('mysql', 'port 5432', 'immich'),
];

const ANSWER = [
  [
    'container',
    container(
      'n8n',
      'n8nio/n8n:2.41',
      volume('n8n_data', '/home/node/.n8n'),
      bind('/etc/localtime'),
      bind('/var/run/docker.sock'),
    ),
  ],
  ['container', container('forgejo', 'codeberg.org/forgejo/forgejo:11', bind('/srv/forgejo'))],
  ['container', container('db', 'postgres:16-alpine', bind('/srv/postgres'))],
  [
    'container',
    container('grafana', 'grafana/grafana', volume('grafana', '/var/lib/grafana'), bind('/opt/provisioning', false)),
  ],
  ['container', 'no JSON'],
  ['volume', 'n8n_data', '/var/lib/docker/volumes/n8n_data/_data'],
  ['volume', 'backed-up', '/var/lib/docker/volumes/backed-up/_data'],
  ['volume', 'left-over', '/var/lib/docker/volumes/left-over/_data'],
  ['sqlite', '/srv/forgejo/gitea.db', '4096'],
  ['sqlite', '/srv/forgejo/queue\nof.db', '4096'],
  ['application', 'n8n', '/root/.n8n'],
  ['unseen', '/media', 'it has more than 500000 files; name smaller folders'],
  ['end'],
]
  .flat()
  .map((word) => `${word}\0`)
  .join('');

test('what a host holds is judged by the plan, and what is in no backup comes first', () => {
  const discovery = parseDiscovery(ANSWER);
  expect(discovery).toBeDefined();
  const { found = [], unseen = [] } = discovery ?? {};
  const covered = judgeCoverage(
    { found: [...DATABASES, ...found], unseen },
    {
      plan,
      buckets: ['s3:images', '/srv/more', 's3:kept/photos'],
      trees: ['s3:kept', '/data'],
      ignore: ['left-over'],
    },
  );
  expect(covered.map(({ kind, what, state, sources }) => [state, kind, what, sources.join(' ')])).toEqual([
    ['in no backup', 'database', 'database immich (port 5433)', ''],
    ['in no backup', 'database', 'database immich (container pg)', ''],
    ['in no backup', 'database', 'database immich (port 5432)', ''],
    ['in no backup', 'volume', 'volume n8n_data of n8n', ''],
    ['in no backup', 'volume', 'volume grafana of grafana', ''],
    ['in no backup', 'application', 'n8n data in /root/.n8n', ''],
    ['in no backup', 'bucket', 's3:images', ''],
    ['unknown', 'unseen', '/media', ''],
    ['weak', 'bind mount', '/srv/postgres of db', 'srv'],
    ['weak', 'sqlite', '/srv/forgejo/queue\nof.db', 'srv'],
    ['covered', 'database', 'database immich (port 5432)', 'postgres/immich'],
    ['covered', 'bind mount', '/srv/forgejo of forgejo', 'srv'],
    ['covered', 'volume', 'volume backed-up (no container uses it)', 'a volume'],
    ['covered', 'sqlite', '/srv/forgejo/gitea.db', 'forgejo srv'],
    ['covered', 'bucket', '/srv/more', 'srv'],
    ['covered', 'bucket', 's3:kept/photos', 'the tree of s3:kept'],
    ['ignored', 'volume', 'volume left-over (no container uses it)', ''],
  ]);
});

test('an answer that broke off is no answer', () => {
  expect(parseDiscovery(ANSWER.slice(0, -4))).toBeUndefined();
  expect(parseDiscovery('')).toBeUndefined();
  expect(parseDiscovery('nonsense\0x\0end\0')).toBeUndefined();
});
