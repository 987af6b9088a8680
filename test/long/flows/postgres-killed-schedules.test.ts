import type { PairName, PostgresPair } from '../../../lab/postgres-pair';
import { prepareLedger } from '../../../lab/commit-ledger';
import { describeAsRoot } from '../../integration/lab/as-root';
import type { Estate } from '../../e2e/estate';
import type { Boundary } from './boundary';
import type { PairEstate } from './pair-estate';
import { type Kills, killsIn } from './postgres-kills';
import { other, type PostgresLab, startPostgresLab } from './postgres-lab';

jest.setTimeout(1_200_000);

// Nobody sends anything again here: the schedules come round, and go on from what the killed runs have left.
describeAsRoot('schedules that keep a pair of PostgreSQL servers, and an n8n that is killed in the middle', () => {
  let world: PostgresLab;
  let lab: PairEstate;
  let estate: Estate;
  let pair: PostgresPair;
  let kills: Kills;
  let primary: PairName = 'bruno';

  beforeAll(async () => {
    world = await startPostgresLab();
    ({ lab, estate, pair } = world);
    kills = killsIn(world);
    await lab.submit('postgres-set-up', { cluster: 'immich', primary: 'bruno' });
    await lab.press(await lab.asked('update: replication of immich'), 'Do it');
    await lab.said('888', 'immich is set up');
    await world.whole('bruno');
    await prepareLedger(world.addressOf('bruno'), pair.app);
    await lab.publish('PgSwitchover');
  });
  afterAll(() => (world as PostgresLab | undefined)?.stop());
  beforeEach(() => kills.begin());
  afterEach(() => expect(estate.violations()).toEqual([]));

  const DRILL = 'there and back, killed';
  interface Kept {
    readonly begunAt?: number;
    readonly runs: readonly { readonly ok: boolean; readonly seconds: number; readonly sentence: string }[];
  }
  const kept = async () => {
    const text = await lab.state.sql(`select value from selfhost_state where key = 'drills/lab'`).catch(() => '');
    if (text === '') return undefined;
    return (JSON.parse(text) as { drills: Record<string, Kept> }).drills[DRILL];
  };
  /** Whoever has begun it is dead. The calendar waits for six hours to be sure of that; here nobody has to. */
  const rest = async () => {
    const begun = `array['drills', '${DRILL}', 'begunAt']`;
    await lab.state.sql(`update selfhost_state set version = version + 1,
      value = jsonb_set(value::jsonb, ${begun}, to_jsonb((value::jsonb #>> ${begun})::bigint - 7 * 3600000))::text
      where key = 'drills/lab' and value::jsonb #> ${begun} is not null`);
  };

  test('a drill of the calendar, killed and found again by its next looks, is done once', async () => {
    await world.edit(['immich'], DRILL);
    await lab.publish('PgBackRest', 'RestoreDrill', 'Drills');
    lab.fromNowOn();
    const epoch = kills.newestEpoch();
    const boundaries: readonly Boundary[] = [
      { called: 'it is begun', reached: async () => (await kept())?.begunAt !== undefined },
      {
        called: 'clients are led there',
        reached: async () => kills.cameTo('eva', epoch, 'done')() && (await kills.leads('eva')()),
      },
      { called: 'people were told that it is back', reached: kills.wasSaid('immich: the roles were changed') },
      { called: 'it is written down', reached: async () => (await kept())?.runs.length === 1 },
    ];
    for (const boundary of boundaries) {
      await kills.becomes(boundary);
      await kills.killed(boundary.called);
      await rest();
      await world.startN8n();
    }
    await world.whole('bruno');
    expect(await kills.leads('bruno')()).toBe(true);
    const looks = (await estate.own.api.executionsOf('selfhostDrills', 'success')).length;
    const record = world.noted('bruno', 'record');
    await kills.becomes({
      called: 'the calendar has looked again',
      reached: async () => (await estate.own.api.executionsOf('selfhostDrills', 'success')).length >= looks + 2,
    });
    await estate.own.api.unpublish('selfhostDrills');
    expect(world.noted('bruno', 'record')).toBe(record);
    const { runs: done = [], begunAt } = (await kept()) ?? {};
    expect(done).toEqual([
      { at: expect.any(Number), ok: true, seconds: expect.any(Number), sentence: expect.any(String) },
    ]);
    expect(done[0]?.sentence).toMatch(/eva → bruno in [\d.]+ s/);
    expect(begunAt).toBeUndefined();
    kills.nothingRefused();
    const page = await world.statusPage();
    expect(page).toMatch(new RegExp(`${DRILL}</h3>\\s*<p class="status ok">Done<`));
    expect(page).toMatch(/every 30 d/);
  });

  test.each([
    ['its epoch is claimed', (epoch: number) => kills.cameTo(other(primary), epoch, 'claimed')],
    ['the old primary is being stopped', () => () => kills.isTold(primary)],
    ['the new one is being promoted', (epoch: number) => kills.cameTo(other(primary), epoch, 'promoting')],
    ['the new one is promoted', (epoch: number) => kills.cameTo(other(primary), epoch, 'done')],
  ])(
    'a switchover that was killed when %s, and that nobody asks for again, is brought to its end by Postgres care',
    async (called, boundary) => {
      const [from, to] = [primary, other(primary)];
      await world.edit(['immich']);
      // As in every estate: both look after it from the moment that n8n is there.
      await lab.publish('PgFailover', 'PgCare');
      lab.fromNowOn();
      const epoch = kills.newestEpoch();
      const figures = await world.underLoad(from, async () => {
        await kills.form({ to });
        await kills.becomes({ called, reached: boundary(epoch) });
        await kills.killed(called);
        await world.startN8n();
        const step = () => kills.fieldOf(to, 'journal', 'step');
        await kills.becomes({ called: 'its journal is closed', reached: () => /^(done|abandoned)$/.test(step()) });
        primary = step() === 'done' ? to : from;
        await world.whole(primary, 300_000);
        await world.leadsTo(primary);
        return primary;
      });
      console.log(`killed when ${called}, then nobody: ${JSON.stringify(figures)}`);
      expect(figures).toMatchObject({ missing: 0, overlapping: 0, changes: primary === to ? 1 : 0 });
      const words = ['a change of roles was left in the middle', `led to ${primary}`, `follows ${primary} again`];
      await kills.becomes({
        called: 'people know what came of it',
        reached: () => lab.since().some(({ text }) => words.some((one) => text.includes(one))),
      });
      kills.nothingRefused();
    },
  );

  test('Postgres care, killed at each step of bringing a lost primary back and of leading a name, does it all the same', async () => {
    const [lost, now] = [primary, other(primary)];
    lab.fromNowOn();
    pair.signal(lost, 'SIGKILL', 'postmaster');
    await lab.said('666', `immich: ${now} is the primary now`);
    await kills.goThrough(
      () => Promise.resolve(),
      [
        {
          called: 'it is being rewound',
          reached: () => world.noted(lost, 'rewinding') !== '' || kills.runsOn(lost),
        },
        { called: 'it is started', reached: () => kills.runsOn(lost) },
        { called: 'it streams', reached: kills.asks(now, 'select state from pg_stat_replication', /^streaming$/) },
        { called: 'commits wait for it', reached: kills.syncs(now) },
      ],
    );
    await world.whole(now);
    await world.leadsTo(now);
    await world.pointByHand(lost);
    await kills.becomes({ called: 'the name leads to the primary again', reached: kills.leads(now) });
    await kills.killed('the name leads to the primary again');
    await world.startN8n();
    await world.whole(now);
    await world.leadsTo(now);
    kills.nothingRefused();
    const twice = lab.since().filter(({ text }) => text.includes(`${lost} follows ${now} again`));
    expect(twice.length).toBeLessThanOrEqual(1);
  });
});
