import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { until } from '../../lab/hosts/waiting';
import { type MailServer, startMail } from '../../lab/mail';
import type { Execution } from '../../lab/n8n/api';
import type { N8n } from '../../lab/n8n/instance';
import { type SentMessage, startTelegram, type TelegramStandIn } from '../../lab/standins/telegram';
import { botApiContract, type BotApiDescription } from '../../lab/standins/telegram/contract';
import { installFlows } from '../../lab/workflows/install';
import type { JsonObject } from '../../lib/json';
import { type NodeUnderTest, ownN8n, type Owned, webhookWorkflow } from './harness';

const description = JSON.parse(
  readFileSync(join(__dirname, '../contracts/telegram.json'), 'utf8'),
) as BotApiDescription;

const PUBLIC = 'https://n8n.lab.test';
const owner = { id: 100000001, firstName: 'Felipe' };
const deputy = { id: 100000002, firstName: 'Dana' };
const stranger = { id: 999, firstName: 'Mallory' };
const contract = botApiContract(description);

const bruno = { name: 'bruno', address: '203.0.113.7' };
const inventory: JsonObject = {
  estate: 'lab',
  timezone: 'Europe/Berlin',
  hosts: [{ ...bruno, provider: 'hetzner' }],
  services: [{ name: 'docs', host: 'bruno' }],
  sender: 'n8n@example.test',
  recipients: {
    critical: [
      { by: 'telegram', chat: '100000001' },
      { by: 'email', address: 'owner@example.test' },
    ],
    warning: [{ by: 'telegram', chat: '666' }],
    info: [{ by: 'telegram', chat: '100000001' }],
  },
  approvers: [
    { name: 'owner', by: 'telegram', id: String(owner.id), minutes: 0.05 },
    { name: 'deputy', by: 'telegram', id: String(deputy.id), minutes: 30 },
  ],
  automatic: { deploy: ['docs'] },
};

let own: Owned<N8n>;
let telegram: TelegramStandIn;
let mail: MailServer;

beforeAll(async () => {
  mail = await startMail();
  own = await ownN8n({ environment: { WEBHOOK_URL: `${PUBLIC}/`, N8N_PROXY_HOPS: '1' } });
  telegram = await startTelegram({
    token: '4242:LAB',
    contract,
    deliverTo: (url) => (url.startsWith(PUBLIC) ? url.replace(PUBLIC, own.n8n.url) : undefined),
  });
  await installFlows(own.n8n, own.api, {
    files: ['approve.json', 'inventory.json', 'notify.json', 'on-error.json'],
    inventory,
    credentials: {
      'Estate hosts': {
        type: 'selfhostHost',
        data: {
          user: 'root',
          login: 'password',
          password: 'not used',
          sudo: 'none',
          hosts: `bruno=${bruno.address} SHA256:${'A'.repeat(43)}`,
        },
      },
      'Telegram bot': { type: 'telegramApi', data: { accessToken: '4242:LAB', baseUrl: telegram.url } },
      'Slack bot': { type: 'slackApi', data: { accessToken: 'not used' } },
      Mail: {
        type: 'smtp',
        data: { user: '', password: '', host: '127.0.0.1', port: mail.smtpPort, secure: false, disableStartTls: true },
      },
    },
  });
});
afterAll(async () => {
  await own.remove();
  await telegram.close();
  await mail.stop();
});
afterEach(() => expect(contract.violations).toEqual([]));

/** A flow of a user that calls one of ours, as the shipped ones do. */
async function caller(name: string, id: string, value: JsonObject): Promise<string> {
  const path = `${name}-${randomUUID()}`;
  const call: NodeUnderTest = {
    type: 'n8n-nodes-base.executeWorkflow',
    typeVersion: 1.2,
    name: 'Call',
    parameters: {
      workflowId: { __rl: true, mode: 'id', value: id },
      workflowInputs: { mappingMode: 'defineBelow', value, matchingColumns: [], schema: [] },
    },
  };
  const draft = webhookWorkflow(name, path, call);
  const workflow = await own.api.createWorkflow(draft);
  await own.api.publish(workflow);
  return path;
}

/** n8n looks only once a minute which waits have ended, so this question is put first and looked at last. */
let unanswered: Promise<Asked>;
beforeAll(() => {
  unanswered = ask('infisical');
});

const letterWith = (text: string) =>
  until(`a letter with "${text}" has come`, 20_000, async () =>
    (await mail.letters()).find((letter) => letter.includes(text)),
  );

const say = async (lane: string, title: string, text: string) =>
  own.api.callWebhook(await caller('say', 'selfhostNotify', { lane, title, text }), {});

test('a message reaches its lane, with everything in it escaped', async () => {
  expect(await say('info', 'disk < 5 % & falling', 'on <bruno>')).toMatchObject({ status: 200 });
  expect(telegram.messages.filter(({ text }) => text.includes('falling'))).toMatchObject([
    { chat: '100000001', text: '🔵 <b>disk &lt; 5 % &amp; falling</b>\non &lt;bruno&gt;' },
  ]);
});

test('what cannot be delivered goes by e-mail, which says so', async () => {
  telegram.block('666');
  expect(await say('warning', 'backup late', 'by 3 h')).toMatchObject({ status: 200 });
  const letter = await letterWith('by 3 h');
  expect(letter).toContain('From: n8n@example.test');
  expect(letter).toContain('To: owner@example.test');
  expect(letter).toContain('could not be sent to 1 of 1 recipients: telegram 666');
});

interface Asked {
  readonly message: SentMessage;
  readonly execution: () => Promise<Execution>;
}

