import type { JsonObject } from '../../../lib/json';
import { until } from '../../../lab/hosts/waiting';
import { liftHold, readHold } from '../../../lib/host/hold';
import { webhookWorkflow } from '../../e2e/harness';
import { quietTask } from '../../shared/task';
import { describeAsRoot } from '../../integration/lab/as-root';
import { inSentinelLab } from './sentinel-lab';

const task = quietTask();

describeAsRoot('two n8n that look after each other, and must not act', () => {
  const next = inSentinelLab({ automatic: false });

  next('only the link between them is cut: each tells it once, and nothing else happens', async ({ apis, ...of }) => {
    for (const which of ['first', 'sentinel'] as const) await apis[which].publish('selfhostSentinel');
    await of.pair.network.separate('bruno', 'eva');
    const bySentinel = await of.said('sentinel', '666', 'link between sentinel and n8n');
    const byFirst = await of.said('first', '666', 'link between n8n and sentinel');
    expect(bySentinel.text).toContain('is cut for some and not for others, so nothing is moved');
    expect(bySentinel.text).toMatch(/sentinel: it does not answer in time; dev: it answers 200/);
    expect(byFirst.text).toMatch(/n8n: it does not answer in time; dev: it answers 200/);
    await of.pair.network.rejoin('bruno', 'eva');
    await of.said('sentinel', '666', 'Resolved after');
    await of.said('first', '666', 'Resolved after');
    expect(of.toldOf('sentinel', 'link between')).toHaveLength(2);
    expect(of.toldOf('first', 'link between')).toHaveLength(2);
    expect(of.toldOf('sentinel', 'is gone')).toEqual([]);
    expect(of.questions()).toEqual([]);
  });

  next('over 50 races exactly one of the two gets the turn, for the standby and for home', async ({ apis }) => {
    const path = 'race';
    for (const which of ['first', 'sentinel'] as const) {
      const api = apis[which];
      const { body } = await api.request('GET', '/api/v1/credentials');
      const { data } = body as { data: { id: string; name: string }[] };
      const credential = data.find(({ name }) => name === 'Estate hosts');
      const race = webhookWorkflow(
        'Race',
        path,
        {
          ...{ name: 'Inventory', type: 'n8n-nodes-base.executeWorkflow', typeVersion: 1.2 },
          parameters: {
            workflowId: { __rl: true, mode: 'id', value: 'selfhostInventory' },
            workflowInputs: { mappingMode: 'defineBelow', value: {}, matchingColumns: [], schema: [] },
          },
        },
        {
          ...{ name: 'Turn', type: 'n8n-nodes-selfhost.serviceStandby', onError: 'continueRegularOutput' },
          credentials: { selfhostHost: { id: credential?.id ?? '', name: 'Estate hosts' } },
          parameters: {
            ...{ resource: 'service', operation: 'takeTurn', service: 'raced', directory: '/srv/raced' },
            home: { __rl: true, mode: 'id', value: 'bruno' },
            standby: { __rl: true, mode: 'id', value: 'dev' },
            ...{ to: "={{ $('Webhook').first().json.body.to }}", by: '={{ $json.n8n.name }}' },
          },
        },
      );
      await api.publish(await api.createWorkflow(race));
    }
    const won: Record<string, number> = {};
    for (let number = 1; number <= 50; number += 1) {
      const to = number % 2 === 1 ? 'standby' : 'home';
      const answers = await Promise.all(
        (['first', 'sentinel'] as const).map(async (which) => (await apis[which].callWebhook(path, { to })).body),
      );
      const winners = answers.filter((one) => (one as JsonObject)['changed'] === true);
      expect(winners).toMatchObject([{ number, at: to, changed: true }]);
      const winner = (winners[0] as JsonObject)['by'] as string;
      won[winner] = (won[winner] ?? 0) + 1;
      const loser = answers.find((one) => (one as JsonObject)['changed'] !== true);
      expect(JSON.stringify(loser)).toContain(`${winner} has turn ${number} of service raced`);
    }
    console.log(`50 races between two n8n: ${JSON.stringify(won)}`);
    expect(Object.values(won).reduce((sum, one) => sum + one, 0)).toBe(50);
  });

  next('a hold at the switch of the sentinel stops both, also when the first dies with its host', async (of) => {
    await of.backUp();
    await of.holdSwitch('Hold', '');
    await until('dev is on hold', 120_000, async () =>
      (await readHold(of.service.standby, task)).kind === 'held' ? true : undefined,
    );
    for (const which of ['first', 'sentinel'] as const) {
      const { body } = await of.apis[which].callWebhook('race', { to: 'standby' });
      expect(JSON.stringify(body)).toContain('is on hold by Felipe (a test of the lab) until it is lifted');
    }
    await until('the sentinel knows of both holds', 180_000, async () => {
      const wrong = await of.remembered('sentinel');
      return ['bruno', 'dev'].every((host) => wrong.includes(`moving n8n over ${host}`)) ? true : undefined;
    });
    await of.pair.powerOff('bruno');
    await of.said('sentinel', '666', 'n8n n8n is gone, and its host bruno with it');
    const looked = await of.apis.sentinel.runToEnd('selfhostSentinel', 'By hand', { within: 240_000 });
    expect(looked.runs['What is due']?.[0]?.outputs[0]).toMatchObject([{ due: 'nothing' }]);
    expect(looked.runs['Seen']?.[0]?.outputs[0]).toMatchObject([{ gone: true, turn: 'home' }]);
    expect(of.questions()).toEqual([]);
    expect(await of.turn()).toMatchObject({ number: 0, at: 'home' });
  });

  next('what its home said before it fell silent still counts, until somebody asks by hand', async (of) => {
    await liftHold(of.service.standby, task);
    await until('the sentinel has looked again', 180_000, async () => {
      const wrong = await of.remembered('sentinel');
      return wrong.includes('moving n8n over dev') ? undefined : true;
    });
    expect(await of.remembered('sentinel')).toEqual(expect.arrayContaining(['n8n n8n', 'moving n8n over bruno']));
    expect(of.questions()).toEqual([]);
    await of.apis.sentinel.runManually('selfhostSentinel', 'By hand');
    const asked = await of.question(1);
    expect(asked.text).toMatch(/failover: n8n, although its home was on hold\n/);
    await of.press(asked, 'No');
    expect((await of.said('sentinel', '666', 'Not moved: n8n')).text).toContain('answered by owner');
    expect(await of.turn()).toMatchObject({ number: 0, at: 'home' });
    expect(await of.running('dev')).toEqual([]);
    expect(of.questions()).toHaveLength(1);
    expect(await of.moves()).toEqual([]);
  });
});
