import { clock } from '../../../lab/commit-ledger';
import { until } from '../../../lab/hosts/waiting';
import type { SentMessage } from '../../../lab/standins/telegram';
import { describeAsRoot } from '../../integration/lab/as-root';
import { owner } from '../../shared/people';
import { startForTests } from '../../shared/start-for-tests';
import { type ServiceLab, startServiceLab } from './service-lab';

jest.setTimeout(900_000);

describeAsRoot('a service that goes to its standby and home again, by flows in n8n', () => {
  let lab: ServiceLab;
  startForTests(
    () => startServiceLab({ automatic: false }),
    (started) => {
      lab = started;
    },
  );
  afterEach(() => expect(lab.estate.violations()).toEqual([]));

  const asked = (text: string, from = 0) => lab.said(String(owner.id), text, from);
  const answers = (of: 'bruno' | 'eva') =>
    lab.page(of).then(
      (text) => text,
      () => 'nobody',
    );
  /** Its home may still come back and serve. */
  const nothingMoved = async (lies: readonly string[]) => {
    expect(await lab.turn()).toMatchObject({ number: 0, at: 'home' });
    expect(await lab.running('eva')).toEqual([]);
    expect(await answers('eva')).toBe('nobody');
    expect(lab.tree('eva')).toEqual(lies);
    expect(lab.pointsAt()).toBe(lab.addressOf('bruno'));
  };
  /** What was written before the backup began, and all that was written before the crash. */
  let saved: readonly string[] = [];
  let written: readonly string[] = [];

  test('home crashes: the question says what was seen and what would be lost; denied, nothing is touched', async () => {
    const ledger = lab.writers('crash', 5);
    await until('writes come', 30_000, () => Promise.resolve(ledger.acknowledged.length > 100 || undefined));
    const begun = clock();
    await lab.backUp();
    const during = ledger.acknowledged.length;
    await until('more come', 30_000, () => Promise.resolve(ledger.acknowledged.length > during + 100 || undefined));
    await lab.pair.powerOff('bruno');
    await ledger.freeze();
    saved = ledger.acknowledged.filter(({ at }) => at < begun).map(({ id }) => id);
    written = ledger.acknowledged.map(({ id }) => id);
    const question = await asked('shop from bruno to eva');
    expect(question.text).toContain('failover: shop from bruno to eva');
    expect(question.text).toMatch(/home bruno: .*eva/s);
    expect(question.text).toMatch(/you lose changes since \d\d:\d\d \(\d{4}-\d\d-\d\d\)/);
    expect(question.text).toContain('Undo: Service failback brings them home');
    await lab.press(question, 'No');
    expect((await lab.said('666', 'Not moved: shop from bruno to eva')).text).toContain('answered by owner');
    expect(await lab.turn()).toMatchObject({ number: 0, at: 'home' });
    expect(await lab.running('eva')).toEqual([]);
  });

  test('its backups are lost after the question: a yes moves nothing, replaces nothing, starts nothing, and is told', async () => {
    const before = lab.estate.telegram.messages.length;
    const lies = lab.tree('eva');
    await lab.estate.own.api.runManually('selfhostSvcFailover', 'By hand');
    const question = await asked('you lose changes since', before);
    lab.loseBackups();
    await lab.press(question, 'Do it');
    const told = await lab.said('666', 'shop was not moved', before);
    expect(told.text).toContain('now they are not known to be: www: NO GOOD BACKUP');
    await nothingMoved(lies);
  });

  test('without backups nobody is asked: that is told once, and by hand again, with what to do', async () => {
    const lies = lab.tree('eva');
    const cannot = ({ text }: SentMessage) => text.includes('shop CANNOT be moved from bruno');
    const told = await lab.said('666', 'shop CANNOT be moved from bruno');
    expect(told.text).toContain('home bruno: ');
    expect(told.text).toContain('shop: www: NO GOOD BACKUP; shop-db: NO GOOD BACKUP');
    expect(told.text).toContain(
      'Bring home back, or put its data right as the runbook of services with a standby says',
    );
    const from = lab.estate.telegram.messages.indexOf(told);
    const ended = async () => {
      const path = '/api/v1/executions?workflowId=selfhostSvcFailover&status=success&limit=20';
      const { body } = await lab.estate.own.api.request('GET', path);
      return (body as { data: { id: string }[] }).data.map(({ id }) => id);
    };
    const known = new Set(await ended());
    await lab.becomes('four more rounds have ended, one of them the one that told it', async () => {
      return (await ended()).filter((id) => !known.has(id)).length >= 4;
    });
    expect(lab.estate.telegram.messages.filter(cannot)).toHaveLength(1);
    await lab.estate.own.api.runToEnd('selfhostSvcFailover', 'By hand', { within: 180_000 });
    expect(lab.estate.telegram.messages.filter(cannot)).toHaveLength(2);
    expect(lab.estate.telegram.messages.slice(from).filter(({ text }) => text.includes('May this be done?'))).toEqual(
      [],
    );
    await nothingMoved(lies);
    lab.findBackups();
  });

  test('approved, it runs on the standby with the newest good data; home, revived in the middle, serves nothing', async () => {
    const before = lab.estate.telegram.messages.length;
    await lab.estate.own.api.runManually('selfhostSvcFailover', 'By hand');
    await lab.press(await asked('you lose changes since', before), 'Do it');
    await lab.becomes('the turn is taken', async () => (await lab.turn()).number === 1);
    await lab.pair.powerOn('bruno');
    expect(await lab.running('bruno')).toEqual([]);
    const told = await lab.said('777', 'shop moved to eva');
    expect(told.text).toMatch(/shop runs on eva with data of \d{4}-\d\d-\d\d \d\d:\d\d/);
    expect(told.text).toContain('Seen from outside: all well');
    expect(await answers('eva')).toBe('hello\n');
    expect(lab.pointsAt()).toBe(lab.addressOf('eva'));
    const kept = new Set(await lab.rows('eva'));
    // At most what was written since the backup is lost, and something was, or this would prove nothing.
    expect(saved.filter((id) => !kept.has(id))).toEqual([]);
    expect(written.filter((id) => !kept.has(id)).length).toBeGreaterThan(0);
    expect(await answers('bruno')).toBe('nobody');
    expect(await lab.running('bruno')).toEqual([]);
    await lab.becomesFinished('standby', 1);
    const { verdict, standby } = await lab.status();
    expect({ verdict, standby }).toMatchObject({ verdict: 'in its place', standby: { finished: 1, begun: 1 } });
  });

  test('what somebody starts at home, restart policies and all, is stopped there, and that is told', async () => {
    await lab.pair.docker('bruno', 'update', '--restart=always', 'shop-db-1', 'shop-web-1');
    await lab.pair.docker('bruno', 'start', 'shop-db-1', 'shop-web-1');
    expect(await answers('bruno')).toBe('hello\n');
    expect((await lab.said('666', 'shop was stopped on bruno')).text).toContain('It is the turn of its other host');
    expect(await lab.running('bruno')).toEqual([]);
    const policies = ['shop-db-1', 'shop-web-1'].map((name) =>
      lab.pair.docker('bruno', 'inspect', '--format', '{{.HostConfig.RestartPolicy.Name}}', name),
    );
    expect((await Promise.all(policies)).map((each) => each.trim())).toEqual(['no', 'no']);
    expect(await answers('eva')).toBe('hello\n');
  });

  test('home is back: asked and allowed, it comes home under load, and no write that was acknowledged is lost', async () => {
    const ledger = lab.writers('failback', 5);
    await until('writes come', 30_000, () => Promise.resolve(ledger.acknowledged.length > 100 || undefined));
    await lab.press(await asked('shop back home to bruno'), 'Do it');
    const told = await lab.said('777', 'shop came back home');
    expect(told.text).toContain('shop runs on bruno, with everything that was written');
    const now = ledger.acknowledged.length;
    await until('writes come at home', 60_000, () =>
      Promise.resolve(ledger.acknowledged.length > now + 100 || undefined),
    );
    await ledger.freeze();
    expect(new Set(ledger.acknowledged.map(({ by }) => by))).toEqual(
      new Set([lab.addressOf('bruno'), lab.addressOf('eva')]),
    );
    const kept = new Set(await lab.rows('bruno'));
    expect(ledger.acknowledged.filter(({ id }) => !kept.has(id))).toEqual([]);
    expect(saved.filter((id) => !kept.has(id))).toEqual([]);
    expect(await lab.running('eva')).toEqual([]);
    expect(await answers('bruno')).toBe('hello\n');
    expect(lab.pointsAt()).toBe(lab.addressOf('bruno'));
    // People are told first.
    await lab.becomesFinished('home', 2);
    expect(await lab.status()).toMatchObject({ verdict: 'in its place', home: { finished: 2 } });
  });

  test('home crashes again and Cloudflare refuses: it serves on the standby, which is told and not called finished', async () => {
    const before = lab.estate.telegram.messages.length;
    lab.refuseNames(true);
    await lab.setAutomatic(true);
    await lab.pair.powerOff('bruno');
    const told = await lab.said('666', 'shop moved to eva: look at it', before);
    expect(told.text).toContain('shop runs on eva');
    expect(told.text).toMatch(/^DNS: ./m);
    expect(await answers('eva')).toBe('hello\n');
    expect(lab.pointsAt()).toBe(lab.addressOf('bruno'));
    expect(await lab.status()).toMatchObject({ standby: { begun: 3, finished: 1 } });
    lab.refuseNames(false);
    // The next round goes on with what was left.
    expect((await lab.said('777', 'shop moved to eva', before)).text).toContain('Seen from outside: all well');
    await lab.becomesFinished('standby', 3);
    expect(lab.pointsAt()).toBe(lab.addressOf('eva'));
    expect(await answers('eva')).toBe('hello\n');
    await lab.pair.powerOn('bruno');
    expect(await lab.running('bruno')).toEqual([]);
  });
});
