import { parseLook } from '../../../../../lib/inventory/audit/look';

const answer = (...words: readonly string[]) => words.map((word) => `${word}\0`).join('');

test('a whole answer is read, and what a command could not see stands beside it', () => {
  const text = answer(
    ...['boot', 'b-1\n', 'memory', '2048', 'swap', '0'],
    ...['key', '/root/.ssh/authorized_keys', '256 SHA256:abc/+ felipe at home (ED25519)'],
    ...['key', '/root/.ssh/authorized_keys', 'is not a public key file'],
    ...['timer', 'backup.timer', 'synced', '/srv', '/srv/docs'],
    ...['cluster', '/var/lib/postgresql/15/main', ' 7400000000000000000', '          3', 'no', 'yes'],
    ...['drill', '2026-01-25T05:00:00.000Z'],
    ...['not seen', 'SSH keys in /home/x: it may not be read', 'end'],
  );
  expect(parseLook(text)).toEqual({
    bootId: 'b-1',
    memoryBytes: 2048 * 1024,
    swapBytes: 0,
    keys: [{ file: '/root/.ssh/authorized_keys', fingerprint: 'SHA256:abc/+', comment: 'felipe at home' }],
    idleTimers: ['backup.timer'],
    synced: [{ folder: '/srv', code: '/srv/docs' }],
    clusters: [
      {
        path: '/var/lib/postgresql/15/main',
        system: '7400000000000000000',
        timeline: 3,
        standby: false,
        autostart: true,
      },
    ],
    lastDrill: '2026-01-25T05:00:00.000Z',
    notSeen: ['SSH keys in /home/x: it may not be read'],
  });
});

test('an answer that was cut off is none', () => {
  expect(parseLook(answer('boot', 'b-1', 'memory', '2048'))).toBeUndefined();
});
