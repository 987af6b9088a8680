import { dirname, join } from 'node:path';
import { REPOSITORY, startDockerPair, type DockerPair } from '../../../../lab/docker-pair';
import { run } from '../../../../lab/hosts/programs';
import { postgres17Image } from '../../../../lab/postgres-17-image';
import { takeBackup } from '../../../../lib/postgres/pgbackrest/backup';
import { configureStanza } from '../../../../lib/postgres/pgbackrest/configure';
import { readInfo } from '../../../../lib/postgres/pgbackrest/info';
import { removeScratch, restoreToScratch } from '../../../../lib/postgres/pgbackrest/scratch';
import { checkArchiving, createStanza, upgradeStanza } from '../../../../lib/postgres/pgbackrest/stanza-commands';
import type { Stanza } from '../../../../lib/postgres/pgbackrest/stanza';
import { runCommand } from '../../../../lib/host/run';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { CIPHER_PASSWORD, startStanzaLab, type StanzaLab } from '../../../shared/stanza';
import { quietTask } from '../../../shared/task';

// PostgreSQL 15 on a host becomes 17 in a container; the repository, made by pgBackRest 2.45, goes with it.
describeAsRoot('a stanza after an upgrade of PostgreSQL', () => {
  let old: StanzaLab;
  let fresh: DockerPair;
  let stanza: Stanza;
  beforeAll(async () => {
    old = await startStanzaLab();
    fresh = await startDockerPair({}, postgres17Image);
    const { cluster } = fresh;
    const config = '/var/lib/postgresql/data/selfhost-pgbackrest.conf';
    stanza = { name: 'immich', cluster, member: fresh.member('bruno'), config };
  }, 900_000);
  afterAll(async () => {
    await old.pair.stop();
    await fresh.stop();
  }, 60_000);

  const countIn = async (of: Stanza, folder: string) => {
    const ask = 'psql -XAtq -h "$1/socket" -U postgres -d postgres -c "select count(*) from photos"';
    const { host } = of.member;
    const as15 = ['setpriv', '--reuid=postgres', '--clear-groups', 'bash', '-c', ask, 'bash', folder] as const;
    const asked = of === stanza ? { script: ask, arguments: [folder] } : { argv: as15 };
    return (await runCommand(host, asked, {}, quietTask())).stdout.trim();
  };

  test('is refused until it is upgraded, goes on with the new version, and keeps the backups of the old', async () => {
    await configureStanza(old.stanza, { ...old.wish, allowRestart: true }, quietTask());
    await createStanza(old.stanza, { dryRun: false }, quietTask());
    await old.pair.sql('bruno', 'create table photos (id int); insert into photos select generate_series(1, 15)');
    const former = await takeBackup(old.stanza, { type: 'full' }, quietTask());
    await checkArchiving(old.stanza, 30, quietTask());

    const repository = join(dirname(dirname(fresh.member('eva').dataFolder)), 'bruno', 'repository');
    const uid = (await run(['stat', '-c', '%u:%g', repository])).trim();
    await run(['cp', '-a', `${join(old.home, 'repo')}/.`, repository]);
    await run(['chown', '-R', uid, repository]);
    const repositories = [
      { kind: 'folder', path: REPOSITORY, retentionFull: 2, cipherPassword: CIPHER_PASSWORD },
    ] as const;
    await configureStanza(stanza, { repositories, allowRestart: true }, quietTask());
    await fresh.sql('bruno', 'create table photos (id int); insert into photos select generate_series(1, 17)');
    const refused = await old.failureOf(checkArchiving(stanza, 10, quietTask()));
    console.log(refused.read);
    expect(refused).toMatchObject({ code: 'stanza_mismatch' });
    expect(await old.failureOf(takeBackup(stanza, { type: 'full' }, quietTask()))).toMatchObject({
      code: 'stanza_mismatch',
    });
    expect(await upgradeStanza(stanza, { dryRun: true }, quietTask())).toEqual({ changed: true });
    expect(await upgradeStanza(stanza, { dryRun: false }, quietTask())).toEqual({ changed: true });
    expect(await upgradeStanza(stanza, { dryRun: true }, quietTask())).toEqual({ changed: false });
    expect(await upgradeStanza(stanza, { dryRun: false }, quietTask())).toEqual({ changed: false });
    await checkArchiving(stanza, 60, quietTask());
    const now = await takeBackup(stanza, { type: 'incr' }, quietTask());
    expect(now).toMatchObject({ type: 'full', typeAsked: 'incr' });
    const { backups, archiveIds } = await readInfo(stanza, {}, quietTask());
    expect(archiveIds.map(({ id }) => id)).toEqual(['15-1', '17-2']);
    expect(backups.map(({ label }) => label)).toEqual([former.label, now.label]);

    const folder = join(dirname(repository), 'copy');
    const target = { kind: 'newest' } as const;
    const copy = await restoreToScratch(stanza, { folder, target }, quietTask());
    expect(copy.backup).toBe(now.label);
    expect(await countIn(stanza, folder)).toBe('17');
    await removeScratch(stanza, { folder, dryRun: false }, quietTask());

    // Where the old version still is, the same repository gives the old data, whatever was added since.
    await run(['rm', '-rf', join(old.home, 'repo')]);
    await run(['cp', '-a', repository, join(old.home, 'repo')]);
    await run(['chown', '-R', 'postgres:', join(old.home, 'repo')]);
    const before = join(old.home, 'copy');
    const back = await restoreToScratch(old.stanza, { folder: before, target }, quietTask());
    expect(back.backup).toBe(former.label);
    expect(await countIn(old.stanza, before)).toBe('15');
    await removeScratch(old.stanza, { folder: before, dryRun: false }, quietTask());
  }, 600_000);
});
