import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAnswer, type Answer } from '../../../../../lib/host/facts/answer';
import { SECTIONS, type Section } from '../../../../../lib/host/facts/facts';
import { factsOf } from '../../../../../lib/host/facts/read-facts';

const now = new Date('2026-11-20T17:31:41.000Z');

/** What the script printed on a Debian 12, its NULs shown as ␀. */
function recorded(name: string): Answer {
  return read(readFileSync(join(__dirname, `${name}.txt`), 'utf8').replaceAll('␀', '\0'));
}

function read(output: string): Answer {
  const answer = parseAnswer(output);
  if (answer === undefined) throw new Error('The answer has no end');
  return answer;
}

/** An answer of these names and values. */
function said(values: readonly (readonly [string, string])[]): Answer {
  return read([...values, ['end', ''] as const].map(([name, value]) => `${name}\0${value}\0`).join(''));
}

const see = (values: readonly (readonly [string, string])[], section: Section) => {
  const { [section]: value, notSeen } = factsOf(said(values), [section], undefined, now);
  return { value, why: notSeen.map(({ why }) => why) };
};

test('a whole look at a Debian 12 as root', () => {
  const trip = { askedAt: 1795195901_130, answeredAt: 1795195901_140 };
  expect(factsOf(recorded('debian-12-root'), SECTIONS, trip, now)).toEqual({
    takenAt: '2026-11-20T17:31:41.000Z',
    system: {
      hostname: 'bruno',
      id: 'debian',
      version: '12',
      prettyName: 'Debian GNU/Linux 12 (bookworm)',
      kernel: '6.1.0-37-amd64',
      architecture: 'x86_64',
      virtualisation: 'systemd-nspawn',
    },
    boot: { id: '11111111-2222-4333-8444-555555555555', time: '2026-11-20T16:55:20.570Z', uptimeSeconds: 2180.43 },
    cpu: { count: 2, load1: 4.78, load5: 4.09, load15: 2.33 },
    memory: {
      totalBytes: 24684084 * 1024,
      availableBytes: 23850020 * 1024,
      usedPercent: 3.4,
      swapTotalBytes: 0,
      swapFreeBytes: 0,
      swapUsedPercent: null,
    },
    disks: [
      {
        mount: '/',
        device: 'overlay',
        type: 'overlay',
        readOnly: false,
        state: 'read',
        sizeBytes: 66053021 * 4096,
        usedBytes: (66053021 - 62034672) * 4096,
        freeBytes: 19856967 * 4096,
        usedPercent: 17,
        inodes: 16777216,
        inodesFree: 16064572,
        inodesUsedPercent: 5,
      },
      expect.objectContaining({ mount: '/run/host/os-release', device: '/dev/sda1', readOnly: true }),
    ],
    ports: [
      { protocol: 'tcp', address: '::', port: 22, reach: 'public', userId: 0, process: 'sshd', processId: 33 },
      { protocol: 'tcp', address: '0.0.0.0', port: 22, reach: 'public', userId: 0, process: 'sshd', processId: 33 },
    ],
    reboot: {
      pending: 'unknown',
      reasons: [],
      packages: [],
      runningKernel: '6.1.0-37-amd64',
      newestKernel: null,
    },
    updates: {
      manager: 'apt',
      count: 2,
      securityCount: 1,
      packages: [
        { name: 'hostname', from: '3.23+nmu1', to: '3.23+nmu1+lab1', security: false },
        { name: 'login', from: '1:4.13+dfsg1-1+deb12u2', to: '1:4.13+dfsg1-1+deb12u2+lab1', security: true },
      ],
      listsFrom: '2026-11-20T17:31:41.000Z',
    },
    clock: { offsetMs: 1, errorMs: 6, synchronised: 'no', source: 'timedatectl' },
    units: { failedCount: 0, failed: [] },
    users: { sessions: 0, names: [] },
    notSeen: [
      {
        section: 'reboot',
        extent: 'part',
        why: 'nothing on this host keeps a reboot marker, and it shows no installed kernels',
        missingTool: null,
      },
    ],
  });
});

