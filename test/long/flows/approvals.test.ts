import { randomUUID } from 'node:crypto';
import { type LabHetzner, startLabHetzner } from '../../../lab/hetzner';
import { until } from '../../../lab/hosts/waiting';
import type { Execution } from '../../../lab/n8n/api';
import { type CloudflareStandIn, startCloudflare, type Zone } from '../../../lab/standins/cloudflare';
import { PREVIEW_AGENT } from '../../../lab/standins/slack';
import type { JsonObject } from '../../../lib/json';
import { type Estate, pinnedOnly, PUBLIC, SLACK, startEstate } from '../../e2e/estate';
import { type NodeUnderTest, webhookWorkflow } from '../../e2e/harness';

jest.setTimeout(400_000);

type Somebody = 'owner' | 'deputy' | 'stranger';

/** A question as it stands in a chat, and what can be done to it there. */
interface Question {
  readonly text: string;
  readonly links: readonly string[];
  /** What of its text is formatted, names somebody, or can be clicked; code is what keeps it from that. */
  readonly marks: readonly string[];
  /** The status with which n8n answers the messenger. */
  readonly press: (label: 'Do it' | 'No', by: Somebody) => Promise<number>;
  /** The same by somebody who does not know what the messenger signs with. */
  readonly forge: () => Promise<number>;
}

interface Messenger {
  readonly ids: Readonly<Record<Somebody, string>>;
  readonly where: string;
  readonly questions: () => readonly Question[];
  /** What those were told whose press did not count. */
  readonly refusals: () => readonly string[];
}

const bruno = { name: 'bruno', address: '203.0.113.7' };
const WRONG = '198.51.100.9';

let estate: Estate;
let cloudflare: CloudflareStandIn;
let hetzner: LabHetzner;
let zone: Zone;

beforeAll(async () => {
  [estate, cloudflare, hetzner] = await Promise.all([startEstate(), startCloudflare(), startLabHetzner()]);
  zone = cloudflare.addZone('example.test');
  const managed = { type: 'A', ttl: 300, proxied: false, comment: 'managed-by=selfhost owner=n8n' };
  cloudflare.addRecord(zone, { ...managed, name: 'git.example.test', content: WRONG });
  await estate.install({
    files: ['approve.json', 'inventory.json', 'notify.json', 'on-error.json', 'dns-update.json', 'dns-proposal.json'],
    inventory: inventory([]),
    credentials: {
      'Estate hosts': pinnedOnly([bruno]),
      Hetzner: { type: 'selfhostHetzner', data: hetzner.credential },
      Forgejo: {
        type: 'selfhostForgejo',
        data: { baseUrl: 'http://127.0.0.1:9', token: 'not used', privateAuthority: '', readOnly: false },
      },
      Cloudflare: { type: 'selfhostCloudflare', data: { apiToken: cloudflare.addToken(), baseUrl: cloudflare.url } },
    },
  });
});
afterAll(async () => {
  await estate.stop();
  await Promise.all([cloudflare.close(), hetzner.stop()]);
});
afterEach(() => expect(estate.violations()).toEqual([]));

const inventory = (approvers: readonly JsonObject[]): JsonObject => ({
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [{ ...bruno, provider: 'other' }],
  services: [],
  domains: [
    { zone: 'example.test', at: 'cloudflare', owner: 'n8n', names: [{ name: 'git.example.test', host: 'bruno' }] },
  ],
  sender: 'n8n@example.test',
  recipients: {
    critical: [{ by: 'telegram', chat: '666' }],
    warning: [{ by: 'telegram', chat: '777' }],
    info: [
      { by: 'telegram', chat: '888' },
      { by: 'slack', channel: SLACK.channel },
    ],
  },
  approvers: [...approvers],
});

