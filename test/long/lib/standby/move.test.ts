import { prepareLedger } from '../../../../lab/commit-ledger';
import { until } from '../../../../lab/hosts/waiting';
import type { ServicePair } from '../../../../lab/service-pair';
import { carryData, placeData } from '../../../../lib/standby/carry';
import { statusOf } from '../../../../lib/standby/look';
import { keepDown, silence, startService } from '../../../../lib/standby/steps';
import { readTurn, takeTurn } from '../../../../lib/standby/turn';
import { startForTests } from '../../../shared/start-for-tests';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../../integration/lab/as-root';
import { type Shop, startShop } from './shop';

jest.setTimeout(600_000);

describeAsRoot('a service that moves to its standby and back', () => {
  let lab: Shop;
  let pair: ServicePair;
  const task = quietTask();
  startForTests(startShop, (shop) => {
    lab = shop;
    pair = shop.pair;
  });

  test('starts at home, and from then on nothing starts it but us', async () => {
    const turn = await readTurn(pair.service, task);
    expect(turn).toEqual({ number: 0, at: 'home', how: null, by: '', since: null });
    expect(await startService(pair.service, turn, { otherIsSilent: true }, task)).toEqual({ changed: true });
    expect(await startService(pair.service, turn, { otherIsSilent: true }, task)).toEqual({ changed: false });
    expect(await lab.page('bruno')).toBe('hello\n');
    expect(await keepDown(pair.service, 'home', task)).toEqual({ changed: false });
    expect(await statusOf(pair.service, task)).toMatchObject({ verdict: 'in its place', warnings: [] });
    await prepareLedger(lab.addressOf('bruno'), pair.app);
  });

  test('of two that want to move it one gets the turn, and the other hears whose it is', async () => {
    const outcomes = await Promise.allSettled(
      ['n8n-bruno', 'n8n-eva'].map((by) =>
        takeTurn(pair.service, { to: 'standby', by, how: 'carry', automatic: true }, task),
      ),
    );
    const won = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(won).toMatchObject([{ number: 1, at: 'standby', changed: true }]);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'turn_taken' } });
    // Killed and begun again, the same one goes on with what it has.
    expect(
      await takeTurn(pair.service, { to: 'standby', by: won[0]?.by ?? '', how: 'carry', automatic: true }, task),
    ).toMatchObject({
      number: 1,
      changed: false,
    });
    // Home does not know yet. A run of before cannot start it at the standby, and is not let stop it at home.
    await expect(silence(pair.service, { number: 0, at: 'home' }, 'standby', {}, task)).rejects.toMatchObject({
      code: 'turn_over',
    });
  });

  test('a switchover under load loses no write that was acknowledged, each step may be done twice, and nothing is left at home', async () => {
    const ledger = lab.writers('switchover');
    await until('writes come', 60_000, () => Promise.resolve(ledger.acknowledged.length > 100 || undefined));
    const turn = await readTurn(pair.service, task);
    expect(await silence(pair.service, turn, 'home', { graceSeconds: 10 }, task)).toEqual({
      silent: true,
      changed: true,
      again: false,
      why: null,
    });
    expect(await silence(pair.service, turn, 'home', {}, task)).toMatchObject({ silent: true, changed: false });
    expect(await lab.running('bruno')).toEqual([]);
    const carried = await carryData(pair.service, turn, task);
    expect(carried.carried.map(({ name }) => name).sort()).toEqual(['db:/data', 'web:/www']);
    expect(carried.changed).toBe(true);
    expect(await carryData(pair.service, turn, task)).toMatchObject({ changed: false, carried: [] });
    await startService(pair.service, turn, { otherIsSilent: true }, task);
    const until_ = ledger.acknowledged.length + 50;
    await until('writes come again', 60_000, () => Promise.resolve(ledger.acknowledged.length > until_ || undefined));
    await ledger.freeze();
    expect(new Set(ledger.acknowledged.map(({ by }) => by))).toEqual(
      new Set([lab.addressOf('bruno'), lab.addressOf('eva')]),
    );
    const kept = new Set(await lab.rows('eva'));
    expect(ledger.acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
    expect(await lab.page('eva')).toBe('hello\n');
    expect(await statusOf(pair.service, task)).toMatchObject({ verdict: 'in its place', turn: { at: 'standby' } });
    // Its data are the newest now: nothing is laid over them any more.
    expect(await placeData(pair.service, turn, [{ from: '/nonexistent', to: '/srv/shop/www' }], task)).toEqual({
      changed: false,
      keptAside: [],
    });
  });

  test('home refuses to start it while it is not its turn', async () => {
    await expect(
      startService(pair.service, { number: 0, at: 'home' }, { otherIsSilent: true }, task),
    ).rejects.toMatchObject({ code: 'turn_over' });
    expect(await lab.running('bruno')).toEqual([]);
  });
});