test('without root the processes are null, and that is said', () => {
  const { ports, notSeen } = factsOf(recorded('debian-12-plain'), ['ports'], undefined, now);
  expect(ports?.map(({ process }) => process)).toEqual([null, null]);
  expect(notSeen.map(({ why }) => why)).toEqual(['the processes of other users are shown only to root']);
});

test('an answer without its end is no answer', () => {
  expect(parseAnswer('hostname\0bruno\0')).toBeUndefined();
  expect(parseAnswer('')).toBeUndefined();
});

test('an empty answer makes every section null, and says why for each', () => {
  const facts = factsOf(said([]), SECTIONS, undefined, now);
  for (const section of SECTIONS) expect([section, facts[section]]).toEqual([section, null]);
  expect(new Set(facts.notSeen.map(({ section, extent }) => `${section} ${extent}`))).toEqual(
    new Set(SECTIONS.map((section) => `${section} all`)),
  );
});

describe('disks', () => {
  const disk = (mount: string, answer: readonly [string, string]) =>
    see([['mount 1', mount], answer, ['mounts', '1']], 'disks');

  test('a mount that does not answer is told apart from one that may not be read', () => {
    const mount = String.raw`nfs4 nas:/photos\040old /mnt/photos\040old rw`;
    const known = { mount: '/mnt/photos old', device: 'nas:/photos old', type: 'nfs4', readOnly: false };
    const silent = {
      value: [{ ...known, state: 'not answering' }],
      why: ['/mnt/photos old (nfs4 of nas:/photos old) does not answer'],
    };
    expect(disk(mount, ['slow disk 1', ''])).toEqual(silent);
    expect(disk(mount, ['disk 1', '\n137'])).toEqual(silent);
    expect(disk(mount, ['disk 1', '\n1'])).toMatchObject({ value: [{ ...known, state: 'unreadable' }] });
  });

  test('what is kept for root counts as df counts it, and a file system without inodes has none', () => {
    expect(disk('btrfs /dev/sdb / rw', ['disk 1', '4096 1000 150 100 0 0\n0'])).toMatchObject({
      value: [{ sizeBytes: 4096000, usedBytes: 850 * 4096, freeBytes: 409600, usedPercent: 90, inodes: null }],
    });
  });
});

describe('ports', () => {
  test.each([
    ['tcp 0100007F:1538', '127.0.0.1', 'loopback', 5432],
    ['tcp 3500007F:0035', '127.0.0.53', 'loopback', 53],
    ['tcp 00000000:0016', '0.0.0.0', 'public', 22],
    ['tcp 0101A8C0:0050', '192.168.1.1', 'private', 80],
    ['tcp 24E75164:0050', '100.81.231.36', 'private', 80],
    ['tcp6 00000000000000000000000001000000:1538', '::1', 'loopback', 5432],
    ['tcp6 0000000000000000FFFF00000100007F:1F90', '::ffff:127.0.0.1', 'loopback', 8080],
    ['tcp6 B80D0120000000000000000001000000:01BB', '2001:db8::1', 'public', 443],
    ['tcp6 000080FE000000000000000001000000:01BB', 'fe80::1', 'private', 443],
  ])('%s is %s, %s', (line, address, reach, port) => {
    expect(
      see(
        [
          ['port', `${line} 0 1`],
          ['table', 'tcp'],
          ['uid', '0'],
        ],
        'ports',
      ).value,
    ).toEqual([{ protocol: 'tcp', address, port, reach, userId: 0, process: null, processId: null }]);
  });

  test('a socket that several processes hold is that of the first; a name may hold blanks', () => {
    const owners = '7 900 nginx: worker\n7 80 nginx: master process\n\n0';
    expect(
      see(
        [
          ['port', 'tcp 00000000:0050 0 7'],
          ['table', 'tcp'],
          ['uid', '0'],
          ['owners', owners],
        ],
        'ports',
      ).value,
    ).toMatchObject([{ process: 'nginx: master process', processId: 80 }]);
  });
});

