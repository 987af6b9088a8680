import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { prepareLedger } from '../../../../lab/commit-ledger';
import { until } from '../../../../lab/hosts/waiting';
import type { ServicePair } from '../../../../lab/service-pair';
import { liftHold, setHold } from '../../../../lib/host/hold';
import { carryData } from '../../../../lib/standby/carry';
import { placeDatabase, readyDatabase } from '../../../../lib/standby/database';
import { statusOf } from '../../../../lib/standby/look';
import { silence, startService } from '../../../../lib/standby/steps';
import { readTurn, takeTurn } from '../../../../lib/standby/turn';
import { startForTests } from '../../../shared/start-for-tests';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { type Shop, startShop } from './shop';

jest.setTimeout(600_000);

describeAsRoot('a service whose home crashes', () => {
  let lab: Shop;
  let pair: ServicePair;
  const task = quietTask();
  startForTests(startShop, (shop) => {
    lab = shop;
    pair = shop.pair;
  });

  test('it runs at home, and nothing starts it but us', async () => {
    const turn = await readTurn(pair.service, task);
    await startService(pair.service, turn, { otherIsSilent: true }, task);
    await prepareLedger(lab.addressOf('bruno'), pair.app);
  });

  test('over 50 races of two for the turn exactly one gets it each time', async () => {
    let number = 0;
    for (let race = 1; race <= 50; race++) {
      const to = race % 2 === 1 ? 'standby' : 'home';
      const outcomes = await Promise.allSettled(
        ['n8n-bruno', 'n8n-eva'].map((by) => takeTurn(pair.service, { to, by, how: 'carry', automatic: true }, task)),
      );
      const won = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(won).toMatchObject([{ number: race, at: to, changed: true }]);
      expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'turn_taken' } });
      number = race;
    }
    expect(await readTurn(pair.service, task)).toMatchObject({ number, at: 'home' });
  });

  test('a hold on the standby stops both of them', async () => {
    await setHold(pair.service.standby, { who: 'Dana', why: 'a test' }, task);
    for (const by of ['n8n-bruno', 'n8n-eva']) {
      await expect(
        takeTurn(pair.service, { to: 'standby', by, how: 'carry', automatic: true }, task),
      ).rejects.toMatchObject({
        code: 'held',
      });
    }
    await liftHold(pair.service.standby, task);
  });

  test('it moves away, and home again under load with everything that was written meanwhile', async () => {
    const away = await takeTurn(pair.service, { to: 'standby', by: 'n8n-eva', how: 'carry', automatic: true }, task);
    await silence(pair.service, away, 'home', { graceSeconds: 10 }, task);
    await carryData(pair.service, away, task);
    await startService(pair.service, away, { otherIsSilent: true }, task);
    const ledger = lab.writers('failback');
    await until('writes come', 60_000, () => Promise.resolve(ledger.acknowledged.length > 100 || undefined));
    const turn = await takeTurn(pair.service, { to: 'home', by: 'n8n-eva', how: 'carry', automatic: true }, task);
    await silence(pair.service, turn, 'standby', { graceSeconds: 10 }, task);
    const { keptAside } = await carryData(pair.service, turn, task);
    expect(keptAside).toContain('/srv/shop/www.before-52');
    await startService(pair.service, turn, { otherIsSilent: true }, task);
    const enough = ledger.acknowledged.length + 50;
    await until('writes come again', 60_000, () => Promise.resolve(ledger.acknowledged.length > enough || undefined));
    await ledger.freeze();
    const kept = new Set(await lab.rows('bruno'));
    expect(ledger.acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
    expect(await lab.running('eva')).toEqual([]);
  });

  test('home crashes: the standby starts with the newest good data, and home, revived in the middle, serves nothing', async () => {
    await pair.sql('bruno', 'truncate ledger');
    // What the standby has from before is older: home has gone on since.
    const made = new Date();
    const dump = await pair.docker(
      'bruno',
      'exec',
      '-u',
      'postgres',
      'shop-db-1',
      'pg_dump',
      '--inserts',
      '-h',
      '/tmp',
      '-t',
      'ledger',
      'shop',
    );
    await pair.sql('bruno', "insert into ledger (id) values ('after the backup')");
    await pair.powerOff('bruno');
    const turn = await takeTurn(pair.service, { to: 'standby', by: 'n8n-eva', how: 'carry', automatic: true }, task);
    const asked = await silence(pair.service, turn, 'home', {}, task);
    expect(asked).toMatchObject({ silent: false, changed: false });
    expect(asked.why).toContain('host bruno');

    const { container } = await readyDatabase(pair.service, turn, { start: 'db' }, task);
    expect(await lab.running('eva')).toEqual([container]);
    // Nobody writes to it before its data are there.
    await expect(prepareLedger(lab.addressOf('eva'), pair.app)).rejects.toThrow();
    const inside = [container ?? '', 'psql', '-XAtqv', 'ON_ERROR_STOP=1', '-d'];
    await pair.docker('eva', 'exec', ...inside, 'postgres', '-c', 'create database restored owner app');
    // What begins with a backslash is for psql's standard input only.
    const statements = dump.replace(/^\\.*$/gm, '');
    await pair.docker('eva', 'exec', ...inside, 'restored', '-c', statements);
    const restored = { container: container ?? '', from: 'restored', to: 'shop', of: made };
    expect(await placeDatabase(pair.service, turn, restored, task)).toEqual({ changed: true });
    expect(await placeDatabase(pair.service, turn, restored, task)).toEqual({ changed: false });
    // In the middle of it home comes back, with what Docker starts after a crash.
    await pair.powerOn('bruno');
    expect(await lab.running('bruno')).toEqual([]);
    await startService(pair.service, turn, { otherIsSilent: false }, task);
    expect(await lab.page('eva')).toBe('hello\n');
    expect(await lab.rows('eva')).toEqual([]);
    await expect(lab.page('bruno')).rejects.toThrow();
    expect(await silence(pair.service, turn, 'home', {}, task)).toEqual({
      silent: true,
      changed: false,
      again: false,
      why: null,
    });
    expect(await statusOf(pair.service, task)).toMatchObject({
      verdict: 'in its place',
      turn: { number: turn.number, at: 'standby' },
    });
    expect(readFileSync(join(pair.folder('eva'), 'www', 'index.html'), 'utf8')).toBe('hello\n');
  });
});
