import { readdirSync } from 'node:fs';
import { until } from '../../../lab/hosts/waiting';
import { isReady } from '../../../lab/n8n-pair';
import { describeAsRoot } from '../../integration/lab/as-root';
import type { Boundary } from './boundary';
import { killAtEach, recordsOf } from './move-kills';
import { type Carrier, inSentinelLab, type SentinelLab } from './sentinel-lab';

// One move away and one home again; what the sentinel finds after one crash is the work of its runs before.
describeAsRoot('a sentinel that is killed whatever it is at', () => {
  const next = inSentinelLab({ automatic: false, everySeconds: 15 });
  let workId = '';

  const lies = (of: SentinelLab, on: Carrier, name: RegExp) =>
    readdirSync(of.pair.project(on)).some((each) => name.test(each));
  const crash = async ({ pair }: SentinelLab) => {
    await pair.sentinel.kill();
    await pair.sentinel.restart();
  };
  /** Killed once n8n has stored that it waits: before that nobody is asked yet as far as it knows. */
  const crashWhileAsking = async (of: SentinelLab) => {
    const waits = async (flow: string) => (await of.apis.sentinel.executionsOf(flow, 'waiting')).length > 0;
    await until('it waits for the answer', 120_000, async () =>
      (await waits('selfhostApprove')) && (await waits('selfhostSentinel')) ? true : undefined,
    );
    await crash(of);
  };
  /** A move of which people are told last, and at most once more than it was killed on its way from there. */
  const goes = async (of: SentinelLab, to: 'home' | 'standby', turn: number, boundaries: readonly Boundary[]) => {
    const host = to === 'home' ? 'bruno' : 'dev';
    const told = () => of.toldOf('sentinel', `n8n moved to ${host}`);
    await killAtEach([...boundaries, { called: 'people were told', reached: () => told().length > 0 }], {
      ...{ service: of.service, at: to, turn },
      ...of.pair.sentinel,
    });
    of.leadTo(host);
    expect(told().length).toBeLessThanOrEqual(2);
    expect(of.toldOf('sentinel', 'could not be moved')).toEqual([]);
    expect(await of.turn()).toMatchObject({ number: turn, at: to, by: 'sentinel' });
    expect(await of.running(host)).toEqual(['n8n-n8n-1']);
    // What the killed runs have brought for nothing is gone.
    await until('nothing that was brought is left over', 60_000, () =>
      (['bruno', 'dev'] as const).some((on) => lies(of, on, /^\.selfhost-/)) ? undefined : true,
    );
  };

  next('the first n8n works and is backed up, and both look after each other', async (of) => {
    workId = await of.settleIn();
  });

  next('killed when it has noticed, it asks all the same; killed while it asks, it hears the answer', async (of) => {
    await of.pair.powerOff('bruno');
    await of.said('sentinel', '666', 'n8n n8n is gone, and its host bruno with it');
    await crash(of);
    const asked = await of.question(1);
    expect(asked.text).toMatch(/failover: n8n\n/);
    await crashWhileAsking(of);
    expect(await of.turn()).toMatchObject({ number: 0, at: 'home' });
    // Its silence was waited for three times; each further run would wait for it at every step.
    await of.pair.network.cutAloud('bruno');
    await of.press(asked, 'Do it');
  });

  next('away, killed at every boundary: it comes once, with the newest good data', async (of) => {
    const { taken, told, holds } = recordsOf(of.service);
    await goes(of, 'standby', 1, [
      { called: 'the turn is taken', reached: () => taken(1) },
      { called: 'its home was told to be silent', reached: () => told('standby', 1) },
      {
        called: 'its files and its database are being restored',
        reached: () => lies(of, 'dev', /^\.selfhost-restored-|^data\.before-1$/),
      },
      { called: 'they lie in place', reached: () => holds('standby', 'placed', 1) },
      { called: 'it is being started', reached: () => holds('standby', 'begun', 1) },
      { called: 'it answers', reached: async () => (await isReady(of.pair.urlOn('dev'))) === true },
    ]);
    for (let call = 1; call <= 5; call += 1) {
      expect(await of.work('dev', 'work')).toEqual({ status: 200, text: '{"work":"work"}' });
    }
    // Made after the backup: it is lost, as the question said.
    expect((await of.work('dev', 'later')).status).toBe(404);
    expect(of.questions()).toHaveLength(1);
    expect(new Set((await of.moves()).map(({ turn }) => turn))).toEqual(new Set([1]));
    // Once more where it was killed between telling it and noting that.
    expect(of.toldOf('sentinel', 'n8n n8n is gone').length).toBeLessThanOrEqual(2);
  });

  next('home again, killed while it asks and at every boundary: nothing is lost', async (of) => {
    const { taken, holds, rest } = recordsOf(of.service);
    await until('all its work is written down', 120_000, async () =>
      (await of.timesDone('dev', workId)) === 5 ? true : undefined,
    );
    await rest('standby');
    await of.pair.powerOn('bruno');
    const asked = await of.question(2);
    await crashWhileAsking(of);
    expect(await of.running('bruno')).toEqual([]);
    await of.press(asked, 'Do it');
    await goes(of, 'home', 2, [
      { called: 'the turn is taken', reached: () => taken(2) },
      { called: 'nothing of it runs anywhere', reached: async () => (await of.running('dev')).length === 0 },
      {
        called: 'its data are being carried',
        reached: () => lies(of, 'bruno', /^\.selfhost-incoming-|^data\.before-2$/),
      },
      { called: 'its data are carried', reached: () => holds('home', 'placed', 2) },
      { called: 'it is being started', reached: () => holds('home', 'begun', 2) },
      { called: 'it answers', reached: async () => (await isReady(of.pair.urlOn('bruno'))) === true },
    ]);
    expect(await of.running('dev')).toEqual([]);
    expect(await of.timesDone('bruno', workId)).toBe(5);
    expect(await of.work('bruno', 'work')).toEqual({ status: 200, text: '{"work":"work"}' });
    expect(of.questions()).toHaveLength(2);
    expect(new Set((await of.moves()).map(({ turn }) => turn))).toEqual(new Set([1, 2]));
  });

  next('in the end neither remembers anything as wrong, and nobody was told of what was not so', async (of) => {
    for (const which of ['sentinel', 'first'] as const)
      await until(`nothing is wrong any more for ${which}`, 300_000, async () =>
        (await of.remembered(which)).length === 0 ? true : undefined,
      );
    expect(of.toldOf('sentinel', 'was stopped on')).toEqual([]);
    expect(of.toldOf('sentinel', 'Not moved')).toEqual([]);
    expect(await of.turn()).toMatchObject({ number: 2, at: 'home' });
  });
});
