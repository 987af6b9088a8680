import { describeAsRoot } from '../../integration/lab/as-root';
import { startForTests } from '../../shared/start-for-tests';
import { type ServiceLab, startServiceLab } from './service-lab';

jest.setTimeout(1_200_000);

describeAsRoot('a home that dies again while a service is on its way back to it, by flows in n8n', () => {
  let lab: ServiceLab;
  startForTests(
    () => startServiceLab({ automatic: true }),
    (started) => {
      lab = started;
    },
  );

  test('it moves to the standby with the newest backup, and takes writes there', async () => {
    await lab.pair.sql('bruno', "insert into ledger (id) values ('saved')");
    await lab.backUp();
    await lab.pair.sql('bruno', "insert into ledger (id) values ('lost')");
    await lab.pair.powerOff('bruno');
    await lab.becomesFinished('standby', 1);
    expect(await lab.rows('eva')).toEqual(['saved']);
    await lab.pair.sql('eva', "insert into ledger (id) values ('away')");
  });

  test('home is back and dies in the middle of the way: the standby goes on with what it has, not with the backup', async () => {
    await lab.pair.powerOn('bruno');
    await lab.becomes('it is on its way home', async () => (await lab.turn()).number === 2);
    await lab.pair.powerOff('bruno');
    await lab.becomesFinished('standby', 3);
    expect(await lab.rows('eva')).toEqual(['away', 'saved']);
    expect(await lab.page('eva')).toBe('hello\n');
    expect(lab.pointsAt()).toBe(lab.addressOf('eva'));
    await lab.pair.sql('eva', "insert into ledger (id) values ('away again')");
  });

  test('home is back for good: everything comes home', async () => {
    await lab.pair.powerOn('bruno');
    await lab.becomesFinished('home', 4);
    expect(await lab.rows('bruno')).toEqual(['away', 'away again', 'saved']);
    expect(lab.pointsAt()).toBe(lab.addressOf('bruno'));
    expect(await lab.running('eva')).toEqual([]);
    expect(await lab.status()).toMatchObject({ standby: { left: { over: expect.any(Date) as Date } } });
  });
});
