import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CommitLedger, prepareLedger, startLedger } from '../../../../lab/commit-ledger';
import { until } from '../../../../lab/hosts/waiting';
import type { PairName } from '../../../../lab/postgres-pair';
import { startServicePair, type ServicePair } from '../../../../lab/service-pair';
import { liftHold, setHold } from '../../../../lib/host/hold';
import { carryData } from '../../../../lib/standby/carry';
import { statusOf } from '../../../../lib/standby/look';
import { silence, startService } from '../../../../lib/standby/steps';
import { readTurn, takeTurn } from '../../../../lib/standby/turn';
import { quietTask } from '../../../shared/task';
import { describeAsRoot } from '../../../integration/lab/as-root';

describeAsRoot('a service whose home crashes', () => {
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

  test('it runs at home, and nothing starts it but us', async () => {
    const turn = await readTurn(pair.service, task);
    await startService(pair.service, turn, { otherIsSilent: true }, task);
    await prepareLedger(addressOf('bruno'), pair.app);
  }, 90_000);

  test('over 50 races of two for the turn exactly one gets it each time', async () => {
    let number = 0;
    for (let race = 1; race <= 50; race++) {
      const to = race % 2 === 1 ? 'standby' : 'home';
      const outcomes = await Promise.allSettled(
        ['n8n-bruno', 'n8n-eva'].map((by) => takeTurn(pair.service, { to, by, automatic: true }, task)),
      );
      const won = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
      expect(won).toMatchObject([{ number: race, at: to, changed: true }]);
      expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'turn_taken' } });
      number = race;
    }
    expect(await readTurn(pair.service, task)).toMatchObject({ number, at: 'home' });
  }, 300_000);

  test('a hold on the standby stops both of them', async () => {
    await setHold(pair.service.standby, { who: 'Dana', why: 'a test' }, task);
    for (const by of ['n8n-bruno', 'n8n-eva']) {
      await expect(takeTurn(pair.service, { to: 'standby', by, automatic: true }, task)).rejects.toMatchObject({
        code: 'held',
      });
    }
    await liftHold(pair.service.standby, task);
  }, 60_000);

  test('it moves away, and home again under load with everything that was written meanwhile', async () => {
    const away = await takeTurn(pair.service, { to: 'standby', by: 'n8n-eva', automatic: true }, task);
    await silence(pair.service, away, 'home', { graceSeconds: 10 }, task);
    await carryData(pair.service, away, task);
    await startService(pair.service, away, { otherIsSilent: true }, task);
    const ledger = writers('failback');
    await until('writes come', 10_000, () => Promise.resolve(ledger.acknowledged.length > 100 || undefined));
    const turn = await takeTurn(pair.service, { to: 'home', by: 'n8n-eva', automatic: true }, task);
    await silence(pair.service, turn, 'standby', { graceSeconds: 10 }, task);
    const { keptAside } = await carryData(pair.service, turn, task);
    expect(keptAside).toContain('/srv/shop/www.before-52');
    await startService(pair.service, turn, { otherIsSilent: true }, task);
    const enough = ledger.acknowledged.length + 50;
    await until('writes come again', 20_000, () => Promise.resolve(ledger.acknowledged.length > enough || undefined));
    await ledger.freeze();
    const kept = new Set(await rows('bruno'));
    expect(ledger.acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
    expect(await running('eva')).toEqual([]);
  }, 120_000);

  test('home crashes: the standby starts with the newest good data, and home, revived in the middle, serves nothing', async () => {
    await pair.sql('bruno', 'truncate ledger');
    const dump = await pair.docker(
      'bruno',
      'exec',
      '-u',
      'postgres',
      'shop-db-1',
      'pg_dump',
      '-h',
      '/tmp',
      '-t',
      'ledger',
      'postgres',
    );
    await pair.sql('bruno', "insert into ledger (id) values ('after the backup')");
    await pair.powerOff('bruno');
    const turn = await takeTurn(pair.service, { to: 'standby', by: 'n8n-eva', automatic: true }, task);
    const asked = await silence(pair.service, turn, 'home', {}, task);
    expect(asked).toMatchObject({ silent: false, changed: false });
    expect(asked.why).toContain('host bruno');

    await startService(pair.service, turn, { only: ['db'], otherIsSilent: false }, task);
    expect(await running('eva')).toEqual(['shop-db-1']);
    await pair.sql('eva', `drop table ledger; ${dump}`);
    // In the middle of it home comes back, with what Docker starts after a crash.
    await pair.powerOn('bruno');
    expect(await running('bruno')).toEqual([]);
    await startService(pair.service, turn, { otherIsSilent: false }, task);
    expect(await page('eva')).toBe('hello\n');
    expect(await rows('eva')).toEqual([]);
    await expect(page('bruno')).rejects.toThrow();
    expect(await silence(pair.service, turn, 'home', {}, task)).toEqual({ silent: true, changed: false, why: null });
    expect(await statusOf(pair.service, task)).toMatchObject({
      verdict: 'in its place',
      turn: { number: turn.number, at: 'standby' },
    });
    expect(readFileSync(join(pair.folder('eva'), 'www', 'index.html'), 'utf8')).toBe('hello\n');
  }, 120_000);
});
