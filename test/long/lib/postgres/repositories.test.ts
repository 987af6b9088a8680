import { appendFile, chmod, copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { startS3Server, type S3Server } from '../../../../lab/s3-server';
import { expire, takeBackup, verifyRepository } from '../../../../lib/postgres/pgbackrest/backup';
import { configureStanza } from '../../../../lib/postgres/pgbackrest/configure';
import { readInfo } from '../../../../lib/postgres/pgbackrest/info';
import { removeScratch, restoreToScratch } from '../../../../lib/postgres/pgbackrest/scratch';
import { checkArchiving, createStanza } from '../../../../lib/postgres/pgbackrest/stanza-commands';
import { runCommand } from '../../../../lib/host/run';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { CIPHER_PASSWORD, startStanzaLab, type StanzaLab } from '../../../shared/stanza';
import { quietTask } from '../../../shared/task';

describeAsRoot('a repository in a bucket of an S3 server', () => {
  let lab: StanzaLab;
  let s3: S3Server;
  const secrets = { key: 'key-of-the-lab-in-s3', keySecret: 'key-secret-of-the-lab-in-s3' };
  beforeAll(async () => {
    lab = await startStanzaLab();
    s3 = await startS3Server(lab.pair.network.address);
  }, 900_000);
  afterAll(async () => {
    await lab.pair.stop();
    await s3.stop();
  }, 60_000);

  test('is configured, backed up to, verified, restored from and expired; the keys stand in no log', async () => {
    const { stanza, home, wish, pair } = lab;
    const place = { path: '/immich', bucket: s3.bucket, endpoint: s3.name, region: 'lab', pathStyle: true };
    const authority = join(home, 'authority.pem');
    await copyFile(s3.authority, authority);
    await chmod(authority, 0o644);
    const options = {
      ...wish.options,
      'repo1-storage-port': String(s3.port),
      'repo1-storage-ca-file': authority,
      // It would try for minutes to reach one that is gone.
      'io-timeout': '5',
    };
    const onBruno = (script: string, ...list: readonly string[]) =>
      runCommand(stanza.member.host, { script, arguments: list }, {}, quietTask());
    await onBruno('echo "$1 $2" > /root/hosts && mount --bind /root/hosts /etc/hosts', s3.address, s3.name);
    const repository = { kind: 's3', retentionFull: 2, cipherPassword: CIPHER_PASSWORD, ...place, ...secrets } as const;
    const strange = { repositories: [repository], options: { ...wish.options, 'repo1-storage-port': String(s3.port) } };
    await configureStanza(stanza, { ...strange, allowRestart: true }, quietTask());
    const untrusted = await lab.failureOf(createStanza(stanza, { dryRun: false }, quietTask()));
    console.log(untrusted.read);
    expect(untrusted).toMatchObject({ code: 'repository_certificate' });
    await configureStanza(stanza, { repositories: [repository], options, allowRestart: true }, quietTask());
    expect(await createStanza(stanza, { dryRun: false }, quietTask())).toEqual({ changed: true });
    expect(await checkArchiving(stanza, 60, quietTask())).toMatchObject({ ok: true });
    const full = await takeBackup(stanza, { type: 'full' }, quietTask());
    await pair.sql('bruno', 'create table photos (id int); insert into photos select generate_series(1, 100)');
    await takeBackup(stanza, { type: 'incr' }, quietTask());
    const time = await lab.now();
    await pair.sql('bruno', 'delete from photos');
    await checkArchiving(stanza, 60, quietTask());
    expect(await readInfo(stanza, {}, quietTask())).toMatchObject({
      ...{ verdict: 'ok', reasons: [], repositories: [{ status: 'ok', backups: 2 }] },
    });
    expect(await verifyRepository(stanza, {}, quietTask())).toMatchObject({ ok: true });
    const folder = join(home, 'copy');
    const copy = await restoreToScratch(stanza, { folder, target: { kind: 'time', time } }, quietTask());
    const psql = ['psql', '-XAtqc', 'select count(*) from photos', '-h', copy.socketFolder ?? '', 'postgres'] as const;
    expect((await run(['setpriv', '--reuid=postgres', '--clear-groups', ...psql])).trim()).toBe('100');
    await removeScratch(stanza, { folder, dryRun: false }, quietTask());
    await takeBackup(stanza, { type: 'full' }, quietTask());
    expect(await expire(stanza, { dryRun: false, set: full.label }, quietTask())).toMatchObject({ changed: true });
    const { backups } = await readInfo(stanza, {}, quietTask());
    expect(backups.map(({ type }) => type)).toEqual(['full']);
    const logs = await run(['grep', '-rlF', secrets.keySecret, home]);
    expect(logs.trim().split('\n')).toEqual([join(home, 'pgbackrest.conf')]);
  }, 300_000);

  test('that is out of reach is told as that', async () => {
    await s3.stop();
    const gone = await lab.failureOf(checkArchiving(lab.stanza, 5, quietTask()));
    console.log(gone.read);
    expect(gone).toMatchObject({ code: 'repository_unreachable' });
  }, 300_000);
});

// pgBackRest goes there by the SSH of PostgreSQL's own user, and back again for a backup.
describeAsRoot('a repository on another host', () => {
  let lab: StanzaLab;
  beforeAll(async () => {
    lab = await startStanzaLab();
  }, 120_000);
  afterAll(() => lab.pair.stop(), 60_000);

  test('takes the WAL, is backed up to from there, and is looked at, verified and restored from here', async () => {
    const { pair, stanza, wish, home } = lab;
    const eva = pair.member('eva');
    const options = {
      ...wish.options,
      'cmd-ssh': join(home, 'ssh'),
      'repo1-host-config': join(eva.socketFolder, 'pgbackrest.conf'),
    };
    const place = { address: eva.address, user: 'postgres', path: join(eva.socketFolder, 'repo') };
    const repositories = [{ kind: 'host', ...place, retentionFull: 2, cipherPassword: CIPHER_PASSWORD }] as const;
    await letPostgresLogIn(lab);
    await configureStanza(stanza, { ...wish, repositories, options, allowRestart: true }, quietTask());
    expect(await createStanza(stanza, { dryRun: false }, quietTask())).toEqual({ changed: true });
    const there = (...list: readonly string[]) =>
      runCommand(
        eva.host,
        {
          argv: [
            ...asPostgres,
            'pgbackrest',
            '--stanza=immich',
            `--config=${join(eva.socketFolder, 'pgbackrest.conf')}`,
            ...list,
          ],
        },
        { timeoutMs: 120_000 },
        quietTask(),
      );
    expect(await checkArchiving(stanza, 60, quietTask())).toMatchObject({ ok: true });
    await pair.sql('bruno', 'create table photos (id int); insert into photos select generate_series(1, 100)');
    const refused = await lab.failureOf(takeBackup(stanza, { type: 'full' }, quietTask()));
    console.log(refused.read);
    expect(refused).toMatchObject({ code: 'repository_host_needed' });
    await there('backup', '--type=full', '--start-fast');
    // Of its end only the second is known.
    await pair.sql('bruno', 'select pg_sleep(1)');
    const time = await lab.now();
    await pair.sql('bruno', 'delete from photos');
    await checkArchiving(stanza, 60, quietTask());
    expect(await readInfo(stanza, {}, quietTask())).toMatchObject({ verdict: 'ok', reasons: [] });
    expect(await verifyRepository(stanza, {}, quietTask())).toMatchObject({ ok: true });
    const folder = join(home, 'copy');
    const copy = await restoreToScratch(stanza, { folder, target: { kind: 'time', time } }, quietTask());
    const psql = ['psql', '-XAtqc', 'select count(*) from photos', '-h', copy.socketFolder ?? '', 'postgres'] as const;
    expect((await run([...asPostgres, ...psql])).trim()).toBe('100');
    await removeScratch(stanza, { folder, dryRun: false }, quietTask());
  }, 300_000);
});

const asPostgres = ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] as const;

