import { createCipheriv, randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { makeKey, pinOf } from '../../../../lab/hosts/keys';
import { run } from '../../../../lab/hosts/programs';
import { startSystemdHost, type SystemdHost } from '../../../../lab/hosts/systemd-host';
import { postgresPrograms, type PostgresServer, startPostgres } from '../../../../lab/postgres';
import { closeSessions } from '../../../../lib/host/sessions';
import { auditEstate } from '../../../../lib/inventory/audit/audit';
import { lookAtHost } from '../../../../lib/inventory/audit/look';
import { parseInventory } from '../../../../lib/inventory/parse';
import type { JsonObject } from '../../../../lib/json';
import { describeAsRoot } from '../../lab/as-root';
import { access, task } from '../host/lab-access';

jest.setTimeout(120_000);

const KEY = '0123456789abcdef0123456789abcdef';

describeAsRoot('the audit of an estate', () => {
  let bruno: SystemdHost;
  let eva: SystemdHost;
  let database: PostgresServer;
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-audit-'));

  beforeAll(async () => {
    [bruno, eva, database] = await Promise.all([
      startSystemdHost({ name: 'bruno' }),
      startSystemdHost({ name: 'eva' }),
      startPostgres(),
    ]);
  }, 300_000);
  afterAll(async () => {
    await closeSessions();
    await Promise.all([bruno.stop(), eva.stop(), database.stop()]);
    rmSync(folder, { recursive: true, force: true });
  });

  function write(host: SystemdHost, path: string, text = ''): void {
    mkdirSync(dirname(join(host.root, path)), { recursive: true });
    writeFileSync(join(host.root, path), text);
  }

  /** A real control file, on this timeline, and started with the machine as Debian does. */
  function cluster(host: SystemdHost, timeline: number, start: 'auto' | 'manual'): void {
    const control = join(host.root, 'var/lib/postgresql/15/main/global/pg_control');
    mkdirSync(dirname(control), { recursive: true });
    copyFileSync(join(join(database.socketFolder, 'data'), 'global/pg_control'), control);
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(timeline);
    const file = openSync(control, 'r+');
    writeSync(file, bytes, 0, 4, 48);
    closeSync(file);
    write(host, 'etc/postgresql/15/main/start.conf', `# comment\n${start}\n`);
  }

  const inventory = (more: JsonObject = {}) =>
    parseInventory({
      estate: 'lab',
      timezone: 'UTC',
      hosts: [
        { name: 'bruno', address: bruno.address, provider: 'hetzner' },
        { name: 'eva', address: eva.address, provider: 'ovh' },
      ],
      services: [{ name: 'docs', host: 'bruno', standby: 'eva', project: '/srv/docs' }],
      recipients: { critical: [{ by: 'telegram', chat: '1' }] },
      ...more,
    });
  const hostOf = (name: string) => access(name === 'bruno' ? bruno : eva);
  const audit = (more?: JsonObject, here = 'elsewhere') =>
    auditEstate(inventory(more), hostOf, task(), () => Promise.resolve(here));
  const checks = ({ findings }: Awaited<ReturnType<typeof audit>>) =>
    findings.map(({ severity, host, check, file }) => `${severity} ${host} ${check} ${file ?? ''}`.trim());

  test('an estate that fits its inventory has nothing to say but what the machines lack', async () => {
    const found = await audit();
    expect(checks(found).filter((text) => !text.includes('no_swap'))).toEqual(['low bruno no_recovery_order']);
    expect(found.notChecked).toEqual([
      'SSH keys: the inventory lists none',
      'the key of Infisical: the inventory names no copies',
    ]);
  });

  test('keys that the inventory does not list, timers that nothing starts, Syncthing over code and n8n on what it should save are found, each with its place', async () => {
    const [known, stranger] = [await makeKey('ed25519'), await makeKey('ed25519')];
    const login = await run(['ssh-keygen', '-lf', bruno.privateKeyFile]);
    const { fingerprint: loginPrint = '' } = /(?<fingerprint>SHA256:\S+)/.exec(login)?.groups ?? {};
    write(bruno, 'root/.ssh/authorized_keys', `${known.publicKey} felipe\nno-pty ${stranger.publicKey} mallory\n`);
    write(bruno, 'etc/systemd/system/backup.service', '[Service]\nType=oneshot\nExecStart=/bin/true\n');
    const timer = '[Timer]\nOnCalendar=daily\n[Install]\nWantedBy=timers.target\n';
    write(bruno, 'etc/systemd/system/backup.timer', timer);
    write(bruno, 'srv/docs/compose.yaml');
    write(bruno, 'srv/.stfolder/x');
    write(bruno, 'srv/docs/content/.stfolder/x');
    const { bootId } = await lookAtHost(hostOf('bruno'), [], task());
    const sshKeys: JsonObject[] = [
      { name: 'n8n', fingerprint: loginPrint },
      { name: 'felipe', fingerprint: pinOf(known.publicKey).fingerprint, hosts: ['eva'] },
    ];
    await run(['chmod', '-R', 'go-w', join(bruno.root, 'root/.ssh')]);
    writeFileSync(
      join(bruno.root, 'etc/ssh/sshd_config.d/keys.conf'),
      'AuthorizedKeysFile /etc/ssh/lab_authorized_keys .ssh/authorized_keys\n',
    );
    const found = await audit({ sshKeys }, bootId);
    expect(checks(found).filter((text) => !/no_swap|no_recovery/.test(text))).toEqual([
      'critical bruno n8n_on_what_it_saves',
      'high bruno syncthing_over_code /srv/.stfolder',
      'high bruno syncthing_over_code /srv/docs/content/.stfolder',
      'high bruno timer_not_enabled /etc/systemd/system/backup.timer',
      'high bruno unlisted_ssh_key /root/.ssh/authorized_keys',
      'high bruno unlisted_ssh_key /root/.ssh/authorized_keys',
      'high eva unlisted_ssh_key /etc/ssh/lab_authorized_keys',
    ]);
    const messages = found.findings.map(({ message }) => message).join('\n');
    expect(messages).toContain('The key "mallory" may log in');
    expect(messages).toContain('The key of felipe, which is not meant for this host, may log in');
    expect(messages).toContain('should move docs away when bruno is lost');
  });

  test('a former primary that would start again is found by the timeline of the one after it; a standby, and one that stays off, are not', async () => {
    cluster(bruno, 3, 'auto');
    cluster(eva, 4, 'auto');
    const { clusters } = await lookAtHost(hostOf('bruno'), [], task());
    const told = await run([
      join(await postgresPrograms(), 'pg_controldata'),
      '-D',
      join(database.socketFolder, 'data'),
    ]);
    expect(clusters).toEqual([
      {
        path: '/var/lib/postgresql/15/main',
        system: /Database system identifier: +(\d+)/.exec(told)?.[1],
        timeline: 3,
        standby: false,
        autostart: true,
      },
    ]);
    const former = async () => checks(await audit()).filter((text) => text.includes('former'));
    expect(await former()).toEqual(['critical bruno former_primary_starts /var/lib/postgresql/15/main']);
    write(bruno, 'var/lib/postgresql/15/main/standby.signal');
    expect(await former()).toEqual([]);
    rmSync(join(bruno.root, 'var/lib/postgresql/15/main/standby.signal'));
    cluster(bruno, 3, 'manual');
    expect(await former()).toEqual([]);
  });

  test('a host whose backups were not restored lately is found by its calendar of drills, and a service without a place in the order', async () => {
    const folders: JsonObject[] = [{ name: 'docs-data', host: 'bruno', path: '/srv/docs/data' }];
    const drills = async () =>
      (await audit({ folders, recoveryOrder: [['docs']] })).findings.filter(({ check }) =>
        ['no_restore_test', 'no_recovery_order'].includes(check),
      );
    expect(await drills()).toMatchObject([
      { severity: 'high', host: 'bruno', message: expect.stringContaining('ever') },
    ]);
    const day = (ago: number) => new Date(Date.now() - ago * 86_400_000).toISOString();
    write(bruno, 'var/lib/selfhost/restore-drills.log', `${day(20)} ok a\n${day(1)} FAILED a\n`);
    expect(await drills()).toMatchObject([{ check: 'no_restore_test', message: expect.stringContaining('20 days') }]);
    write(bruno, 'var/lib/selfhost/restore-drills.log', `${day(20)} ok a\n${day(1)} ok a\n`);
    expect(await drills()).toEqual([]);
  });

  test('copies of the key are compared without leaving their hosts, and one of them must open what Infisical has encrypted', async () => {
    const iv = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', Buffer.from(KEY), iv);
    const sealed = Buffer.concat([cipher.update(randomBytes(32)), cipher.final()]);
    // As Infisical writes encryptedRootKey: no version behind it, unlike what is encrypted with the root key.
    const canary = Buffer.concat([iv, sealed, cipher.getAuthTag()]);
    const keyCanary = canary.toString('hex');
    const keyCopies = [
      { name: 'the running one', host: 'bruno', path: '/srv/infisical/.env' },
      ...['a', 'b', 'c'].map((name) => ({ name, host: 'eva', path: `/root/keys/${name}` })),
    ];
    write(bruno, 'srv/infisical/.env', `# secret\nDB=x\nENCRYPTION_KEY="${KEY}"\n`);
    for (const name of ['a', 'b', 'c']) write(eva, `root/keys/${name}`, `${KEY}\n`);
    chmodSync(join(eva.root, 'root/keys/a'), 0o600);
    const keyed = async (more: JsonObject = {}) => {
      const found = await audit({ keyCopies, keyCanary, ...more });
      expect(JSON.stringify(found)).not.toContain(KEY);
      return checks(found).filter((text) => text.includes('key_'));
    };
    expect(await keyed()).toEqual([]);
    write(eva, 'root/keys/b', `${KEY.replace('0', '1')}\n`);
    rmSync(join(eva.root, 'root/keys/c'));
    expect(await keyed()).toEqual([
      'critical eva key_copy_differs /root/keys/b',
      'critical eva key_copy_missing /root/keys/c',
      'high bruno key_copies_few /srv/infisical/.env',
    ]);
    const wrong = Buffer.from(canary);
    wrong[20] = (wrong[20] ?? 0) ^ 1;
    const opensNothing = 'critical bruno key_opens_nothing /srv/infisical/.env';
    expect(await keyed({ keyCanary: wrong.toString('hex') })).toContain(opensNothing);
    // Newer ones may have the key as base64 under another name.
    const named = (line: string) => write(bruno, 'srv/infisical/.env', `${line}\n`);
    named(`ROOT_ENCRYPTION_KEY=${Buffer.from(KEY).toString('base64')}`);
    expect(await keyed()).not.toContain(opensNothing);
    named('ROOT_ENCRYPTION_KEY=not32bytes');
    expect(await keyed()).toContain(opensNothing);
  });

  test('a host that cannot be reached is named as not checked, and the others are looked at', async () => {
    const gone = { ...access(eva), target: { ...access(eva).target, port: 1 } };
    const found = await auditEstate(
      inventory(),
      (name) => (name === 'eva' ? gone : access(bruno)),
      task(),
      () => Promise.resolve(''),
    );
    expect(found.notChecked.find((text) => text.startsWith('eva: '))).toBeDefined();
    expect(found.findings.some(({ host }) => host === 'bruno')).toBe(true);
  });
});
