import { until } from '../../../lab/hosts/waiting';
import { ADDRESSES, isReady } from '../../../lab/n8n-pair';
import { readHold } from '../../../lib/host/hold';
import { quietTask } from '../../shared/task';
import { describeAsRoot } from '../../integration/lab/as-root';
import { inSentinelLab } from './sentinel-lab';

const task = quietTask();

describeAsRoot('a sentinel that asks before it moves the first n8n', () => {
  const next = inSentinelLab({ automatic: false });
  let workId = '';

  next('the first n8n is backed up, and would not start by itself on a host that comes back', async (of) => {
    workId = await of.settleIn();
  });

  next('it dies with its host, and the sentinel asks once under its own address when the hold is over', async (of) => {
    await of.holdSwitch('Hold', 'dev');
    await until('dev is on hold', 120_000, async () =>
      (await readHold(of.service.standby, task)).kind === 'held' ? true : undefined,
    );
    await of.pair.powerOff('bruno');
    await of.said('sentinel', '666', 'n8n n8n is gone, and its host bruno with it');
    expect(of.questions()).toEqual([]);
    const begun = Date.now();
    await of.holdSwitch('Lift', 'dev');
    const asked = await of.question(1);
    expect(asked.text).toMatch(/failover: n8n\n/);
    expect(asked.text).toMatch(/n8n n8n: sentinel: it does not answer in time; dev: dev gets no answer from it/);
    expect(asked.text).toMatch(/You lose changes since \d\d:\d\d \(\d{4}-\d\d-\d\d\)/);
    expect(of.telegrams.sentinel.messages).toContain(asked);
    expect(of.telegrams.sentinel.webhook()).toContain(ADDRESSES.sentinel);
    console.log(`asked ${Date.now() - begun} ms after the hold was lifted`);
  });

  next('the button brings the first back with the newest good data', async (of) => {
    const [asked] = of.questions();
    if (asked === undefined) throw new Error('Nothing was asked');
    const pressed = Date.now();
    await of.press(asked, 'Do it');
    await until('the first n8n answers on dev', 600_000, () => isReady(of.pair.urlOn('dev')));
    console.log(`back ${Date.now() - pressed} ms after the button`);
    of.leadTo('dev');
    await of.said('sentinel', '777', 'n8n moved to dev');
    expect(await of.turn()).toMatchObject({ number: 1, at: 'standby', by: 'sentinel', how: 'restore' });
    for (let call = 1; call <= 5; call += 1) {
      expect(await of.work('dev', 'work')).toEqual({ status: 200, text: '{"work":"work"}' });
    }
    // Made after the backup: it is lost, as the question said.
    expect((await of.work('dev', 'later')).status).toBe(404);
    expect(of.questions()).toHaveLength(1);
    expect(await of.moves()).toMatchObject([{ turn: 1, host: 'dev', how: 'restore' }]);
  });

  next('its host returns and serves nothing; the sentinel hands back, and nothing is lost', async (of) => {
    await of.pair.powerOn('bruno');
    expect(await of.running('bruno')).toEqual([]);
    const asked = await of.question(2);
    expect(await of.running('bruno')).toEqual([]);
    expect(asked.text).toContain('carried home');
    expect(of.telegrams.sentinel.messages).toContain(asked);
    await until('all its work is written down', 120_000, async () =>
      (await of.timesDone('dev', workId)) === 5 ? true : undefined,
    );
    await of.press(asked, 'Do it');
    await until('the first n8n answers at home', 600_000, () => isReady(of.pair.urlOn('bruno')));
    of.leadTo('bruno');
    await of.said('sentinel', '777', 'n8n moved to bruno');
    expect(await of.running('dev')).toEqual([]);
    expect(await of.turn()).toMatchObject({ number: 2, at: 'home', by: 'sentinel', how: 'carry' });
    expect(await of.timesDone('bruno', workId)).toBe(5);
    expect(await of.work('bruno', 'work')).toEqual({ status: 200, text: '{"work":"work"}' });
    expect(of.questions()).toHaveLength(2);
    expect(await of.moves()).toHaveLength(2);
    // Away from home it has gone on watching, without stumbling over the host that was gone.
    expect(of.failures('first')).toEqual([]);
  });
});
