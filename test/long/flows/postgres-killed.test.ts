import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { prepareLedger } from '../../../lab/commit-ledger';
import type { PairName, PostgresPair } from '../../../lab/postgres-pair';
import { describeAsRoot } from '../../integration/lab/as-root';
import type { Estate } from '../../e2e/estate';
import type { Boundary } from './boundary';
import type { PairEstate } from './pair-estate';
import { type Kills, killsIn } from './postgres-kills';
import { type LoadFigures, type PostgresLab, startPostgresLab } from './postgres-lab';

jest.setTimeout(1_200_000);

// Each way is gone once, and n8n is killed at every boundary on it: whoever starts again goes on from what the runs
// before have left on the hosts, in the state of the calendar, and at the provider of the name.
describeAsRoot('forms of a pair of PostgreSQL servers, and an n8n that is killed in the middle', () => {
  let world: PostgresLab;
  let lab: PairEstate;
  let estate: Estate;
  let pair: PostgresPair;
  let kills: Kills;

  beforeAll(async () => {
    world = await startPostgresLab();
    ({ lab, estate, pair } = world);
    kills = killsIn(world);
  });
  afterAll(() => (world as PostgresLab | undefined)?.stop());
  beforeEach(() => kills.begin());
  afterEach(() => expect(estate.violations()).toEqual([]));

  /** n8n has stored that it waits; who is killed before that asks again. */
  const waits = (flow: string): Boundary => ({
    called: 'the question is open',
    reached: async () => {
      const both = [flow, 'selfhostApprove'].map((id) => estate.own.api.executionsOf(id, 'waiting'));
      return (await Promise.all(both)).every((one) => one.length > 0);
    },
  });

  test('a set-up, sent and allowed again after each kill, ends as one that nobody has killed', async () => {
    const send = () => lab.submit('postgres-set-up', { cluster: 'immich', primary: 'bruno' });
    await send();
    const first = await lab.asked('update: replication of immich');
    await kills.becomes(waits('selfhostPgSetUp'));
    await kills.killed('the question is open');
    await world.startN8n();
    await lab.press(first, 'Do it');
    const { user } = pair.cluster.replication;
    const eva = pair.member('eva').dataFolder;
    const boundaries: readonly Boundary[] = [
      {
        called: 'its login is made',
        reached: kills.asks('bruno', `select count(*) from pg_roles where rolname = '${user}'`, /^1$/),
      },
      { called: 'its primary is written down', reached: () => kills.fieldOf('bruno', 'record', 'epoch') !== '' },
      { called: 'the copy is about to begin', reached: () => kills.fieldOf('eva', 'record', 'epoch') !== '' },
      { called: 'the copy is there', reached: () => existsSync(join(eva, 'PG_VERSION')) },
      { called: 'it streams', reached: kills.asks('bruno', 'select state from pg_stat_replication', /^streaming$/) },
      { called: 'commits wait for it', reached: kills.asks('bruno', 'show synchronous_standby_names', /./) },
    ];
    let allowed = true;
    await kills.goThrough(async () => {
      if (!allowed) await sendAndAllow(send);
      allowed = false;
    }, boundaries);
    await sendAndAllow(send);
    await kills.becomes({ called: 'people know that it is set up', reached: kills.wasSaid('immich is set up') });
    await world.whole('bruno');
    lab.fromNowOn();
    await send();
    await lab.said('888', 'Nothing has to be changed.');
    kills.nothingRefused();
    expect(existsSync(join(eva, 'standby.signal'))).toBe(true);
    expect(await pair.sql('bruno', 'select slot_name, active from pg_replication_slots')).toBe('selfhost_eva|t');
    await prepareLedger(world.addressOf('bruno'), pair.app);
  });

  /** Whoever has heard nothing sends the form again, and allows what is left to do, if anything is. */
  async function sendAndAllow(send: () => Promise<void>): Promise<void> {
    lab.fromNowOn();
    await send();
    const question = () => lab.since().find(({ text }) => text.includes('May this be done?'));
    const known = kills.wasSaid('Nothing has to be changed.');
    await kills.becomes({
      called: 'it asks, or has nothing to do',
      reached: () => question() !== undefined || known(),
    });
    const asked = question();
    if (asked !== undefined) await lab.press(asked, 'Do it');
  }

  /** Sent again after each kill, under load, and once more in the end: what clients saw, and what people were told then. */
  async function sentAgain(
    fields: Parameters<Kills['form']>[0],
    to: PairName,
    boundaries: readonly Boundary[],
  ): Promise<LoadFigures & { readonly told: string }> {
    let told = '';
    const figures = await world.underLoad(
      'bruno',
      async () => {
        await kills.goThrough(() => kills.form(fields), boundaries);
        await kills.form({ to });
        told = (await lab.said('888', `immich: ${to} is the primary already`)).text;
        return to;
      },
      20,
    );
    console.log(`sent again after each kill, ${JSON.stringify(fields)}: ${JSON.stringify(figures)}`);
    return { ...figures, told };
  }

  test('a switchover whose form names the new primary, sent again after each kill, changes the roles once', async () => {
    await world.edit(['immich']);
    await lab.publish('PgSwitchover');
    lab.fromNowOn();
    const epoch = kills.newestEpoch();
    const figures = await sentAgain({ to: 'eva' }, 'eva', [
      {
        called: 'the form is taken',
        reached: async () => (await estate.own.api.executionsOf('selfhostPgSwitchover', 'running')).length > 0,
      },
      { called: 'its epoch is claimed', reached: kills.cameTo('eva', epoch, 'claimed') },
      { called: 'the old primary is being stopped', reached: () => kills.isTold('bruno') },
      { called: 'the new one is cut off', reached: kills.cameTo('eva', epoch, 'cut') },
      { called: 'the new one is being promoted', reached: kills.cameTo('eva', epoch, 'promoting') },
      { called: 'the new one is promoted', reached: kills.cameTo('eva', epoch, 'done') },
      { called: 'the old one follows', reached: kills.syncs('eva') },
      { called: 'the name leads there', reached: kills.leads('eva') },
      { called: 'people were told', reached: kills.wasSaid('eva is the primary already') },
    ]);
    expect(figures).toMatchObject({ missing: 0, overlapping: 0, changes: 1 });
    expect(figures.told).toMatch(/eva became the primary on \d{4}-\d\d-\d\d \d\d:\d\d, by a switchover from bruno/);
    kills.nothingRefused();
    await world.whole('eva');
    expect(await kills.leads('eva')()).toBe(true);
  });

  test('killed between question and answer, and just after the answer: it goes on once it is answered, or asked again', async () => {
    await world.edit([]);
    lab.fromNowOn();
    await kills.form({ to: 'bruno' });
    const question = await lab.asked('failover: immich, planned');
    expect(question.text).toContain('eva → bruno');
    await kills.becomes(waits('selfhostPgSwitchover'));
    await kills.killed('the question is open');
    await world.startN8n();
    await lab.press(question, 'Do it');
    await lab.said('888', 'immich: the roles were changed');
    await world.whole('bruno');
    await world.leadsTo('bruno');
    lab.fromNowOn();
    await kills.form({ to: 'eva' });
    await lab.press(await lab.asked('failover: immich, planned'), 'Do it');
    await kills.killed('it was just answered');
    await world.startN8n();
    lab.fromNowOn();
    await kills.form({ to: 'eva' });
    const again = () => lab.since().find(({ text }) => text.includes('failover: immich, planned'));
    const done = kills.wasSaid('immich: eva is the primary already');
    await kills.becomes({ called: 'it asks again, or is done', reached: () => again() !== undefined || done() });
    const asked = again();
    if (asked !== undefined) {
      await lab.press(asked, 'Do it');
      await lab.said('888', 'immich: the roles were changed');
    }
    await world.whole('eva');
    await world.leadsTo('eva');
    kills.nothingRefused();
  });

  test('who sends a form again that names nobody is asked, also where it is automatic, and told what was done', async () => {
    await world.edit(['immich']);
    lab.fromNowOn();
    await kills.form({});
    const question = await lab.asked('failover: immich, planned');
    expect(question.text).toContain('by a switchover from bruno');
    expect(question.text).toContain('should this be the same wish, sent again, say No');
    await lab.press(question, 'No');
    await lab.said('666', 'immich: the roles were NOT changed');
    await world.whole('eva');
    await kills.form({ to: 'bruno' });
    await lab.said('888', 'immich: the roles were changed');
    await world.whole('bruno');
    await world.leadsTo('bruno');
  });

  test('there and back, sent again after each kill, ends at home', async () => {
    lab.fromNowOn();
    const epoch = kills.newestEpoch();
    const figures = await sentAgain({ back: 'Yes' }, 'bruno', [
      { called: 'it is there, and nobody is led there', reached: kills.cameTo('eva', epoch, 'done') },
      { called: 'it is on its way back', reached: () => kills.isTold('eva') },
      { called: 'it is back', reached: kills.cameTo('bruno', epoch, 'done') },
    ]);
    expect(figures).toMatchObject({ missing: 0, changes: 2 });
    kills.nothingRefused();
    await world.whole('bruno');
    expect(await kills.leads('bruno')()).toBe(true);
  });
});
