import { parseInventory } from '../../../../lib/inventory/parse';
import { isFailure } from '../../../../lib/failure';

const member = { name: 'bruno', version: '15' };
const cluster = { name: 'immich', members: [member, { name: 'standby', host: 'eva', version: '15' }] };
const zone = { zone: 'kua.cl', at: 'cloudflare', owner: 'n8n', names: [{ name: 'git.kua.cl', host: 'bruno' }] };
const small = {
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [
    { name: 'bruno', address: '203.0.113.1', provider: 'hetzner', server: 'bruno' },
    { name: 'eva', address: '203.0.113.2', provider: 'ovh' },
  ],
  domains: [zone],
  recipients: { critical: [{ by: 'telegram', chat: '1' }] },
};

function mistakes(inventory: unknown): readonly string[] {
  try {
    parseInventory(inventory);
    return [];
  } catch (error) {
    if (!isFailure(error, 'inventory_wrong')) throw error;
    return error.details['mistakes'] as readonly string[];
  }
}

test('a cluster needs a name and its members; the rest is what loses nothing and harms least', () => {
  const { clusters } = parseInventory({ ...small, clusters: [cluster] });
  expect(clusters).toEqual([
    {
      ...cluster,
      ...{ preferred: '', names: [], routes: [], synchronous: true, commitFence: false, firewall: false },
      ...{ powerOff: false, allowCopy: false, allowRestart: false },
      ...{ stanza: '', backupMember: '', backupConfig: '', scratch: '' },
    },
  ]);
});

test('what is automatic may name a cluster', () => {
  expect(mistakes({ ...small, clusters: [cluster], automatic: { failover: ['immich'] } })).toEqual([]);
});

test.each([
  ['without members', { members: [] }, 'cluster immich has no members'],
  [
    'whose member stands nowhere',
    { members: [{ name: 'brno' }] },
    'cluster immich, member brno: "brno" is none of the hosts',
  ],
  ['that prefers a stranger', { preferred: 'eva' }, 'cluster immich: "eva" is none of its members'],
  [
    'whose power nobody can cut',
    { powerOff: true },
    'cluster immich: eva has no "server" by which its power could be cut',
  ],
  ['with a name in no zone', { names: ['db.kua.com'] }, 'cluster immich: db.kua.com is in none of the zones'],
  [
    'with a name that belongs to a host',
    { names: ['git.kua.cl'] },
    'cluster immich: git.kua.cl follows its primary, and stands as the name of a host in kua.cl, too',
  ],
  [
    'with a pooler that serves nothing',
    { routes: [{ kind: 'pgbouncer', host: 'eva' }] },
    'cluster immich: PgBouncer on eva needs its databases',
  ],
  [
    'with a balancer that stands nowhere',
    { routes: [{ kind: 'haproxy', host: 'ev' }] },
    'cluster immich, routes: "ev" is none of the hosts',
  ],
])('a cluster %s is refused', (_, change, mistake) => {
  expect(mistakes({ ...small, clusters: [{ ...cluster, ...change }] })).toEqual([mistake]);
});

test('a drill of a cluster that is not there, or has no backups, is refused', () => {
  const drill = { name: 'a', kind: 'switchover', of: 'imich', everyDays: 30 };
  expect(mistakes({ ...small, clusters: [cluster], drills: [drill] })).toEqual([
    'drill a, of: "imich" is none of the clusters',
  ]);
  const backups = { name: 'b', kind: 'pgbackrest', of: 'immich', everyDays: 7 };
  expect(mistakes({ ...small, clusters: [cluster], drills: [backups] })).toEqual([
    'cluster immich has a drill of its backups, and no stanza',
  ]);
});