const messengers: Readonly<Record<'telegram' | 'slack', () => Messenger>> = {
  telegram: () => {
    const ids = { owner: '100000001', deputy: '100000002', stranger: '999' };
    return {
      ids,
      where: '100000001',
      refusals: () => estate.telegram.popups,
      questions: () =>
        estate.telegram.messages
          .filter(({ text }) => text.includes('May this be done?'))
          .map((message) => {
            // As it was sent: once answered, the messenger takes the buttons away, and a slow thumb still has them.
            const kept = { ...message, buttons: [...message.buttons] };
            return {
              text: kept.text,
              marks: kept.entities.filter(({ type }) => type !== 'code').map((one) => one.text),
              links: kept.buttons.flatMap(({ url }) => url ?? []),
              press: (label, by) => estate.telegram.press(kept, label, { id: Number(ids[by]), firstName: by }),
              forge: async () => {
                const answer = await fetch(estate.telegram.webhook().replace(PUBLIC, estate.own.n8n.url), {
                  method: 'POST',
                  headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': 'a guess' },
                  body: JSON.stringify({
                    update_id: 1,
                    callback_query: {
                      ...{ id: '1', from: { id: Number(ids.owner), is_bot: false, first_name: 'owner' } },
                      data: kept.buttons.find(({ text }) => text === 'Do it')?.callbackData,
                    },
                  }),
                });
                return answer.status;
              },
            };
          }),
    };
  },
  slack: () => {
    const ids = { owner: 'U0FELIPE', deputy: 'U0DANA', stranger: 'U0MALLORY' };
    return {
      ids,
      where: SLACK.channel,
      refusals: () => estate.slack.whispers.map(({ text }) => text),
      questions: () =>
        estate.slack.messages
          .filter(({ text }) => text.includes('May this be done?'))
          .map((message) => ({
            // A word joiner keeps n8n from taking a backslash and an n for a new line.
            text: message.text.replaceAll('\u2060', ''),
            marks: message.marks,
            links: message.buttons.flatMap(({ url }) => url ?? []),
            press: (label, by) => estate.slack.press(message, label, ids[by]),
            forge: () => estate.slack.press(message, 'Do it', ids.owner, 'a guess'),
          })),
    };
  },
};

/** A flow that changes something: asks for this plan, and says on `info` what it then did. */
async function change(what: string, evidence = 'because'): Promise<void> {
  const calls = (id: string, name: string, value: JsonObject): NodeUnderTest => ({
    type: 'n8n-nodes-base.executeWorkflow',
    typeVersion: 1.2,
    name,
    parameters: {
      workflowId: { __rl: true, mode: 'id', value: id },
      workflowInputs: { mappingMode: 'defineBelow', value, matchingColumns: [], schema: [] },
    },
  });
  const path = `change-${randomUUID()}`;
  const flow = webhookWorkflow(
    `Change ${what}`,
    path,
    calls('selfhostApprove', 'Approve', {
      change: 'deploy',
      what,
      evidence,
      consequence: `${what} restarts`,
      undo: 'one tap',
      planHash: `hash-of-${what}`,
    }),
    calls('selfhostNotify', 'Effect', {
      lane: 'info',
      title: `={{ ($json.approved && $json.planHash === 'hash-of-${what}' ? 'Changed ' : 'Left ') + '${what}' }}`,
      text: "={{ $json.reason + ' by ' + $json.by }}",
    }),
  );
  const onReceived = flow.nodes.map((node) =>
    node.name === 'Webhook' ? { ...node, parameters: { ...node.parameters, responseMode: 'onReceived' } } : node,
  );
  await estate.own.api.publish(await estate.own.api.createWorkflow({ ...flow, nodes: onReceived }));
  expect((await estate.own.api.callWebhook(path, {})).status).toBe(200);
}

const effects = (what: string) =>
  estate.telegram.messages
    .filter(({ chat, text }) => chat === '888' && text.includes(`${what}</b>`))
    .map(({ text }) => text);

const effectOf = (what: string, within = 60_000) => until(`${what} is decided`, within, () => effects(what)[0]);

/** n8n takes an answer once the execution that asked is put away. */
async function untilItWaits(hash: string): Promise<Execution> {
  return until(`the execution about ${hash} waits`, 60_000, async () => {
    const all = await estate.own.api.executionsOf('selfhostApprove');
    return all.find(({ status, stored }) => status === 'waiting' && stored.includes(hash));
  });
}

