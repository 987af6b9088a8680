import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { makeKey } from '../../../../lab/hosts/keys';
import { startSshHost } from '../../../../lab/hosts/ssh-host';
import { withHostKey } from '../../../../lib/hetzner/user-data';
import { knownAs, newHostKey, publicKeyOf } from '../../../../lib/host/new-host-key';
import { runCommand } from '../../../../lib/host/run';
import { quietTask } from '../../../shared/task';

/** Debian's cloud-init with what it imports, unpacked beside the system and not installed into it: it would act on this machine. */
const packages = [
  ...['cloud-init', 'python3-attr', 'python3-blinker', 'python3-certifi', 'python3-chardet', 'python3-configobj'],
  ...['python3-idna', 'python3-jinja2', 'python3-jsonpatch', 'python3-json-pointer', 'python3-jsonschema'],
  ...['python3-jwt', 'python3-markupsafe', 'python3-netifaces', 'python3-oauthlib', 'python3-pyrsistent'],
  ...['python3-requests', 'python3-serial', 'python3-six', 'python3-urllib3', 'python3-yaml'],
];

function must(program: string, args: readonly string[], options: object = {}): string {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', ...options });
  if (status === 0) return stdout;
  throw new Error(`${program} ${args.join(' ')} ended with ${status}: ${stderr}`);
}

interface Read {
  readonly config: Readonly<Record<string, unknown>>;
  readonly others: readonly (readonly [string, string])[];
  readonly hostKeys: readonly string[];
}

describe('the user data of a server with a host key', () => {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-cloud-init-'));
  const system = join(folder, 'system');
  beforeAll(() => {
    must('apt-get', ['download', '-q', '-o', 'APT::Sandbox::User=root', ...packages], { cwd: folder });
    for (const file of readdirSync(folder).filter((name) => name.endsWith('.deb'))) {
      must('dpkg-deb', ['-x', join(folder, file), system]);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** In a mount namespace of its own, where /etc/ssh is that of a fresh image. */
  function firstStart(userData: string): { readonly read: Read; readonly etcSsh: string } {
    const etcSsh = mkdtempSync(join(folder, 'etc-ssh-'));
    for (const type of ['ed25519', 'ecdsa', 'rsa']) {
      must('ssh-keygen', ['-q', '-t', type, '-N', '', '-f', join(etcSsh, `ssh_host_${type}_key`)]);
    }
    mkdirSync(join(etcSsh, 'sshd_config.d'));
    writeFileSync(join(etcSsh, 'sshd_config'), '');
    const inside = 'mount --bind "$1" /etc/ssh && exec python3 -W ignore "$2" "$3"';
    const modules = join(system, 'usr/lib/python3/dist-packages');
    const script = join(__dirname, 'cloud-init.py');
    const args = ['--mount', '--propagation', 'private', 'sh', '-c', inside, 'sh', etcSsh, script, modules];
    return { read: JSON.parse(must('unshare', args, { input: userData })) as Read, etcSsh };
  }

  const mime = [
    'Content-Type: multipart/mixed; boundary="inner"',
    'MIME-Version: 1.0',
    '',
    '--inner',
    'Content-Type: text/cloud-config',
    '',
    '#cloud-config',
    'packages: [vim]',
    '--inner',
    'Content-Type: text/x-shellscript',
    '',
    '#!/bin/sh',
    'true',
    '--inner--',
    '',
  ].join('\n');

  it.each([
    ['none', undefined, {}, []],
    [
      'a cloud-config',
      '#cloud-config\npackages: [curl]\nusers:\n  - name: Ünï\n',
      { packages: ['curl'], users: [{ name: 'Ünï' }] },
      [],
    ],
    ['one that keeps the keys of the image', '#cloud-config\r\nssh_deletekeys: false\r\n', {}, []],
    [
      'one with keys of its own, written so that nobody noticed',
      '#cloud-config\n{ssh_keys: {rsa_private: x}}\n',
      {},
      [],
    ],
    ['a script', '#!/bin/sh\ntrue\n', {}, [['text/x-shellscript', '#!/bin/sh\ntrue\n']]],
    ['parts in MIME', mime, { packages: ['vim'] }, [['text/x-shellscript', '#!/bin/sh\ntrue']]],
  ])(
    'is read by cloud-init beside that of the user (%s), and our key is the only one',
    async (_, userData, config, others) => {
      const key = newHostKey();
      const { read, etcSsh } = firstStart(withHostKey(userData, key));
      const { ssh_keys: keys, ssh_deletekeys: deletes, ...rest } = read.config;
      expect(keys).toEqual({ ed25519_private: key.privateKey, ed25519_public: publicKeyOf(key.raw) });
      expect(deletes).toBe(true);
      expect(rest).toEqual(config);
      expect(read.others).toEqual(others);
      const files = read.hostKeys.filter((name) => name.startsWith('ssh_host_'));
      expect(files).toEqual(['ssh_host_ed25519_key', 'ssh_host_ed25519_key.pub']);
      expect(statSync(join(etcSsh, 'ssh_host_ed25519_key')).mode & 0o777).toBe(0o600);

      // And an sshd with what cloud-init wrote is the host that the pin knows.
      const privateKey = readFileSync(join(etcSsh, 'ssh_host_ed25519_key'), 'utf8');
      const publicKey = readFileSync(join(etcSsh, 'ssh_host_ed25519_key.pub'), 'utf8').trim();
      const host = [{ type: 'ed25519' as const, privateKey, publicKey }];
      const lab = await startSshHost({ name: 'bruno', keys: { host, login: await makeKey('ed25519') } });
      try {
        const { keyType, fingerprint } = knownAs(key.raw, 'bruno', lab.address);
        const target = {
          name: 'bruno',
          aliases: [],
          address: lab.address,
          port: lab.port,
          pins: [{ keyType, fingerprint }],
        };
        const login = { method: 'key', privateKey: lab.privateKey } as const;
        const identity = {
          user: lab.user,
          login,
          sudo: { mode: 'none' },
          hosts: [target],
          pinsFromWorkflow: false,
          readOnly: false,
        } as const;
        const { stdout } = await runCommand({ target, identity }, { argv: ['echo', 'hi'] }, {}, quietTask());
        expect(stdout).toBe('hi\n');
      } finally {
        await lab.stop();
      }
    },
  );
});
