import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitLedger, prepareLedger, startLedger } from '../../../../lab/commit-ledger';
import { until } from '../../../../lab/hosts/waiting';
import type { PairName } from '../../../../lab/postgres-pair';
import { startServicePair, type ServicePair } from '../../../../lab/service-pair';
import { carryData, placeData } from '../../../../lib/standby/carry';
import { statusOf } from '../../../../lib/standby/look';
import { keepDown, silence, startService } from '../../../../lib/standby/steps';
import { readTurn, takeTurn } from '../../../../lib/standby/turn';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../../integration/lab/as-root';

describeAsRoot('a service that moves to its standby and back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-standby-'));
  let pair: ServicePair;
  let written: CommitLedger | undefined;
  const task = quietTask();
  beforeAll(async () => {
    pair = await startServicePair();
  }, 120_000);
  afterAll(async () => {
    await written?.freeze();
    await (pair as ServicePair | undefined)?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  const addressOf = (of: PairName) => pair.network.hosts[of].address;
  const page = async (of: PairName) =>
    (await fetch(`http://${addressOf(of)}/`, { signal: AbortSignal.timeout(3_000) })).text();
  const running = async (of: PairName) =>
    (await pair.docker(of, 'ps', '--format', '{{.Names}}')).split('\n').filter(Boolean).sort();
  const rows = async (of: PairName) => (await pair.sql(of, 'select id from ledger')).split('\n').filter(Boolean);
  const writers = (name: string) =>
    (written = startLedger({
      addresses: [addressOf('bruno'), addressOf('eva')],
      login: pair.app,
      writers: 4,
      file: join(folder, name),
    }));

  test('starts at home, and from then on nothing starts it but us', async () => {
    const turn = await readTurn(pair.service, task);
    expect(turn).toEqual({ number: 0, at: 'home', by: '', since: null });
    expect(await startService(pair.service, turn, { otherIsSilent: true }, task)).toEqual({ changed: true });
    expect(await startService(pair.service, turn, { otherIsSilent: true }, task)).toEqual({ changed: false });
    expect(await page('bruno')).toBe('hello\n');
    expect(await keepDown(pair.service, 'home', task)).toEqual({ changed: false });
    expect(await statusOf(pair.service, task)).toMatchObject({ verdict: 'in its place', warnings: [] });
    await prepareLedger(addressOf('bruno'), pair.app);
  }, 90_000);

  test('of two that want to move it one gets the turn, and the other hears whose it is', async () => {
    const outcomes = await Promise.allSettled(
      ['n8n-bruno', 'n8n-eva'].map((by) => takeTurn(pair.service, { to: 'standby', by, automatic: true }, task)),
    );
    const won = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    expect(won).toMatchObject([{ number: 1, at: 'standby', changed: true }]);
    expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'turn_taken' } });
    // Killed and begun again, the same one goes on with what it has.
    expect(await takeTurn(pair.service, { to: 'standby', by: won[0]?.by ?? '', automatic: true }, task)).toMatchObject({
      number: 1,
      changed: false,
    });
    // Home does not know yet. A run of before cannot start it at the standby, and is not let stop it at home.
    await expect(silence(pair.service, { number: 0, at: 'home' }, 'standby', {}, task)).rejects.toMatchObject({
      code: 'turn_over',
    });
  }, 30_000);

  test('a switchover under load loses no write that was acknowledged, each step may be done twice, and nothing is left at home', async () => {
    const ledger = writers('switchover');
    await until('writes come', 10_000, () => Promise.resolve(ledger.acknowledged.length > 100 || undefined));
    const turn = await readTurn(pair.service, task);
    expect(await silence(pair.service, turn, 'home', { graceSeconds: 10 }, task)).toEqual({
      silent: true,
      changed: true,
      why: null,
    });
    expect(await silence(pair.service, turn, 'home', {}, task)).toMatchObject({ silent: true, changed: false });
    expect(await running('bruno')).toEqual([]);
    const carried = await carryData(pair.service, turn, task);
    expect(carried.carried.map(({ name }) => name)).toEqual(['db:/data', 'web:/www']);
    expect(carried.changed).toBe(true);
    expect(await carryData(pair.service, turn, task)).toMatchObject({ changed: false, carried: [] });
    await startService(pair.service, turn, { otherIsSilent: true }, task);
    const until_ = ledger.acknowledged.length + 50;
    await until('writes come again', 20_000, () => Promise.resolve(ledger.acknowledged.length > until_ || undefined));
    await ledger.freeze();
    expect(new Set(ledger.acknowledged.map(({ by }) => by))).toEqual(new Set([addressOf('bruno'), addressOf('eva')]));
    const kept = new Set(await rows('eva'));
    expect(ledger.acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
    expect(await page('eva')).toBe('hello\n');
    expect(await statusOf(pair.service, task)).toMatchObject({ verdict: 'in its place', turn: { at: 'standby' } });
    // Its data are the newest now: nothing is laid over them any more.
    expect(await placeData(pair.service, turn, [{ from: '/nonexistent', to: '/srv/shop/www' }], task)).toEqual({
      changed: false,
      keptAside: [],
    });
  }, 120_000);

  test('home refuses to start it while it is not its turn', async () => {
    await expect(
      startService(pair.service, { number: 0, at: 'home' }, { otherIsSilent: true }, task),
    ).rejects.toMatchObject({ code: 'turn_over' });
    expect(await running('bruno')).toEqual([]);
  }, 30_000);
});