describe.each(['telegram', 'slack'] as const)('approvals by %s, pressed as the node of n8n sent them', (by) => {
  const messenger = messengers[by]();

  const approvers = (minutes: number) =>
    (['owner', 'deputy'] as const).map((name) => ({
      ...{ name, by, id: messenger.ids[name], where: messenger.where, minutes },
    }));

  const asked = (text: string, index = 0) =>
    until(
      `the question about ${text} is asked by ${by}`,
      90_000,
      () => messenger.questions().filter((one) => one.text.includes(text))[index],
    );

  async function ask(what: string, evidence?: string): Promise<Question> {
    await change(what, evidence);
    const question = await asked(`hash-of-${what}`);
    await untilItWaits(`hash-of-${what}`);
    return question;
  }

  const reinstall = (minutes: number) =>
    estate.install({
      files: ['inventory.json'],
      inventory: inventory(approvers(minutes)),
      credentials: { 'Estate hosts': pinnedOnly([bruno]) },
    });

  const unanswered = `${by}-unanswered`;
  beforeAll(async () => {
    // n8n looks once a minute which waits have ended, so this one is asked first and looked at last.
    await reinstall(0.05);
    await ask(unanswered);
    await reinstall(30);
  });

  test('approved: the question says what, why, what it does, how to undo it and which plan, and that plan is carried out', async () => {
    const what = `${by}_approved`;
    const foreign =
      'disk < 5 % & _thin_ *big* `now` [home](https://evil.test) <!channel> <@U0DANA> @here @dana_admin C:\\new <br> &lt;';
    const question = await ask(what, foreign);
    // All as it is: nothing is formatted, nobody is pinged, and no link is faked.
    expect(question.text).toBe(
      `May this be done?\ndeploy: ${what}\n\nWhy: ${foreign}\nWhat it does: ${what} restarts\nUndo: one tap\nPlan: hash-of-${what}`,
    );
    expect(question.marks).toEqual([]);
    expect(await question.press('Do it', 'owner')).toBe(200);
    expect(await effectOf(what)).toBe(`🔵 <b>Changed ${what}</b>\nanswered by owner`);
  });

  test('denied: nothing is changed', async () => {
    const what = `${by}-denied`;
    const question = await ask(what);
    expect(await question.press('No', 'owner')).toBe(200);
    expect(await effectOf(what)).toBe(`🔵 <b>Left ${what}</b>\nanswered by owner`);
  });

  test('wrong person: is told so and nothing else happens, and whom it was for still decides', async () => {
    const what = `${by}-stranger`;
    const question = await ask(what);
    const before = messenger.refusals().length;
    for (const somebody of ['stranger', 'deputy'] as const) {
      expect(await question.press('Do it', somebody)).toBe(200);
    }
    await until('both are told', 20_000, () => (messenger.refusals().length >= before + 2 ? true : undefined));
    expect(messenger.refusals().slice(before)).toEqual([
      'This question is not for you.',
      'This question is not for you.',
    ]);
    expect(await question.forge()).toBe(by === 'slack' ? 401 : 403);
    expect(effects(what)).toEqual([]);
    expect(await question.press('No', 'owner')).toBe(200);
    expect(await effectOf(what)).toContain(`Left ${what}`);
  });

  test('pressed twice, also at once and with the other button: the first press decides, and the change is made once', async () => {
    const what = `${by}-twice`;
    const question = await ask(what);
    await Promise.all([question.press('Do it', 'owner'), question.press('Do it', 'owner')]);
    expect(await effectOf(what)).toContain(`Changed ${what}`);
    await question.press('Do it', 'owner');
    await question.press('No', 'owner');
    // Whatever is still on its way would come before the end of another question.
    const after = `${by}-after-twice`;
    await (await ask(after)).press('No', 'owner');
    await effectOf(after);
    expect(effects(what)).toEqual([`🔵 <b>Changed ${what}</b>\nanswered by owner`]);
    const runs = (await estate.own.api.executionsOf('selfhostApprove')).filter(({ stored }) =>
      stored.includes(`hash-of-${what}`),
    );
    expect(runs.map(({ status }) => status)).toEqual(['success']);
  });

  test('pressed after the world has drifted: the plan that was shown is no longer the one, and nothing is applied', async () => {
    const hashOf = (question: Question) => /Plan: (\S+)/.exec(question.text)?.[1] ?? 'none';
    const before = messenger.questions().filter(({ text }) => text.includes('example.test')).length;
    const first = await estate.own.api.runManually('selfhostDnsUpdate', 'By hand');
    const question = await until(`the question about the zone is asked by ${by}`, 120_000, async () => {
      const { status, error, runs } = await estate.own.api.execution(first);
      if (!['new', 'running', 'waiting'].includes(status)) {
        throw new Error(`DNS update: ${status} ${error?.message ?? ''} after ${Object.keys(runs).join(', ')}`);
      }
      return messenger.questions().filter(({ text }) => text.includes('example.test'))[before];
    });
    await untilItWaits(hashOf(question));
    await estate.own.api.waitForExecution(first, { within: 60_000, states: ['waiting'] });
    const drifted = cloudflare.addRecord(zone, { name: `new-${by}.example.test`, type: 'A', content: WRONG, ttl: 300 });
    cloudflare.forget();
    expect(await question.press('Do it', 'owner')).toBe(200);
    const refused = await estate.own.api.waitForExecution(first, { within: 150_000, states: ['error'] });
    expect(refused.error?.message).toMatch(/changed/i);
    expect(cloudflare.writes()).toEqual([]);
    expect(drifted).toBeDefined();

    // Asked anew it is another plan; denied, the zone stays for the next messenger.
    const second = await estate.own.api.runManually('selfhostDnsUpdate', 'By hand');
    const again = await asked('example.test', before + 1);
    expect(hashOf(again)).not.toBe(hashOf(question));
    await untilItWaits(hashOf(again));
    await estate.own.api.waitForExecution(second, { within: 60_000, states: ['waiting'] });
    expect(await again.press('No', 'owner')).toBe(200);
    expect((await estate.own.api.waitForExecution(second, { within: 150_000 })).status).toBe('success');
    expect(cloudflare.writes()).toEqual([]);
  });

  test('a link preview presses nothing: there is no link in the message, and what looks like a bot is not heard', async () => {
    const what = `${by}-preview`;
    const question = await ask(what, 'see https://n8n.lab.test/webhook-waiting-slack');
    expect(question.links).toEqual([]);
    const agents = [PREVIEW_AGENT, 'TelegramBot (like TwitterBot)', 'WhatsApp/2.23.20.0', 'facebookexternalhit/1.1'];
    const { id } = await untilItWaits(`hash-of-${what}`);
    const paths = ['/webhook-waiting-slack', '/webhook-waiting-telegram', `/webhook-waiting/${id}`];
    for (const path of paths) {
      for (const agent of agents) {
        const url = `${estate.own.n8n.url}${path}?approved=true`;
        await (await fetch(url, { headers: { 'user-agent': agent } })).arrayBuffer();
      }
    }
    expect((await estate.own.api.execution(id)).status).toBe('waiting');
    expect(effects(what)).toEqual([]);
    expect(await question.press('Do it', 'owner')).toBe(200);
    expect(await effectOf(what)).toContain(`Changed ${what}`);
  });

  test('long evidence is cut, and what decides is not', async () => {
    const what = `${by}-long`;
    const question = await ask(what, 'destroy "a & b" <c>\n'.repeat(300));
    expect(question.text).toContain(`(and more)\nWhat it does: ${what} restarts\nUndo: one tap\nPlan: hash-of-${what}`);
    expect(await question.press('No', 'owner')).toBe(200);
    await effectOf(what);
  });

  test('timed out: the next is asked, and when nobody answers it means no; a press that comes later changes nothing', async () => {
    const question = await asked(`hash-of-${unanswered}`);
    const next = await asked(`hash-of-${unanswered}`, 1);
    expect(await effectOf(unanswered, 240_000)).toBe(`🔵 <b>Left ${unanswered}</b>\nNobody answered in time by `);
    expect(await question.press('Do it', 'owner')).not.toBe(500);
    await next.press('Do it', 'deputy');
    const after = `${by}-after-all`;
    await (await ask(after)).press('No', 'owner');
    await effectOf(after);
    expect(effects(unanswered)).toHaveLength(1);
  });
});

