import { checkPlan, folderOf, type BackupPlan, type Destination } from '../../../../lib/backup/plan';
import { planFields, renderFields, secretsOf } from '../../../../lib/backup/plan-fields';

const eva: Destination = { name: 'eva', remote: 'eva:backups', provider: 'ovh', host: 'eva' };
const drive: Destination = { name: 'drive', remote: 'drive:', provider: 'google', bandwidth: '10M', undeletable: true };

const plan: BackupPlan = {
  set: 'nightly',
  vault: {
    crypt: 'vault',
    rclone: { kind: 'text', text: '[vault]\ntype = crypt\npassword = obscured-password\n', password: 'config word' },
  },
  sources: [
    { kind: 'postgres', name: 'postgres/immich', database: 'immich', runAs: 'postgres', password: 'database word' },
  ],
  destinations: [eva, drive],
  home: { host: 'bruno', provider: 'hetzner' },
  quorum: 2,
};

function refusal(change: Partial<BackupPlan>): unknown {
  try {
    checkPlan({ ...plan, ...change });
    return 'accepted';
  } catch (error) {
    return error instanceof Error ? error.message.replace('The backup cannot be run as it is described: ', '') : error;
  }
}

describe('the plan of a backup', () => {
  test('is refused before anything starts when it cannot keep its promise', () => {
    expect(refusal({})).toBe('accepted');
    expect(refusal({ quorum: 3 })).toBe('its quorum is 3, but its destinations are only 2 failure domains');
    expect(refusal({ destinations: [eva, { ...drive, provider: 'ovh' }] })).toBe(
      'its quorum is 2, but its destinations are only 1 failure domains',
    );
    expect(refusal({ destinations: [{ ...eva, host: 'bruno' }, drive] })).toBe(
      'its quorum is 2, but its destinations are only 1 failure domains',
    );
    expect(refusal({ quorum: 0 })).toBe('its quorum is not 1 or more');
    expect(refusal({ destinations: [eva, { ...drive, name: 'eva' }] })).toBe('two destinations are called eva');
    expect(refusal({ destinations: [eva, { ...drive, remote: '--config' }] })).toBe('drive has no remote');
    expect(refusal({ set: '../etc' })).toBe('"../etc" is no name for a set; use a-z, 0-9 and -');
    expect(refusal({ level: 22 })).toBe('its compression level is not 1 to 19');
  });

  test('names of containers and volumes are plain before a docker client sees them', () => {
    const container = '--privileged';
    expect(refusal({ sources: [{ kind: 'mysql', name: 'shop', database: 'shop', container }] })).toBe(
      'shop has no plain name of a container or volume',
    );
    expect(refusal({ sources: [{ kind: 'docker-volume', name: 'photos', volume: '/etc' }] })).toBe(
      'photos has no plain name of a container or volume',
    );
    expect(refusal({ sources: [{ kind: 'docker-volume', name: 'photos', volume: 'immich_photos' }] })).toBe('accepted');
  });

  test('two sources never share a folder', () => {
    expect(folderOf({ name: 'Postgres/Immich' })).toBe('postgres-immich');
    const twice = [
      { kind: 'command', name: 'a/b', argv: ['true'] },
      { kind: 'command', name: 'a@b', argv: ['true'] },
    ] as const;
    expect(refusal({ sources: twice })).toBe('two sources would share the folder a-b');
  });

  test('becomes pairs that end with a seal, with defaults filled in and nothing that was not given', () => {
    const pairs = renderFields(planFields(plan, 'run-1', false))
      .toString()
      .split('\0');
    const map = Object.fromEntries(
      pairs.flatMap((key, index) => (index % 2 === 0 && key !== '' ? [[key, pairs[index + 1]]] : [])),
    );
    expect(map).toEqual({
      vault: 'vault',
      'rclone.text': '[vault]\ntype = crypt\npassword = obscured-password\n',
      'rclone.password': 'config word',
      run: 'run-1',
      set: 'nightly',
      host: 'bruno',
      provider: 'hetzner',
      quorum: '2',
      level: '3',
      log: '/var/log/backup-scatter.log',
      spool: '/var/lib/selfhost/spool',
      limitBytes: '0',
      partBytes: '67108864',
      reserveBytes: '1073741824',
      roomWaitSeconds: '3600',
      keepHours: '48',
      sources: '1',
      'source.0.id': 'postgres/immich@bruno',
      'source.0.folder': 'postgres-immich',
      'source.0.kind': 'postgres',
      'source.0.database': 'immich',
      'source.0.runAs': 'postgres',
      'source.0.password': 'database word',
      legs: '2',
      'leg.0.name': 'eva',
      'leg.0.remote': 'eva:backups',
      'leg.0.provider': 'ovh',
      'leg.0.host': 'eva',
      'leg.1.name': 'drive',
      'leg.1.remote': 'drive:',
      'leg.1.provider': 'google',
      'leg.1.host': '-',
      'leg.1.bandwidth': '10M',
      'leg.1.undeletable': 'yes',
      end: 'yes',
    });
    expect(pairs.slice(-3)).toEqual(['end', 'yes', '']);
  });

  test('knows its secrets, so that they can be taken out of what programs say', () => {
    expect(secretsOf(plan.vault, plan.sources)).toEqual(['database word', 'obscured-password', 'config word']);
  });
});
