import { appendFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { prepareLedger } from '../../../lab/commit-ledger';
import { until } from '../../../lab/hosts/waiting';
import type { PairName, PostgresPair } from '../../../lab/postgres-pair';
import { liftHold, setHold } from '../../../lib/host/hold';
import { runCommand } from '../../../lib/host/run';
import { describeAsRoot } from '../../integration/lab/as-root';
import { quietTask } from '../../shared/task';
import type { Estate } from '../../e2e/estate';
import type { PairEstate } from './pair-estate';
import { NAME, other, type PostgresLab, startPostgresLab } from './postgres-lab';

jest.setTimeout(900_000);

describeAsRoot('the flows that keep a pair of PostgreSQL servers, in n8n', () => {
  let world: PostgresLab;
  let lab: PairEstate;
  let estate: Estate;
  let pair: PostgresPair;
  let primary: PairName = 'bruno';

  beforeAll(async () => {
    world = await startPostgresLab();
    ({ lab, estate, pair } = world);
  });
  afterAll(() => (world as PostgresLab | undefined)?.stop());
  afterEach(() => expect(estate.violations()).toEqual([]));

  const addressOf = (name: PairName) => world.addressOf(name);
  const edit: PostgresLab['edit'] = (...wanted) => world.edit(...wanted);
  const resolved = () => world.resolved();
  const leadsTo: PostgresLab['leadsTo'] = (...asked) => world.leadsTo(...asked);
  const takesWrites = (name: PairName) => world.takesWrites(name);
  const whole: PostgresLab['whole'] = (...asked) => world.whole(...asked);
  const statusPage = () => world.statusPage();
  const recordOf = async (name: PairName) => {
    const record = { script: 'cat /var/lib/selfhost/postgres/*/record' };
    return (await runCommand(pair.member(name).host, record, {}, quietTask())).stdout;
  };
  const hold = async (name: PairName) => {
    await setHold(pair.member(name).host, { who: 'a test', why: 'replacing a disk' }, quietTask());
  };

  /** What nobody may have touched where something was refused. */
  const untouched = async () => ({
    record: await recordOf(primary),
    startedAt: await pair.sql(primary, 'select pg_postmaster_start_time()'),
    writes: await takesWrites(primary),
    name: await resolved(),
  });

  test('a set-up that is denied, or would no longer do what was shown, changes nothing on either server', async () => {
    const before = async () => ({
      role: await pair.sql('bruno', `select count(*) from pg_roles where rolname = '${pair.cluster.replication.user}'`),
      startedAt: await pair.sql('bruno', 'select pg_postmaster_start_time()'),
      slots: await pair.sql('bruno', 'show max_slot_wal_keep_size'),
      copied: existsSync(join(pair.member('eva').dataFolder, 'PG_VERSION')),
    });
    const found = await before();
    expect(found).toMatchObject({ role: '0', slots: '-1', copied: false });
    await lab.submit('postgres-set-up', { cluster: 'immich', primary: 'bruno' });
    await lab.press(await lab.asked('update: replication of immich'), 'No');
    expect((await lab.said('777', 'immich was not set up')).text).toContain('by owner');
    expect(await before()).toEqual(found);

    lab.fromNowOn();
    await lab.submit('postgres-set-up', { cluster: 'immich', primary: 'bruno' });
    const question = await lab.asked('update: replication of immich');
    expect(question.text).toContain('wal_keep_size: 0 -> 1024');
    // Somebody else changes what one of the lines was about.
    await pair.sql('bruno', "alter system set wal_keep_size = '512MB'; select pg_reload_conf()");
    await until('the server has heard of it', 60_000, async () =>
      (await pair.sql('bruno', 'show wal_keep_size')) === '512MB' ? true : undefined,
    );
    await lab.press(question, 'Do it');
    const refused = await lab.said('666', 'immich was NOT set up');
    expect(refused.text).toContain('is not what was agreed to');
    expect(refused.text).toContain('Nothing was changed. Ask again by the form');
    expect(await before()).toEqual(found);
    lab.fromNowOn();
  });

  test('a pair is set up by exactly the lines that were shown, and allowed', async () => {
    await lab.submit('postgres-set-up', { cluster: 'immich', primary: 'bruno' });
    const question = await lab.asked('update: replication of immich');
    expect(question.text).toContain('Plan: ');
    expect(await pair.sql('bruno', 'select count(*) from pg_stat_replication')).toBe('0');
    await lab.press(question, 'Do it');
    expect((await lab.said('888', 'immich is set up, and healthy')).text).toContain('Allowed by owner');
    await whole('bruno');
    // Run again it finds nothing to do, and asks nobody.
    lab.fromNowOn();
    await lab.submit('postgres-set-up', { cluster: 'immich', primary: '' });
    await lab.said('888', 'Nothing has to be changed.');
    await prepareLedger(addressOf('bruno'), pair.app);
  });

  test('who is asked and says no keeps everything as it is; who says yes gets what was shown, and the old primary comes back by itself', async () => {
    await lab.publish('PgFailover', 'PgCare');
    lab.fromNowOn();
    pair.signal('bruno', 'SIGKILL', 'postmaster');
    const first = await lab.asked('failover: immich');
    expect(first.text).toContain('bruno is lost');
    expect(first.text).toContain('eva becomes the primary. Nothing that was acknowledged is lost.');
    await lab.press(first, 'No');
    expect((await lab.said('666', 'immich was NOT failed over')).text).toContain('answered by owner');
    expect(await takesWrites('eva')).toBe(false);
    expect(await resolved()).toBe(addressOf('bruno'));
    // Whoever said no brings it back by hand; and then it dies once more.
    await pair.startServer('bruno');
    await lab.said('777', 'immich: bruno takes writes');
    await whole('bruno');
    lab.fromNowOn();
    pair.signal('bruno', 'SIGKILL', 'postmaster');
    const again = await lab.asked('failover: immich');
    await lab.press(again, 'Do it');
    const done = await lab.said('666', 'immich: eva is the primary now');
    expect(done.text).toContain('Nothing that was acknowledged is lost.');
    expect(done.text).toContain(`${NAME} leads to eva (${addressOf('eva')})`);
    expect(done.text).toContain('Allowed by owner');
    await leadsTo('eva');
    expect((await lab.said('777', 'bruno follows eva again')).text).toContain('commits wait for it');
    await whole('eva');
    primary = 'eva';
  });

  /** One loss under load; what its clients saw. */
  async function lose(struck?: () => Promise<void>) {
    const to = other(primary);
    let resolvedMs = 0;
    const figures = await world.underLoad(primary, async () => {
      lab.fromNowOn();
      const killedAt = performance.now();
      pair.signal(primary, 'SIGKILL', 'postmaster');
      await struck?.();
      await leadsTo(to);
      resolvedMs = Math.round(performance.now() - killedAt);
      return to;
    });
    primary = to;
    return { ...figures, resolvedMs };
  }

  test('what the inventory opts in to goes on by itself, and the message says what it cost', async () => {
    await edit(['immich']);
    const figures = await lose();
    console.log(`by itself: ${JSON.stringify(figures)}`);
    expect(figures).toMatchObject({ missing: 0, overlapping: 0 });
    const done = await lab.said('666', `immich: ${primary} is the primary now`);
    expect(done.text).toMatch(/No commit was possible for at most [\d.]+ s, since /);
    expect(done.text).toContain('Allowed by inventory');
    await lab.said('777', `${other(primary)} follows ${primary} again`);
    await whole(primary);
  });

  const killAndStart = async () => {
    await world.killN8n();
    await world.startN8n();
  };

  let executions = 0;
  async function executionsRun(flow: string): Promise<unknown> {
    return await until('the flow has begun', 180_000, async () => {
      const running = await estate.own.api.executionsOf(flow, 'running');
      const all = await estate.own.api.executionsOf(flow);
      return running.length > 0 || all.length > executions ? true : undefined;
    });
  }
  beforeEach(async () => {
    executions = (await estate.own.api.executionsOf('selfhostPgFailover')).length;
  });

  async function journalSays(step: RegExp): Promise<unknown> {
    const to = other(primary);
    return await until('the journal of the candidate says so', 180_000, () => {
      const journal = world.noted(to, 'journal');
      return journal.includes(`from=${primary}`) && step.test(journal) ? true : undefined;
    });
  }

  test.each([
    ['as soon as the flow has begun', () => executionsRun('selfhostPgFailover')],
    ['while the failover has claimed its epoch', () => journalSays(/^step=(?!done|abandoned)/m)],
    ['when the standby is promoted and nobody was led there', () => journalSays(/^step=done$/m)],
    ['when the name leads there and nobody was told', () => leadsTo(other(primary))],
    ['when people were told', () => lab.said('666', `immich: ${other(primary)} is the primary now`)],
  ])('n8n is killed %s: started again it ends in the same state', async (_, boundary) => {
    const figures = await lose(async () => {
      await boundary();
      await killAndStart();
    });
    console.log(`n8n killed ${_}: ${JSON.stringify(figures)}`);
    expect(figures).toMatchObject({ missing: 0, overlapping: 0 });
    await until('people know who is the primary', 180_000, () =>
      Promise.resolve(
        lab
          .since()
          .find(({ text }) => text.includes(`immich: ${primary} `) || text.includes(`clients are led to ${primary}`)),
      ),
    );
    await whole(primary);
    expect(await resolved()).toBe(addressOf(primary));
  });

  test('an n8n that limits how much runs at once never fails over by itself, also where the inventory opts in', async () => {
    lab.fromNowOn();
    const path = await estate.caller('under-a-limit', 'selfhostPgFailover', {
      ...{ event: 'primaryLost', cluster: 'immich', primary, epoch: 0, mayWait: true },
      ...{ text: 'a test says that it is lost', since: new Date().toISOString() },
    });
    // It answers when the question is answered, and nobody waits for that here.
    const called = estate.own.api.callWebhook(path, {}).catch(() => undefined);
    const question = await lab.asked('failover: immich (never by itself');
    expect(question.text).toContain('In the way: ');
    await lab.press(question, 'No');
    expect((await lab.said('666', 'immich was NOT failed over')).text).toContain('answered by owner');
    await called;
    await whole(primary);
  });

  test('a hold is obeyed; once it is lifted the failover comes by itself', async () => {
    const [from, to] = [primary, other(primary)];
    await hold(to);
    lab.fromNowOn();
    pair.signal(from, 'SIGKILL', 'postmaster');
    const refused = await lab.said('666', 'immich was NOT failed over');
    expect(refused.text).toContain('replacing a disk');
    expect(await takesWrites(to)).toBe(false);
    expect(await resolved()).toBe(addressOf(from));
    await liftHold(pair.member(to).host, quietTask());
    await lab.said('666', `immich: ${to} is the primary now`);
    await leadsTo(to);
    primary = to;
    await whole(primary);
  });

  test('without a proof that the old primary is silent nothing is promoted, and people are told what to do', async () => {
    const [from, to] = [primary, other(primary)];
    lab.fromNowOn();
    await pair.network.cut(from);
    try {
      const refused = await lab.said('666', 'immich was NOT failed over');
      expect(refused.text).toMatch(/silent|prove/);
      expect(await takesWrites(to)).toBe(false);
      expect(await resolved()).toBe(addressOf(from));
    } finally {
      await pair.network.heal(from);
    }
    await whole(from);
  });

  test('the drill of the calendar goes there and back, its time is kept, and the status page shows it', async () => {
    await edit(['immich']);
    if (primary !== 'bruno') {
      // Back to where the inventory wants it, as somebody would by the form; automatic, so nobody is asked.
      await lab.publish('PgSwitchover');
      lab.fromNowOn();
      await lab.submit('postgres-switchover', { cluster: 'immich', back: 'No', to: 'bruno' });
      await lab.said('888', 'immich: the roles were changed');
      await whole('bruno');
      primary = 'bruno';
    }
    await lab.publish('PgSwitchover', 'PgBackRest', 'RestoreDrill', 'Drills');
    lab.fromNowOn();
    const told = await lab.said('888', 'immich: the roles were changed');
    expect(told.text).toMatch(/bruno → eva in [\d.]+ s.*; eva → bruno in [\d.]+ s/);
    await whole('bruno');
    await leadsTo('bruno');
    const page = await until('the status page shows the drill', 180_000, async () => {
      const html = await statusPage();
      return html.includes('switchover of immich') && html.includes('Done') ? html : undefined;
    });
    expect(page).toMatch(/every 30 d/);
    // Done is done: the next looks find nothing to do.
    lab.fromNowOn();
    const epoch = await recordOf('bruno');
    await until('the calendar has looked again', 180_000, async () => {
      const all = await estate.own.api.executionsOf('selfhostDrills');
      return all.filter(({ status }) => status === 'success').length >= 3 ? true : undefined;
    });
    expect(await recordOf('bruno')).toBe(epoch);
    await estate.own.api.unpublish('selfhostDrills');
  });

  /** What is received is shown no more: a switchover would leave clients waiting for that. */
  async function paused<T>(member: PairName, work: () => Promise<T>): Promise<T> {
    await pair.sql(member, 'select pg_wal_replay_pause()');
    try {
      return await work();
    } finally {
      await pair.sql(member, 'select pg_wal_replay_resume()');
    }
  }

  test('a switchover that was allowed is refused where the standby has stopped replaying since: nobody is cut off', async () => {
    await edit([]);
    await lab.publish('PgSwitchover');
    const before = await untouched();
    lab.fromNowOn();
    await lab.submit('postgres-switchover', { cluster: 'immich', back: 'No' });
    const question = await lab.asked('failover: immich, planned');
    expect(question.text).toContain(`${primary} → ${other(primary)}`);
    await paused(other(primary), async () => {
      await lab.press(question, 'Do it');
      const refused = await lab.said('666', 'immich: the roles were NOT changed');
      expect(refused.text).toContain('its replay is paused; nothing was changed');
      expect(refused.text).toContain('pg_wal_replay_resume()');
      expect(await untouched()).toEqual(before);
    });
    await whole(primary);
  });

  test('a drill that is refused is told, stands as failed and not as done, and is not begun again the same day', async () => {
    await edit(['immich'], 'switchover, practised');
    await lab.publish('PgSwitchover', 'PgBackRest', 'RestoreDrill');
    const before = await untouched();
    lab.fromNowOn();
    await paused(other(primary), async () => {
      await lab.publish('Drills');
      try {
        const told = await lab.said('666', 'The drill did NOT work: switchover, practised');
        expect(told.text).toContain('its replay is paused');
        expect(told.text).toContain('It is tried again tomorrow.');
        await until('the status page shows what came of it', 180_000, async () =>
          /switchover, practised<\/h3>\s*<p class="status wrong">Failed</.test(await statusPage()) ? true : undefined,
        );
        const looks = (await estate.own.api.executionsOf('selfhostDrills')).length;
        await until('the calendar has looked again', 180_000, async () =>
          (await estate.own.api.executionsOf('selfhostDrills')).length >= looks + 2 ? true : undefined,
        );
      } finally {
        await estate.own.api.unpublish('selfhostDrills');
      }
      expect(lab.since().filter(({ text }) => text.includes('The drill did NOT work'))).toHaveLength(1);
      expect(await untouched()).toEqual(before);
    });
    await whole(primary);
  });

  test('a name that cannot be led to the primary stays where it was, and people are told; it is led there once it can be', async () => {
    await edit([]);
    await lab.publish('PgFailover', 'PgCare');
    lab.fromNowOn();
    // Cloudflare lets nobody write but whoever changes the name by hand.
    const errors = [{ code: 10_000, message: 'Authentication error' }];
    const json = { success: false, errors, messages: [], result: null };
    const reply = { status: 403, json };
    lab.cloudflare.fail({ kind: 'answer', method: 'POST', path: /batch$/, times: 1_000_000, reply });
    try {
      await world.pointByHand(other(primary));
      const told = await lab.said('666', 'immich: clients are NOT led to the primary');
      expect(told.text).toContain(`${NAME} does NOT lead to ${primary}: `);
      expect(await resolved()).toBe(addressOf(other(primary)));
    } finally {
      lab.cloudflare.forget();
    }
    await lab.said('777', `immich: clients are led to ${primary}`);
    await leadsTo(primary);
  });

  test('a standby that does not start is told with what to do, and what it holds is kept; once it can start it follows by itself', async () => {
    await edit([]);
    await lab.publish('PgFailover', 'PgCare');
    const standby = other(primary);
    const { dataFolder } = pair.member(standby);
    const [settings, kept] = [join(dirname(dataFolder), 'socket.conf'), join(dataFolder, 'kept')];
    const before = await untouched();
    const good = readFileSync(settings, 'utf8');
    lab.fromNowOn();
    writeFileSync(kept, 'of before');
    appendFileSync(settings, "no_such_setting = 'of a test'\n");
    try {
      pair.signal(standby, 'SIGKILL', 'postmaster');
      const told = await lab.said('666', 'A member of a cluster does NOT follow');
      expect(told.text).toContain(standby);
      expect(told.text).toContain('did not start');
      expect(readFileSync(kept, 'utf8')).toBe('of before');
      expect(await untouched()).toEqual(before);
    } finally {
      writeFileSync(settings, good);
      rmSync(kept, { force: true });
    }
    await lab.said('777', `${standby} follows ${primary} again`);
    await whole(primary);
  });
});