test('without a way to know who presses, the buttons are links: a preview is not heard, and a tap is taken for no', async () => {
  await estate.install({
    files: ['inventory.json'],
    inventory: inventory([{ name: 'owner', by: 'telegram', id: '100000001', minutes: 30 }]),
    credentials: { 'Estate hosts': pinnedOnly([bruno]) },
  });
  // The bot cannot be asked where its taps go, so n8n sends links instead.
  const reply = { status: 500, json: { ok: false, error_code: 500, description: 'Internal Server Error' } };
  estate.telegram.fail({ kind: 'answer', reply, method: 'POST', path: /getWebhookInfo/, times: 5 });
  await change('links');
  const question = await until('it is asked', 60_000, () =>
    messengers
      .telegram()
      .questions()
      .find(({ text }) => text.includes('hash-of-links')),
  );
  const { id } = await untilItWaits('hash-of-links');
  const yes = question.links.find((url) => url.includes('approved=true'))?.replace(PUBLIC, estate.own.n8n.url) ?? '';
  expect(yes).not.toBe('');
  for (const agent of [PREVIEW_AGENT, 'TelegramBot (like TwitterBot)']) {
    await (await fetch(yes, { headers: { 'user-agent': agent } })).arrayBuffer();
  }
  expect((await estate.own.api.execution(id)).status).toBe('waiting');
  const browser = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0' };
  expect((await fetch(yes, { headers: browser })).status).toBe(200);
  expect(await effectOf('links')).toBe(
    '🔵 <b>Left links</b>\nThe answer came without a name: one-tap buttons need n8n under a public https address by ',
  );
});
