import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { until } from '../../../lab/hosts/waiting';
import { readHold } from '../../../lib/host/hold';
import { runCommand } from '../../../lib/host/run';
import { checkArchiving } from '../../../lib/postgres/pgbackrest/stanza-commands';
import { describeAsRoot } from '../../integration/lab/as-root';
import type { StanzaLab } from '../../shared/stanza';
import { troublesIn } from '../../e2e/troubles';
import { quietTask } from '../../shared/task';
import { type BackedUpPair, startBackedUpPair } from './backed-up-pair';
import type { PairEstate } from './pair-estate';

jest.setTimeout(1_500_000);

describeAsRoot('the flows that back a pair up and take it back, in n8n', () => {
  let stanza: StanzaLab;
  let lab: PairEstate;
  let sql: BackedUpPair['sql'];
  let inCopy: BackedUpPair['inCopy'];
  let backups: BackedUpPair['backups'];
  let follows: BackedUpPair['follows'];
  let stop: BackedUpPair['stop'] | undefined;

  beforeAll(async () => {
    const drills = [{ name: 'restore moments of immich', kind: 'pgbackrest', of: 'immich', everyDays: 7 }];
    ({ stanza, lab, sql, inCopy, backups, follows, stop } = await startBackedUpPair(
      { backupMember: 'bruno' },
      { drills },
    ));
  });
  afterAll(() => stop?.());
  afterEach(() => expect(lab.estate.violations()).toEqual([]));

  test('the night takes a backup; a repository that is gone is one incident, and over when it is back', async () => {
    expect(await backups()).toEqual([]);
    await lab.publish('PgBackRest');
    await until('there is a backup', 300_000, async () => ((await backups()).length > 0 ? true : undefined));
    expect((await backups())[0]).toMatchObject({ type: 'full' });
    const repository = join(stanza.home, 'repo');
    await rename(repository, `${repository}.gone`);
    const told = await lab.said('666', 'Postgres backups of immich');
    expect(told.text).toContain('are not as they should be');
    await rename(`${repository}.gone`, repository);
    await lab.said('666', 'Resolved after');
    await lab.estate.own.api.unpublish('selfhostPgBackRest');
  });

  let before = '';

  test('a copy beside shows the moment before a mistake, touches nothing, and is removed by the same form', async () => {
    await lab.publish('PgPitr');
    lab.fromNowOn();
    before = await stanza.now();
    await sql('select pg_sleep(1.1); truncate photos');
    await lab.submit('postgres-point-in-time', {
      cluster: 'immich',
      where: 'A copy beside',
      kind: 'time',
      value: before,
    });
    const told = await lab.said('777', 'A copy of immich stands beside');
    expect(stanza.plain(told.text)).toContain('sudo -u postgres psql -h HOME/immich-copy/socket');
    expect(await inCopy('select count(*) from photos')).toBe('1000');
    expect(await sql('select count(*) from photos')).toBe('0');
    await lab.submit('postgres-point-in-time', {
      cluster: 'immich',
      where: 'Remove the copy',
      kind: 'newest',
      value: '',
    });
    await lab.said('888', 'The copy of immich was removed');
    await expect(inCopy('select 1')).rejects.toThrow();
  });

  test('a moment that cannot be had is refused before anybody is asked: the standby follows, nothing is on hold, and people are told what can be had', async () => {
    const eva = stanza.pair.member('eva');
    const { api } = lab.estate.own;
    const hopeless = async (where: string, kind: string, value: string) => {
      lab.fromNowOn();
      await lab.submit('postgres-point-in-time', { cluster: 'immich', where, kind, value });
      const told = await lab.said('666', 'immich was NOT taken back');
      await until('the run is over', 60_000, async () =>
        (await api.executionsOf('selfhostPgPitr')).every(({ status }) => status === 'success') ? true : undefined,
      );
      return told.text;
    };
    const server = () => stanza.pair.processes('bruno')[0];
    const receiver = () => sql('select pid, backend_start, sync_state from pg_stat_replication');
    const before = { server: server(), receiver: await receiver(), photos: await sql('select count(*) from photos') };
    expect(before).toMatchObject({ receiver: expect.stringMatching(/\|sync$/), photos: '0' });

    for (const where of ['Over the server', 'A copy beside']) {
      const future = await hopeless(where, 'time', '2042-01-31T01:59:00Z');
      expect(future).toContain('it has not been yet');
      expect(future).toMatch(/Can be had: from \S+Z to \S+Z\./);
      // The very same moment, as somebody in another zone writes it.
      expect(await hopeless(where, 'time', '2042-01-31T03:59:00+02:00')).toContain('2042-01-31T01:59:00.000Z');
      expect(await hopeless(where, 'time', '2001-01-31T01:59:00Z')).toContain('the oldest backup ended after it');
    }
    expect(await hopeless('Over the server', 'lsn', 'FFFF/0')).toContain('after the newest WAL in the repository');
    expect(await hopeless('Over the server', 'xid', '4000000000')).toContain('has not come to it yet');

    const after = { server: server(), receiver: await receiver(), photos: await sql('select count(*) from photos') };
    expect(after).toEqual(before);
    // Nobody at all was asked since this n8n is there.
    expect(await api.executionsOf('selfhostApprove')).toEqual([]);
    expect(await readHold(eva.host, quietTask())).toEqual({ kind: 'none' });
    await expect(inCopy('select 1')).rejects.toThrow();
  });

  test('over the server: denied it stays as it is, allowed it is that moment again, however often n8n is killed, and the standby is copied anew', async () => {
    const ask = async () => {
      lab.fromNowOn();
      await lab.submit('postgres-point-in-time', {
        cluster: 'immich',
        where: 'Over the server',
        kind: 'time',
        value: before,
      });
      return await lab.asked('update: restore over immich');
    };
    const denied = await ask();
    expect(denied.text).toContain('EVERY COMMIT AFTER THAT MOMENT IS LOST on bruno');
    expect(denied.text).toContain('PostgreSQL on bruno is stopped; clients are cut off until it is restored');
    expect(denied.text).toContain('Let go first: its standby eva still follows it');
    await lab.press(denied, 'No');
    expect((await lab.said('777', 'immich stays as it is')).text).toContain('answered by owner');
    expect(await sql('select count(*) from photos')).toBe('0');
    await follows();

    const { estate } = lab;
    const eva = stanza.pair.member('eva');
    const killAndStart = async () => {
      await estate.own.n8n.kill();
      estate.own.n8n = await estate.own.n8n.restart();
    };
    const written = async (file: string) => {
      const look = { script: 'cat /var/lib/selfhost/postgres/*/"$1"', arguments: [file] };
      const { stdout } = await runCommand(stanza.stanza.member.host, look, { acceptExitCodes: [0, 1] }, quietTask());
      return stdout;
    };
    const becomes = (what: string, look: () => Promise<boolean>) =>
      until(what, 300_000, async () => ((await look()) ? true : undefined)).catch(async (error: unknown) => {
        throw new Error(`${String(error)}\n${await troublesIn(estate.own)}`, { cause: error });
      });
    const known = 'A run that wanted the same has set the hold';

    // At each of these nobody but a new run of the flow takes the pair any further.
    await lab.press(await ask(), 'Do it');
    await becomes('the standby is on hold', async () => (await readHold(eva.host, quietTask())).kind === 'held');
    await killAndStart();
    console.log(`killed after the hold: ${JSON.stringify(await readHold(eva.host, quietTask()))}`);
    const second = await ask();
    expect(second.text).toContain(known);
    await lab.press(second, 'Do it');
    await becomes('the restore has begun', async () => /^begun /m.test(await written('restored')));
    await killAndStart();
    console.log(`killed in the restore: ${(await written('restored')).split('\n').slice(1).join(', ')}`);
    const third = await ask();
    expect(third.text).toContain('Of the same plan an earlier run has come to: ');
    await lab.press(third, 'Do it');
    await becomes('the restore is done', async () => /^done /m.test(await written('restored')));
    await killAndStart();
    const restored = await written('restored');
    console.log(`killed after the restore: ${restored.split('\n').slice(1).join(', ')}`);
    expect(await sql('select count(*) from photos')).toBe('1000');
    // What is written from here on would be lost, were it restored a second time.
    await sql('insert into photos values (1001)');
    const fourth = await ask();
    expect(fourth.text).toContain(known);
    expect(fourth.text).toContain('Nothing is restored again');
    await lab.press(fourth, 'Do it');
    const done = await lab.said('666', 'immich is back at time');
    expect(done.text).toContain('nothing was restored again');
    expect(await written('restored')).toBe(restored);
    expect(done.text).toContain('It takes writes.');
    expect(done.text).toContain('A full backup was taken.');
    expect(done.text).toContain('eva follows again');
    expect(await readHold(eva.host, quietTask())).toEqual({ kind: 'none' });
    await follows();
    for (const name of ['bruno', 'eva'] as const) {
      expect([name, await stanza.pair.sql(name, 'select count(*) from photos')]).toEqual([name, '1001']);
    }
  });

  test('the drill of the calendar restores the newest and a random moment, and what it took is on the status page', async () => {
    await checkArchiving(stanza.stanza, 30, quietTask());
    // What the calendar calls has to be published; nothing is due of the others.
    await lab.publish('PgSwitchover', 'PgBackRest', 'RestoreDrill');
    lab.fromNowOn();
    await lab.publish('Drills');
    const told = await lab.said('888', 'Postgres backups of immich can be restored');
    expect(told.text).toMatch(/as far as there is WAL from \S+: restored in \d+ s/);
    await until('the status page shows it', 180_000, async () => {
      const html = await (await fetch(`${lab.estate.own.n8n.url}/webhook/status`)).text();
      return html.includes('restore moments of immich') && html.includes('Done') ? true : undefined;
    });
    await lab.estate.own.api.unpublish('selfhostDrills');
  });
});