describe('reboot', () => {
  const kernel = ['running-kernel', '6.8.0-45-generic'] as const;
  test.each([
    ['yes', 'a newer kernel of the same kind', ['6.8.0-9-generic', '6.8.0-45-generic', '6.8.0-100-generic']],
    ['no', 'only kernels of another kind are newer', ['6.8.0-45-generic', '6.11.0-1015-aws']],
  ])('%s: %s', (pending, _, installed) => {
    const kernels = installed.map((name) => ['installed-kernel', name] as const);
    expect(see([kernel, ...kernels, ['reboot-marker-kept-by', '/x']], 'reboot').value).toMatchObject({ pending });
  });

  test('no marker where nobody keeps one is unknown, not no', () => {
    expect(see([kernel, ['installed-kernel', '6.8.0-45-generic']], 'reboot')).toMatchObject({
      value: { pending: 'unknown' },
      why: ['the newest kernel runs, but nothing on this host keeps a reboot marker for the rest'],
    });
  });
});

describe('updates', () => {
  test.each([
    [
      'lists that were never fetched',
      [
        ['packages', 'apt'],
        ['no lists', ''],
      ],
      /never fetched/,
    ],
    ['another package manager', [['packages', 'dnf']], /dnf/],
    [
      'apt-get that fails',
      [
        ['packages', 'apt'],
        ['simulation', '\n100'],
      ],
      /exit code 100/,
    ],
    [
      'apt-get that takes too long',
      [
        ['packages', 'apt'],
        ['slow simulation', ''],
      ],
      /too long/,
    ],
  ] as const)('%s: unknown, never none', (_, values, why) => {
    expect(see(values, 'updates')).toEqual({ value: null, why: [expect.stringMatching(why)] });
  });

  test('a package that would be newly installed is no update; one from two archives is security if one of them is', () => {
    const simulation = [
      'Inst linux-image-6.1.0-38-amd64 (6.1.147-1 Debian-Security:12/oldstable-security [amd64])',
      'Inst linux-image-amd64 [6.1.140-1] (6.1.147-1 Debian:12.15/oldstable, Debian-Security:12/oldstable-security [amd64])',
      'Inst perl-base [5.36.0-7] (5.36.0-8 Debian:12.15/oldstable [amd64]) [perl:amd64 ]',
      '\n0',
    ].join('\n');
    expect(
      see(
        [
          ['packages', 'apt'],
          ['simulation', simulation],
        ],
        'updates',
      ).value,
    ).toMatchObject({
      count: 2,
      securityCount: 1,
      listsFrom: null,
    });
  });
});

describe('clock', () => {
  const trip = { askedAt: 1_000_000, answeredAt: 1_000_100 };
  const clock = (values: readonly (readonly [string, string])[]) => factsOf(said(values), ['clock'], trip, now).clock;

  test('a host that is ahead has a positive offset, with half the round trip as bound', () => {
    expect(clock([['clock', '1005.050000']])).toEqual({
      offsetMs: 5000,
      errorMs: 51,
      synchronised: 'unknown',
      source: null,
    });
  });

  test('a clock that tells seconds only is half a second less certain', () => {
    expect(clock([['clock', '1005.%N']])).toMatchObject({ offsetMs: 5450, errorMs: 550 });
  });

  test.each([
    ['Normal', 'yes'],
    ['Insert second', 'yes'],
    ['Not synchronised', 'no'],
  ])('chrony with leap status %s: %s', (leap, synchronised) => {
    const chronyc = `Reference ID    : D8EF230C\nStratum         : 2\nLeap status     : ${leap}\n\n0`;
    expect(
      clock([
        ['clock', '1005.0'],
        ['chronyc', chronyc],
        ['timedatectl', 'NTPSynchronized=no\n\n0'],
      ]),
    ).toMatchObject({ synchronised, source: 'chronyc' });
  });
});

test('failed units are read with and without the bullet', () => {
  const list = '● nginx.service loaded failed failed A web server\nbackup@home.service loaded failed failed x\n\n0';
  expect(see([['failed-units', list]], 'units').value).toEqual({
    failedCount: 2,
    failed: ['nginx.service', 'backup@home.service'],
  });
});

test('who sits at several terminals counts once by name', () => {
  const who = 'root     pts/0        2026-11-20 17:31 (192.0.2.7)\nana      tty1  x\nroot     pts/1        x\n\n0';
  expect(see([['who', who]], 'users').value).toEqual({ sessions: 3, names: ['ana', 'root'] });
});
