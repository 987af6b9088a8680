import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { startMail, type MailServer } from '../../../../lab/mail';
import { startMariadb, type MariadbServer } from '../../../../lab/mariadb';
import { startRedis } from '../../../../lab/n8n/services';
import { startPostgres, type PostgresServer } from '../../../../lab/postgres';
import { startSshHost, type SshHost } from '../../../../lab/hosts/ssh-host';
import { until } from '../../../../lab/hosts/waiting';
import { checkNow } from '../../../../lib/health/check-now';
import { parseTargets, USUAL_DEFAULTS } from '../../../../lib/health/target';
import { closeSessions } from '../../../../lib/host/sessions';
import { backupName, manifestFile } from '../../../../lib/manifest/names';
import { hostOf } from '../../../../lab/hosts/as-host';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../lab/as-root';

jest.setTimeout(60_000);

const secrets: Record<string, string> = {};
let bruno: SshHost | undefined;

/** What is found of one target, looked at once: `wrong: it is a standby`. */
async function found(kind: string, written: Readonly<Record<string, unknown>>): Promise<string> {
  const targets = parseTargets({ name: 'it', kind, deadlineSeconds: 20, ...written }, USUAL_DEFAULTS);
  const [news] = await checkNow(
    targets,
    {
      hostOf: () => {
        if (bruno === undefined) throw new Error('there is no host');
        return hostOf(bruno);
      },
      secretOf: (reference) => Promise.resolve(secrets[reference] ?? ''),
    },
    1,
    quietTask(),
  );
  return `${news?.status ?? ''}: ${(news?.evidence ?? '').replace(/^\w+: /, '')}`;
}

describe('a real PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
    secrets['credential:PG'] = server.password;
  });
  afterAll(() => server.stop());

  const at = (changes: object = {}) =>
    found('postgres', {
      host: '127.0.0.1',
      port: server.port,
      user: 'postgres',
      password: 'credential:PG',
      ...changes,
    });

  test('lets in, and takes changes as long as it is not read-only', async () => {
    expect(await at()).toBe('ok: it answers');
    expect(await at({ writable: true })).toBe('ok: it answers');
    expect(await at({ maxLagSeconds: 10 })).toBe('wrong: it is no standby');
    await server.sql("alter role postgres set default_transaction_read_only = 'on'");
    expect(await at({ writable: true })).toBe('wrong: it is read-only');
    await server.sql(
      "set default_transaction_read_only = 'off'; alter role postgres reset default_transaction_read_only",
    );
  });

  test('refuses a wrong password, and the evidence does not have it', async () => {
    secrets['credential:WRONG'] = 'wrong-password-1';
    const says = await at({ password: 'credential:WRONG' });
    expect(says).toMatch(/^wrong: it refused the login of postgres/);
    expect(says).not.toContain('wrong-password-1');
  });
});

describe('a real MariaDB', () => {
  let server: MariadbServer;
  beforeAll(async () => {
    server = await startMariadb();
    secrets['credential:MYSQL'] = 'its password';
    await server.sql("create user probe@'127.0.0.1' identified by 'its password'");
  });
  afterAll(() => server.stop());

  const at = (changes: object = {}) => found('mysql', { host: '127.0.0.1', port: server.port, ...changes });
  const login = { user: 'probe', password: 'credential:MYSQL' };

  test('greets, lets in, and takes changes as long as it is not read-only', async () => {
    expect(await at()).toMatch(/^ok: it greets, version .*MariaDB/);
    expect(await at({ ...login, writable: true })).toMatch(/^ok: it answers, version .*MariaDB/);
    await server.sql('set global read_only = 1');
    expect(await at({ ...login, writable: true })).toBe('wrong: it lets in, and is read-only');
    expect(await at(login)).toMatch(/^ok: it answers/);
    await server.sql('set global read_only = 0');
  });

  test('refuses a wrong password', async () => {
    secrets['credential:WRONG'] = 'another password';
    expect(await at({ ...login, password: 'credential:WRONG' })).toMatch(/^wrong: it refuses the login: Access denied/);
  });
});