/**
 * PostgreSQL's user may log in to the other host by a key of its own, without a password, as pgBackRest needs it; and
 * the other host has pgBackRest's own configuration for the way back.
 */
async function letPostgresLogIn({ pair, home, stanza }: StanzaLab): Promise<void> {
  const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
  for (const [from, to] of [
    [bruno, eva],
    [eva, bruno],
  ] as const) {
    const key = join(from.socketFolder, 'key');
    await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f', key]);
    await run(['chown', 'postgres:', key]);
    const known = join(from.socketFolder, 'known_hosts');
    const lines = (await run(['ssh-keyscan', '-t', 'ed25519', to.address])).trim();
    await writeFile(known, `${lines}\n`);
    const ssh = join(from.socketFolder, 'ssh');
    await writeFile(ssh, `#!/bin/sh\nexec ssh -i ${key} -o UserKnownHostsFile=${known} "$@"\n`, { mode: 0o755 });
    // Every user of a lab machine is let in by the keys in its one file.
    const file = pair.network.hosts[to.name === 'bruno' ? 'bruno' : 'eva'].logFile.replace(
      'sshd.log',
      'authorized_keys',
    );
    await appendFile(file, await readFile(`${key}.pub`));
    // Debian's packages lock that account, which a sshd without PAM takes for a closed door.
    const unlock =
      "sed 's/^postgres:!:/postgres:*:/' /etc/shadow > /root/shadow && mount --bind /root/shadow /etc/shadow";
    await runCommand(to.host, { script: unlock }, {}, quietTask());
  }
  const repo = join(eva.socketFolder, 'repo');
  await run(['install', '-d', '-o', 'postgres', repo, join(eva.socketFolder, 'backrest-logs')]);
  await writeFile(
    join(eva.socketFolder, 'pgbackrest.conf'),
    [
      '[immich]',
      `pg1-host=${bruno.address}`,
      `pg1-host-user=postgres`,
      `pg1-host-config=${stanza.config ?? ''}`,
      `pg1-path=${bruno.dataFolder}`,
      `pg1-socket-path=${bruno.socketFolder}`,
      `repo1-path=${repo}`,
      'repo1-retention-full=2',
      'repo1-cipher-type=aes-256-cbc',
      `repo1-cipher-pass=${CIPHER_PASSWORD}`,
      `cmd-ssh=${join(eva.socketFolder, 'ssh')}`,
      `log-path=${join(eva.socketFolder, 'backrest-logs')}`,
      `lock-path=${join(eva.socketFolder, 'backrest-lock')}`,
      '',
    ].join('\n'),
  );
  await run(['chown', 'postgres:', join(eva.socketFolder, 'pgbackrest.conf'), join(home, 'ssh')]);
}
