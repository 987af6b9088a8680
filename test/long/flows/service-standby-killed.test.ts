import { readdirSync } from 'node:fs';
import type { Place } from '../../../lib/standby/service';
import { describeAsRoot } from '../../integration/lab/as-root';
import { owner } from '../../shared/people';
import { startForTests } from '../../shared/start-for-tests';
import type { Boundary } from './boundary';
import { killAtEach, recordsOf } from './move-kills';
import { type ServiceLab, startServiceLab } from './service-lab';

jest.setTimeout(1_500_000);

// Each way is gone once, and n8n is killed at every boundary on it: what it finds after one crash is the work of the
// runs before it.
describeAsRoot('flows that move a service, and an n8n that is killed in the middle', () => {
  let lab: ServiceLab;
  const ends: Record<Place, 'bruno' | 'eva'> = { home: 'bruno', standby: 'eva' };
  startForTests(
    () => startServiceLab({ automatic: true }),
    (started) => {
      lab = started;
    },
  );

  const lies = (at: Place, name: RegExp) => readdirSync(lab.pair.folder(ends[at])).some((each) => name.test(each));
  const aloneIn = async () => (await lab.running('eva')).find((name) => name.includes('-restore-'));
  /** Databases in the PostgreSQL that stands alone for the restore; none where it does not answer. */
  const databases = async () => {
    const container = await aloneIn();
    if (container === undefined) return [];
    const psql = ['psql', '-XAtq', '-d', 'postgres', '-c', 'select datname from pg_database'];
    return await lab.pair.docker('eva', 'exec', '-u', 'postgres', container, ...psql).then(
      (text) => text.split('\n'),
      () => [],
    );
  };
  const wasSaid = (text: string, from: number) => () =>
    lab.estate.telegram.messages.slice(from).some((one) => one.text.includes(text));

  /** Whatever was killed: all that people were told of the service is what truly happened to it. */
  const wasOnlySaid = (what: RegExp, from: number) => {
    const told = lab.estate.telegram.messages.slice(from).map(({ text }) => text);
    const ofShop = told.filter((text) => /^\S+ <b>shop /.test(text));
    expect(ofShop).not.toEqual([]);
    expect(ofShop.filter((text) => !what.test(text))).toEqual([]);
  };

  const restart = async () => {
    lab.estate.own.n8n = await lab.estate.own.n8n.restart();
  };
  const goes = (at: Place, turn: number, boundaries: readonly Boundary[]) =>
    killAtEach(boundaries, {
      ...{ service: lab.pair.service, at, turn, restart, becomes: lab.becomes },
      kill: async () => {
        await lab.estate.own.n8n.kill();
        // Its silence was waited for once; each further run would wait for it at every step.
        if (at === 'standby') await lab.pair.network.cutAloud('bruno');
      },
      beside: async () => ({ databases: (await databases()).filter((name) => name.includes('turn')) }),
    });

  test('killed while it tells that it cannot be moved: people hear it all the same', async () => {
    const from = lab.estate.telegram.messages.length;
    const told = (text: string) => lab.said(text.includes('CANNOT') ? '666' : '777', text, from);
    // Nothing was ever backed up. What does not get through is tried again, so it is being told for some seconds.
    lab.estate.telegram.fail({ kind: 'break before', path: /sendMessage/, times: 2 });
    await lab.pair.powerOff('bruno');
    const telling = () => lab.estate.own.api.executionsOf('selfhostNotify', 'running');
    await lab.becomes('it is being told', async () => (await telling()).length > 0);
    await lab.estate.own.n8n.kill();
    expect(lab.estate.telegram.messages.slice(from)).toEqual([]);
    await restart();
    expect((await told('shop CANNOT be moved from bruno')).text).toContain('shop: www: NO GOOD BACKUP');
    await lab.pair.powerOn('bruno');
    await told('shop was started again on bruno');
    expect(await lab.turn()).toMatchObject({ number: 0, at: 'home' });
  });

  test('away, killed at every boundary', async () => {
    const { taken, told, holds } = recordsOf(lab.pair.service);
    const { number } = await lab.turn();
    const turn = number + 1;
    const begun = () => holds('standby', 'begun', turn);
    await lab.pair.sql('bruno', `insert into ledger (id) values ('saved')`);
    const kept = await lab.rows('bruno');
    await lab.backUp();
    await lab.pair.sql('bruno', `insert into ledger (id) values ('late')`);
    const before = lab.estate.telegram.messages.length;
    await lab.pair.powerOff('bruno');
    const boundaries: readonly Boundary[] = [
      { called: 'its home is looked for', reached: looking },
      { called: 'the turn is taken', reached: () => taken(turn) },
      { called: 'its home was told to be silent', reached: () => told('standby', turn) },
      {
        called: 'its files are being restored',
        reached: () => lies('standby', /^\.selfhost-restored-|^www\.before-/),
      },
      { called: 'its files lie in place', reached: () => holds('standby', 'placed', turn) },
      {
        called: 'its database stands alone for the restore',
        reached: async () => (await aloneIn()) !== undefined || (await begun()),
      },
      {
        called: 'its database is restored beside',
        reached: async () => (await databases()).some((name) => name.includes(`_turn_${turn}`)) || (await begun()),
      },
      {
        called: 'its database lies in place',
        reached: async () => (await databases()).includes(`shop_before_turn_${turn}`) || (await begun()),
      },
      { called: 'it is started', reached: begun },
      { called: 'its name leads there', reached: () => lab.pointsAt() === lab.addressOf('eva') },
      { called: 'people were told', reached: wasSaid('shop moved to eva', before) },
    ];
    await goes('standby', turn, boundaries);
    expect(await lab.turn()).toMatchObject({ number: turn, at: 'standby' });
    expect(await lab.rows('eva')).toEqual(kept);
    expect(await lab.page('eva')).toBe('hello\n');
    expect(lab.pointsAt()).toBe(lab.addressOf('eva'));
    expect(await lab.running('eva')).toEqual(['shop-db-1', 'shop-web-1']);
    // What the killed runs have restored for nothing is gone; what was there before waits for a person.
    const left = await lab.pair.sql('eva', `select datname from pg_database where datname like '%\\_turn\\_%'`);
    expect(left.split('\n')).toEqual([`shop_before_turn_${turn}`]);
    wasOnlySaid(/^shop runs on eva with (data of |the data that this move had brought )/m, before);
  });

  test('and home again, killed at every boundary', async () => {
    const { taken, told, holds, rest } = recordsOf(lab.pair.service);
    const { number } = await lab.turn();
    const turn = number + 1;
    const begun = () => holds('home', 'begun', turn);
    await lab.pair.sql('eva', `insert into ledger (id) values ('away')`);
    const kept = await lab.rows('eva');
    const before = lab.estate.telegram.messages.length;
    await rest('standby');
    await lab.pair.powerOn('bruno');
    const boundaries: readonly Boundary[] = [
      { called: 'the turn is taken', reached: () => taken(turn) },
      { called: 'the standby has heard of it', reached: () => told('standby', turn) },
      { called: 'nothing of it runs anywhere', reached: async () => (await lab.running('eva')).length === 0 },
      {
        called: 'its data are being carried',
        reached: async () =>
          lies('home', new RegExp(`^\\.selfhost-incoming-|^www\\.before-${turn}$`)) || (await begun()),
      },
      { called: 'its data are carried', reached: () => holds('home', 'placed', turn) },
      { called: 'it is started', reached: begun },
      { called: 'its name leads there', reached: () => lab.pointsAt() === lab.addressOf('bruno') },
      { called: 'people were told', reached: wasSaid('shop runs on bruno', before) },
    ];
    await goes('home', turn, boundaries);
    expect(await lab.turn()).toMatchObject({ number: turn, at: 'home' });
    expect(await lab.rows('bruno')).toEqual(kept);
    expect(await lab.page('bruno')).toBe('hello\n');
    expect(lab.pointsAt()).toBe(lab.addressOf('bruno'));
    expect(await lab.running('eva')).toEqual([]);
    // Nobody had started it on eva: until the move has stopped it there, it runs there from before.
    wasOnlySaid(/^shop runs on bruno, with everything that was written/m, before);
  });

  test('killed while a question is open, both ways: who answers it later is heard', async () => {
    await lab.setAutomatic(false);
    const { number } = await lab.turn();
    const answer = async (what: string, from: number, flow: string) => {
      const question = await lab.said(String(owner.id), what, from);
      // Before that nobody is asked yet as far as n8n knows, and whoever is killed then asks again.
      const waits = async (id: string) => (await lab.estate.own.api.executionsOf(id, 'waiting')).length > 0;
      await lab.becomes(
        'n8n has stored that it waits',
        async () => (await waits('selfhostApprove')) && (await waits(flow)),
      );
      await lab.estate.own.n8n.kill();
      lab.estate.own.n8n = await lab.estate.own.n8n.restart();
      await lab.press(question, 'Do it');
    };
    await lab.pair.sql('bruno', `insert into ledger (id) values ('saved again')`);
    const kept = await lab.rows('bruno');
    await lab.backUp();
    let from = lab.estate.telegram.messages.length;
    await lab.pair.powerOff('bruno');
    await answer('shop from bruno to eva', from, 'selfhostSvcFailover');
    await lab.becomesFinished('standby', number + 1);
    expect(await lab.rows('eva')).toEqual(kept);
    expect(lab.pointsAt()).toBe(lab.addressOf('eva'));
    from = lab.estate.telegram.messages.length;
    await recordsOf(lab.pair.service).rest('standby');
    await lab.pair.powerOn('bruno');
    await answer('shop back home to bruno', from, 'selfhostSvcFailback');
    await lab.becomesFinished('home', number + 2);
    expect(await lab.rows('bruno')).toEqual(kept);
    expect(lab.pointsAt()).toBe(lab.addressOf('bruno'));
    expect(await lab.turn()).toMatchObject({ number: number + 2, at: 'home' });
  });

  test('what was put aside is bounded, and what nobody needed is gone', () => {
    for (const host of ['bruno', 'eva'] as const) {
      const aside = readdirSync(lab.pair.folder(host)).filter((name) => name !== 'compose.yml' && name !== 'www');
      expect(aside.filter((name) => !name.startsWith('www.before-'))).toEqual([]);
      expect(aside.length).toBeGreaterThan(0);
      expect(aside.length).toBeLessThanOrEqual(2);
    }
  });

  /** An execution is at it for longer than its looks take: it waits for the second one. */
  const firstSeen = new Map<string, number>();
  async function looking(): Promise<boolean> {
    const running = await lab.estate.own.api.executionsOf('selfhostSvcFailover', 'running');
    for (const { id } of running) if (!firstSeen.has(id)) firstSeen.set(id, Date.now());
    return running.some(({ id }) => Date.now() - (firstSeen.get(id) ?? Infinity) > 15_000);
  }
});