/** Asks through a flow of its own, and waits until the question stands in the chat. */
async function ask(what: string, change = 'deploy'): Promise<Asked> {
  const begun = telegram.messages.length;
  const path = await caller(`ask ${what}`.replaceAll(' ', '-'), 'selfhostApprove', {
    change,
    what,
    evidence: 'a push to main_branch',
    consequence: 'forgejo restarts',
    undo: 'one tap',
    planHash: `hash-of-${what}`,
  });
  const answered = own.api.callWebhook(path, {});
  // Only asked for when the test ends it; until then nobody listens to a failure.
  answered.catch(() => undefined);
  const message = await until(`the question about ${what} stands in the chat`, 20_000, () =>
    Promise.resolve(telegram.messages.slice(begun).find(({ text }) => text.includes(what))),
  );
  await until('its execution waits', 20_000, async () => {
    const all = await own.api.executionsOf('selfhostApprove');
    return all.find(({ status, stored }) => status === 'waiting' && stored.includes(`hash-of-${what}`));
  });
  return { message, execution: () => outcomeOf(what) };
}

/** The execution of Approve that was about this. */
async function outcomeOf(what: string): Promise<Execution> {
  return until(`the question about ${what} is answered`, 90_000, async () => {
    const all = await own.api.executionsOf('selfhostApprove');
    return all.find(({ status, stored }) => status === 'success' && stored.includes(`hash-of-${what}`));
  });
}

const result = (execution: Execution, node: string) => execution.runs[node]?.at(-1)?.outputs[0]?.[0];

test('a question says what, why, what it does and how to undo it; the tap of the right person goes on with its plan', async () => {
  const { message, execution } = await ask('forgejo');
  expect(message.text).toBe(
    'May this be done?\ndeploy: forgejo\n\nWhy: a push to main branch\nWhat it does: forgejo restarts\nUndo: one tap\nPlan: hash-of-forgejo',
  );
  expect(message.buttons.map(({ text, url }) => [text, url])).toEqual([
    ['No', undefined],
    ['Do it', undefined],
  ]);
  expect(await telegram.press(message, 'Do it', owner)).toBe(200);
  expect(result(await execution(), 'Approved')).toEqual({
    approved: true,
    by: 'owner',
    at: expect.any(String),
    reason: 'answered',
    planHash: 'hash-of-forgejo',
  });
});

test('a stranger is told that the question is not for them, and a second tap changes nothing', async () => {
  const { message, execution } = await ask('traefik');
  await telegram.press(message, 'Do it', stranger);
  expect(telegram.popups.at(-1)).toBe('This question is not for you.');
  expect(await telegram.press(message, 'No', owner)).toBe(200);
  const ended = await execution();
  expect(result(ended, 'Denied')).toMatchObject({ approved: false, by: 'owner', planHash: 'hash-of-traefik' });
  const again = { ...message, buttons: [{ text: 'Do it', callbackData: 'hitl:nothing' }] };
  expect(await telegram.press(again, 'Do it', owner)).not.toBe(200);
  expect((await own.api.execution(ended.id)).runs['Approved']).toBeUndefined();
});

test('what the inventory lists as automatic goes on without a question', async () => {
  const path = await caller('auto', 'selfhostApprove', { change: 'deploy', what: 'docs', planHash: 'hash-of-docs' });
  expect(await own.api.callWebhook(path, {})).toMatchObject({
    status: 200,
    body: { approved: true, by: 'inventory', reason: 'automatic', planHash: 'hash-of-docs' },
  });
  expect(telegram.messages.filter(({ text }) => text.includes('hash-of-docs'))).toEqual([]);
});

test('who does not answer in time is passed over for the next', async () => {
  const { execution } = await unanswered;
  const second = await until('the deputy is asked', 90_000, () =>
    Promise.resolve(telegram.messages.find(({ chat, text }) => chat === '100000002' && text.includes('infisical'))),
  );
  expect(await telegram.press(second, 'Do it', owner)).toBe(200);
  expect(telegram.popups.at(-1)).toBe('This question is not for you.');
  expect(await telegram.press(second, 'Do it', deputy)).toBe(200);
  expect(result(await execution(), 'Approved')).toMatchObject({ approved: true, by: 'deputy' });
}, 150_000);

test('a failing flow is told on the critical lane, with where it failed', async () => {
  const path = `fails-${randomUUID()}`;
  const failing = webhookWorkflow('Nightly thing', path, {
    type: 'n8n-nodes-base.stopAndError',
    name: 'Dump',
    parameters: { errorMessage: 'the disk is <full>' },
  });
  const id = await own.api.createWorkflow({ ...failing, settings: { errorWorkflow: 'selfhostOnError' } });
  await own.api.publish(id);
  await own.api.callWebhook(path, {});
  const told = await until('somebody is told', 20_000, () =>
    Promise.resolve(telegram.messages.find(({ text }) => text.includes('Nightly thing failed'))),
  );
  expect(told.text).toContain('🔴 <b>Nightly thing failed</b>\nAt "Dump": the disk is &lt;full&gt;');
  expect(await letterWith('the disk is <full>')).toContain('To: owner@example.test');
});

test('when nobody can be told, Notify itself fails, and its failure does not call it again', async () => {
  await mail.stop();
  await say('warning', 'unheard', 'by anyone');
  const failed = await until('Notify has failed', 20_000, async () =>
    (await own.api.executionsOf('selfhostNotify')).find(
      ({ status, stored }) => status === 'error' && stored.includes('unheard'),
    ),
  );
  expect(failed.error?.message).toBe('Nobody could be told: unheard');
  await until('the error handler has kept it', 20_000, async () =>
    (await own.api.executionsOf('selfhostOnError')).find(({ runs }) => runs['Kept here'] !== undefined),
  );
  const told = (await own.api.executionsOf('selfhostNotify')).filter(({ stored }) => stored.includes('Notify failed'));
  expect(told).toEqual([]);
});