test('a real Redis answers', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-redis-'));
  // Redis runs as another user, who has to pass through here.
  chmodSync(folder, 0o711);
  const redis = await startRedis({ folder: join(folder, 'data'), logs: folder });
  try {
    expect(await found('redis', { host: '127.0.0.1', port: redis.port })).toBe('ok: it answers');
    secrets['credential:REDIS'] = 'wrong';
    const locked = { host: '127.0.0.1', port: redis.port, password: 'credential:REDIS' };
    expect(await found('redis', locked)).toBe('wrong: it refuses the password');
  } finally {
    await redis.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});

describeAsRoot('a real Exim and a real Dovecot', () => {
  let mail: MailServer;
  beforeAll(async () => {
    mail = await startMail();
    secrets['credential:MAIL'] = mail.password;
  });
  afterAll(() => mail.stop());

  const trip = (changes: object = {}) => ({
    sender: 'monitor@example.test',
    recipient: mail.address,
    smtp: { host: '127.0.0.1', port: mail.smtpPort },
    imap: { host: '127.0.0.1', port: mail.imapPort, user: mail.user, password: 'credential:MAIL' },
    ...changes,
  });

  test('greet', async () => {
    expect(await found('smtp', { host: '127.0.0.1', port: mail.smtpPort })).toMatch(/^ok: 220 mail.example.test ESMTP/);
    expect(await found('imap', { host: '127.0.0.1', port: mail.imapPort })).toMatch(/^ok: OK \[CAPABILITY /);
    expect(await found('imap', { host: '127.0.0.1', port: mail.smtpPort })).toBe(
      'wrong: what listens there is no IMAP server',
    );
  });

  test('carry a letter round, and it is taken away again', async () => {
    expect(await found('mail', trip())).toMatch(/^ok: its letter arrived after \d+\.\d s$/);
    expect(await found('mail', trip())).toMatch(/^ok: its letter arrived after \d+\.\d s$/);
  });

  /** Each as it is usual for its port. */
  const servers = (encryption: 'starttls' | 'tls', changes: object = {}) => {
    const by = { host: '127.0.0.1', encryption, authority: mail.authority, ...changes };
    const login = { user: mail.user, password: 'credential:MAIL' };
    const [smtp, imap] = encryption === 'tls' ? [mail.smtpsPort, mail.imapsPort] : [mail.smtpPort, mail.imapPort];
    return { smtp: { ...by, port: smtp, ...login }, imap: { ...by, port: imap, ...login } };
  };

  test.each(['starttls', 'tls'] as const)(
    'by %s they greet, and carry a letter round with a login',
    async (encryption) => {
      const { smtp, imap } = servers(encryption);
      const without = ({ user: _, password: __, ...server }: typeof smtp) => server;
      expect(await found('smtp', without(smtp))).toMatch(/^ok: 220 mail.example.test ESMTP/);
      expect(await found('imap', without(imap))).toMatch(/^ok: OK \[CAPABILITY /);
      expect(await found('mail', trip({ smtp, imap }))).toMatch(/^ok: its letter arrived after \d+\.\d s$/);
      // Taken away again.
      expect(await mail.letters()).toEqual([]);
    },
  );

  test.each(['starttls', 'tls'] as const)(
    'by %s nothing is sent to whoever has no certificate for the name',
    async (encryption) => {
      const { smtp, imap } = servers(encryption, { serverName: 'elsewhere.test' });
      expect(await found('mail', trip({ smtp, imap }))).toMatch(/^wrong: Hostname\/IP does not match/);
      expect(await found('mail', trip(servers(encryption, { authority: undefined })))).toMatch(/^wrong: .*certificate/);
      expect(await mail.letters()).toEqual([]);
      const right = servers(encryption);
      expect(await found('mail', trip({ smtp: right.smtp, imap }))).toMatch(/^wrong: Hostname\/IP does not match/);
      const lies = async () => ((await mail.letters()).length > 0 ? true : undefined);
      await until('the letter that nobody fetched is there', 20_000, lies);
      expect(await found('mail', trip(right))).toMatch(/^ok: /);
    },
  );

  test('a login to send that is refused is told, without the password', async () => {
    secrets['credential:WRONG'] = 'planted-wrong';
    const { smtp, imap } = servers('starttls');
    const says = await found('mail', trip({ smtp: { ...smtp, password: 'credential:WRONG' }, imap }));
    expect(says).toBe('wrong: it refuses the login to send');
  });

  test('a letter that is refused, a login that is refused and a letter that lies in a queue are told apart', async () => {
    expect(await found('mail', trip({ recipient: 'nobody@elsewhere.test' }))).toMatch(
      /^wrong: it does not take the recipient: 550/,
    );
    secrets['credential:WRONG'] = 'not it';
    const imap = { host: '127.0.0.1', port: mail.imapPort, user: mail.user, password: 'credential:WRONG' };
    expect(await found('mail', trip({ imap }))).toBe('wrong: it does not let in the login');
    await mail.holdLetters();
    expect(await found('mail', { ...trip(), deadlineSeconds: 3 })).toBe('wrong: its letter did not arrive in time');
  });
});

describe('a host', () => {
  let folder: string;
  beforeAll(async () => {
    bruno = await startSshHost();
    folder = mkdtempSync(join(tmpdir(), 'selfhost-backups-'));
  });
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await closeSessions();
    await bruno?.stop();
    bruno = undefined;
  });

  test('has room on its disks, memory, and a clock that is right', async () => {
    const all = { from: 'bruno', maxMemoryPercent: 100, maxSwapPercent: 100, maxOffsetSeconds: 5 };
    expect(await found('machine', { ...all, maxDiskPercent: 100 })).toMatch(/^ok: its fullest disk is at \d+ %$/);
    expect(await found('machine', { ...all, disks: ['/nowhere'] })).toBe('wrong: nothing is mounted at /nowhere');
    expect(await found('machine', { from: 'bruno', disks: ['/'], maxDiskPercent: 1 })).toMatch(
      /^wrong: \/ is \d+ % full$/,
    );
  });

  test('answers a ping, and finds that another is not there', async () => {
    expect(await found('ping', { from: 'bruno', host: '127.0.0.1' })).toMatch(/^ok: it answers a ping in [\d.]+ ms$/);
    expect(await found('ping', { from: 'bruno', host: 'nobody.invalid', answersWithin: 1 })).toBe(
      'wrong: its name cannot be looked up, or there is no way to it',
    );
  });

  test('has the right thing mounted, which takes a file', async () => {
    const shm = { from: 'bruno', path: '/dev/shm', writable: true };
    expect(await found('mount', { ...shm, type: 'tmpfs' })).toBe('ok: it takes a file');
    expect(await found('mount', { ...shm, type: 'nfs4' })).toBe('wrong: it is a tmpfs, not a nfs4');
    expect(await found('mount', { ...shm, source: 'box:/backups' })).toMatch(
      /^wrong: .* is mounted there, not box:\/backups$/,
    );
    expect(await found('mount', { from: 'bruno', path: '/proc', writable: true })).toBe('wrong: it takes no file');
    expect(await found('mount', { from: 'bruno', path: '/mnt/nothing' })).toBe(
      'wrong: nothing is mounted at /mnt/nothing',
    );
  });

  test('keeps backups that are fresh: only what has a manifest counts', async () => {
    const at = () => found('backups', { from: 'bruno', folder, maxAgeHours: 26 });
    expect(await at()).toBe('wrong: there is no backup');
    const place = join(folder, 'immich');
    mkdirSync(place);
    const hoursAgo = (hours: number) => backupName(new Date(Date.now() - hours * 3_600_000));
    writeFileSync(join(place, manifestFile(hoursAgo(50))), '{}');
    writeFileSync(join(place, `${hoursAgo(2)}.part-00001`), 'x');
    expect(await at()).toMatch(/^wrong: its newest backup is 2 d 2 h old$/);
    writeFileSync(join(place, manifestFile(hoursAgo(2))), '{}');
    expect(await at()).toBe('ok: its newest backup is 2 h old');
    expect(await found('backups', { from: 'bruno', folder: `${folder}/none` })).toMatch(/^wrong: there is no folder/);
  });

  test('that lacks the program has seen nothing', async () => {
    const programs = join(folder, 'bin');
    mkdirSync(programs);
    for (const name of readdirSync('/usr/bin')) {
      if (name !== 'pgbackrest') symlinkSync(join('/usr/bin', name), join(programs, name));
    }
    const full = bruno;
    const bare = await startSshHost({ environment: { PATH: programs } });
    bruno = bare;
    try {
      expect(await found('pgbackrest', { from: 'bruno', stanza: 'main' })).toMatch(
        /^unknown: not looked at from lab: .* pgbackrest: not found$/,
      );
    } finally {
      await bare.stop();
      bruno = full;
    }
  });
});
