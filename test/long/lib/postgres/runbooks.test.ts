import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../../lab/hosts/programs';
import { startPostgresPair, type PairName, type PostgresPair } from '../../../../lab/postgres-pair';
import { takeBackup } from '../../../../lib/postgres/pgbackrest/backup';
import { configureStanza } from '../../../../lib/postgres/pgbackrest/configure';
import type { Stanza } from '../../../../lib/postgres/pgbackrest/stanza';
import { createStanza } from '../../../../lib/postgres/pgbackrest/stanza-commands';
import { setUpReplication } from '../../../../lib/postgres/replication/set-up';
import { readTopology } from '../../../../lib/postgres/replication/topology';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { handsOn, type Hands } from '../../../shared/pair-by-hand';
import { boxesOf } from '../../../shared/runbook';
import { quietTask } from '../../../shared/task';

// The other by-hand runbooks of a pair are typed in test/integration/lib/postgres/runbook.test.ts.
describeAsRoot('the runbook of a recovery to a point in time, typed as it stands there', () => {
  let pair: PostgresPair;
  let hands: Hands;
  beforeAll(async () => {
    pair = await startPostgresPair({}, 'debian');
    hands = handsOn(pair);
    const [bruno, eva] = [pair.member('bruno'), pair.member('eva')];
    const home = bruno.socketFolder;
    for (const folder of ['repo', 'logs']) await mkdir(join(home, folder));
    await run(['chown', 'postgres:', join(home, 'repo'), join(home, 'logs')]);
    const stanza: Stanza = {
      name: 'immich',
      cluster: pair.cluster,
      member: bruno,
      config: join(home, 'backrest.conf'),
    };
    const options = { 'log-path': join(home, 'logs'), 'lock-path': join(home, 'lock') };
    const repositories = [{ kind: 'folder', path: join(home, 'repo'), retentionFull: 2 }] as const;
    await configureStanza(stanza, { repositories, options, allowRestart: true }, quietTask());
    await createStanza(stanza, { dryRun: false }, quietTask());
    const wish = { primary: bruno, standby: eva, synchronous: true, allowRestart: true, replace: true };
    await setUpReplication(pair.cluster, wish, quietTask());
    await takeBackup(stanza, { type: 'full' }, quietTask());
    // Where Debian's psql looks for a server, and pgBackRest for its configuration.
    for (const name of ['bruno', 'eva'] as const) {
      const { socketFolder } = pair.member(name);
      await hands.type(name, `mkdir -p /var/run/postgresql && mount --bind ${socketFolder} /var/run/postgresql`);
    }
    await hands.type('bruno', `mount --bind ${join(home, 'backrest.conf')} /etc/pgbackrest.conf`);
  }, 120_000);
  afterAll(() => pair.stop(), 60_000);

  const box = (heading: string, at = 0) => hands.primaryAt('bruno', boxesOf('postgres-pitr.md', heading)[at] ?? '');
  const both = async (text: string) => {
    const counts: string[] = [];
    for (const name of ['bruno', 'eva'] as const satisfies readonly PairName[]) counts.push(await pair.sql(name, text));
    return counts;
  };

  test('goes back to before a mistake, forth again, and is a healthy pair in the end', async () => {
    await pair.sql('bruno', 'create table photos (id int); insert into photos select generate_series(1, 100)');
    const when = await pair.sql(
      'bruno',
      "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'",
    );
    await pair.sql('bruno', 'delete from photos');
    await hands.type('eva', box('1. On the standby’s host: it must not bring back what is to be undone'));
    await hands.type('bruno', box('2. On the primary’s host: have all WAL archived'));
    const restore = box('3. Restore. From here on clients are cut off').replace('2026-01-31 01:59:00+00', when);
    const back = box('Back to before the restore');
    await hands.type('bruno', restore);
    expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('100');
    await hands.type('bruno', back);
    expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('0');
    await hands.type('bruno', `rm -rf ${pair.member('bruno').dataFolder}.restored`);
    await hands.type('bruno', restore);
    await hands.type('bruno', box('4. Make it a server like any other'));
    expect(await pair.sql('bruno', 'select count(*) from photos')).toBe('100');
    await hands.rejoin('bruno', 'eva', 'copy');
    expect(await readTopology(pair.cluster, {}, quietTask())).toMatchObject({ verdict: 'healthy', primary: 'bruno' });
    expect(await both('select count(*) from photos')).toEqual(['100', '100']);
    expect(await readFile(join(pair.member('bruno').socketFolder, 'logs/immich-backup.log'), 'utf8')).toContain(
      'completed',
    );
  }, 300_000);
});
