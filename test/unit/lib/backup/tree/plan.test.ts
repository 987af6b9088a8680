import {
  checkTreePlan,
  repositoryOf,
  treePlanFields,
  treeSecrets,
  type TreePlan,
} from '../../../../../lib/backup/tree/plan';

const plan: TreePlan = {
  set: 'photos',
  vault: { crypt: 'vault', rclone: { kind: 'text', text: '[vault]\npassword = obscured-password\n' } },
  password: 'the repository word',
  tree: { name: 'Tree/Photos', path: '/srv/photos', marker: '.mounted', excludes: ['skip'], oneFileSystem: true },
  destinations: [
    { name: 'eva', remote: 'eva:backups', provider: 'ovh', bandwidth: '10M' },
    { name: 'drive', remote: 'drive:', provider: 'google' },
  ],
  home: { host: 'bruno', provider: 'hetzner' },
  quorum: 2,
  logFile: null,
};

function refusal(change: Partial<TreePlan>): string {
  try {
    checkTreePlan({ ...plan, ...change });
    return 'accepted';
  } catch (error) {
    return String(error).replace(/^.*as it is described: /, '');
  }
}

describe('the plan of a tree', () => {
  test('puts every repository beside the encrypted tree of the other backups, never into it', () => {
    expect(plan.destinations.map((each) => repositoryOf(each, plan.tree.name))).toEqual([
      'eva:backups-trees/tree-photos',
      'drive:selfhost-trees/tree-photos',
    ]);
    const [eva] = plan.destinations;
    expect(repositoryOf({ ...eva, remote: '/mnt/usb/' }, 'a')).toBe('/mnt/usb-trees/a');
    expect(repositoryOf({ ...eva, repository: 'eva:elsewhere' }, 'a')).toBe('eva:elsewhere');
  });

  test('is refused before anything starts when it cannot be done', () => {
    expect(refusal({})).toBe('accepted');
    expect(refusal({ quorum: 3 })).toContain('only 2 failure domains');
    expect(refusal({ password: 'short' })).toContain('less than 8 characters');
    expect(refusal({ tree: { ...plan.tree, path: 'relative' } })).toContain('is not absolute');
    expect(refusal({ tree: { ...plan.tree, marker: '/etc/passwd' } })).toBe('its marker is not a path below it');
    const { path: _, ...bucket } = { ...plan.tree, remote: 'media:kuanary' };
    expect(refusal({ tree: bucket })).toBe('accepted');
    expect(refusal({ tree: { ...bucket, path: '/srv' } })).toBe('it needs either a path or a remote');
    expect(refusal({ tree: { name: 'neither' } })).toBe('it needs either a path or a remote');
    expect(refusal({ tree: { ...bucket, remote: '/srv/photos' } })).toBe('its remote is not like media:bucket');
    expect(refusal({ tree: { ...bucket, tolerateChanges: true } })).toContain('is always a failure');
    expect(refusal({ destinations: [{ ...plan.destinations[0], repository: '--password-file' }], quorum: 1 })).toBe(
      'eva has no place for a repository',
    );
  });

  test('becomes fields with defaults filled in, and knows its secrets', () => {
    expect(treePlanFields(plan, 'run-1')).toMatchObject({
      run: 'run-1',
      set: 'photos',
      password: 'the repository word',
      spool: '/var/lib/selfhost/spool',
      'source.0.id': 'Tree/Photos@bruno',
      'source.0.folder': 'tree-photos',
      'source.0.path': '/srv/photos',
      'source.0.marker': '.mounted',
      'source.0.oneFileSystem': 'yes',
      'source.0.tolerateChanges': undefined,
      'source.0.exclude.0': 'skip',
      log: undefined,
      'leg.0.repository': 'eva:backups-trees/tree-photos',
      'leg.0.bandwidth': '10M',
      'leg.1.host': '-',
    });
    expect(treeSecrets(plan)).toEqual(['obscured-password', 'the repository word']);
  });
});
