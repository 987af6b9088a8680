import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../lab/hosts/waiting';
import { type MailServer, startMail } from '../../lab/mail';
import type { N8n, QueueN8n } from '../../lab/n8n/instance';
import { startHttpsFront } from '../../lab/https-front';
import { methodsContract, type MethodsDescription } from '../../lab/standins/methods-contract';
import { type SlackStandIn, startSlack } from '../../lab/standins/slack';
import { type Person, type SentMessage, startTelegram, type TelegramStandIn } from '../../lab/standins/telegram';
import { type FlowSetup, installFlows } from '../../lab/workflows/install';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, type NodeUnderTest, ownN8n, type Owned, ownQueueN8n, webhookWorkflow } from './harness';
import { troublesIn } from './troubles';

/** Where people reach n8n, as far as it knows: one-tap buttons need https. */
export const PUBLIC = 'https://n8n.lab.test';

const described = (file: string) =>
  JSON.parse(readFileSync(join(__dirname, '../contracts', file), 'utf8')) as MethodsDescription;

/** What Slack signs with; the channel of the bot, and who is there. */
export const SLACK = {
  signingSecret: 'what-slack-signs-with',
  channel: 'C0LAB',
  people: { U0FELIPE: 'felipe', U0DANA: 'dana', U0MALLORY: 'mallory' },
} as const;

/** An n8n with the shipped flows, and the messengers that they talk to. */
export interface Estate<Kind extends N8n = N8n> {
  readonly own: Owned<Kind>;
  readonly telegram: TelegramStandIn;
  /** slack.com, as this n8n sees it. */
  readonly slack: SlackStandIn;
  readonly mail: MailServer;
  /** What of the messengers' own descriptions the flows have not kept to. */
  readonly violations: () => readonly unknown[];
  install(setup: FlowSetup): Promise<void>;
  letterWith(text: string): Promise<string>;
  /** The message, or the `count`th one, with this text in a chat; a failure tells what was said instead. */
  told(
    chat: string,
    text: string,
    options?: { readonly count?: number; readonly within?: number },
  ): Promise<SentMessage>;
  /** Presses a button of a question of **Approve**, or of another flow that waits for the `mark` in its execution. */
  press(
    question: SentMessage,
    label: string,
    by: Person,
    asked?: { readonly flow: string; readonly mark: string },
  ): Promise<void>;
  /** A flow of a user that calls one of ours, as the shipped ones do. It answers the path of its webhook. */
  caller(name: string, id: string, value: JsonObject): Promise<string>;
  stop(): Promise<void>;
}

export function startEstate(): Promise<Estate> {
  return furnish(
    (environment) => ownN8n({ environment }),
    ({ url }) => url,
  );
}

/** The same in queue mode: with a main, two workers and a webhook processor, which takes what comes from outside. */
export function startQueueEstate(): Promise<Estate<QueueN8n>> {
  return furnish(
    (environment) => ownQueueN8n({ environment }),
    ({ webhookUrl }) => webhookUrl,
  );
}

async function furnish<Kind extends N8n>(
  boot: (environment: Readonly<Record<string, string>>) => Promise<Owned<Kind>>,
  outside: (n8n: Kind) => string,
): Promise<Estate<Kind>> {
  const contract = methodsContract(described('telegram.json'), ['sendMessage.disable_web_page_preview']);
  const slackContract = methodsContract(described('slack.json'), ['chat.postMessage.includeLinkToWorkflow']);
  const mail = await startMail();
  let n8nUrl = '';
  const deliverTo = (url: string) => (url.startsWith(PUBLIC) ? url.replace(PUBLIC, n8nUrl) : undefined);
  const slack = await startSlack({
    token: 'xoxb-lab',
    signingSecret: SLACK.signingSecret,
    contract: slackContract,
    requestUrl: `${PUBLIC}/webhook-waiting-slack`,
    deliverTo,
    channels: [SLACK.channel],
    people: SLACK.people,
  });
  const front = await startHttpsFront({
    'slack.com': () => slack.url,
    'hooks.slack.com': () => slack.url,
    // A Telegram Trigger hands taps on to its own n8n by the public address.
    [new URL(PUBLIC).hostname]: () => n8nUrl,
  });
  const own = await boot({ ...front.environment, WEBHOOK_URL: `${PUBLIC}/`, N8N_PROXY_HOPS: '1' });
  n8nUrl = outside(own.n8n);
  const telegram = await startTelegram({ token: '4242:LAB', contract, deliverTo });
  return {
    own,
    telegram,
    slack,
    mail,
    violations: () => [...contract.violations, ...slackContract.violations],
    install: (setup) =>
      installFlows(own.n8n, own.api, {
        ...setup,
        credentials: {
          'Telegram bot': { type: 'telegramApi', data: { accessToken: '4242:LAB', baseUrl: telegram.url } },
          'Slack bot': { type: 'slackApi', data: { accessToken: 'xoxb-lab', signatureSecret: SLACK.signingSecret } },
          Mail: {
            type: 'smtp',
            data: {
              user: '',
              password: '',
              host: '127.0.0.1',
              port: mail.smtpPort,
              secure: false,
              disableStartTls: true,
            },
          },
          ...setup.credentials,
        },
      }),
    letterWith: (text) =>
      until(`a letter with "${text}" has come`, 20_000, async () =>
        (await mail.letters()).find((letter) => letter.includes(text)),
      ),
    told: async (chat, text, { count = 1, within = 240_000 } = {}) => {
      const found = () => telegram.messages.filter((one) => one.chat === chat && one.text.includes(text))[count - 1];
      try {
        return await until(`chat ${chat} is told "${text}"`, within, () => Promise.resolve(found()));
      } catch (error) {
        const said = telegram.messages.map((one) => `${one.chat}: ${one.text.replaceAll('\n', ' | ').slice(0, 300)}`);
        throw new Error(
          [`Chat ${chat} was never told "${text}". What was said:`, ...said, await troublesIn(own)].join('\n'),
          { cause: error },
        );
      }
    },
    press: async (question, label, by, asked) => {
      const { flow, mark } = asked ?? {
        flow: 'selfhostApprove',
        mark: /Plan: (.+)$/m.exec(question.text)?.[1] ?? 'none',
      };
      // n8n takes an answer once the execution that asked is put away.
      await until('the execution that asks waits', 240_000, async () => {
        const all = await own.api.executionsOf(flow);
        return all.find(({ status, stored }) => status === 'waiting' && stored.includes(mark));
      });
      const status = await telegram.press(question, label, by);
      if (status !== 200) throw new Error(`The button "${label}" was answered ${status}: ${question.text}`);
    },
    caller: async (name, id, value) => {
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
      await own.api.publish(await own.api.createWorkflow(webhookWorkflow(name, path, call)));
      return path;
    },
    stop: async () => {
      await own.remove();
      await Promise.all([telegram.close(), slack.close(), front.close()]);
      await mail.stop();
    },
  };
}

/** A credential that pins hosts that nobody logs in to. */
export function pinnedOnly(hosts: readonly { readonly name: string; readonly address: string }[]) {
  return {
    type: 'selfhostHost',
    data: {
      user: 'root',
      login: 'password',
      password: 'not used',
      sudo: 'none',
      hosts: hosts.map(({ name, address }) => `${name}=${address} SHA256:${'A'.repeat(43)}`).join('\n'),
    },
  };
}

/** Rules of the estate by which nothing is waited for, and people are awake at any time. */
export async function tellAtOnce({ own: { api } }: Estate): Promise<void> {
  const { body } = await api.request('GET', '/api/v1/credentials');
  const { data } = body as { data: { id: string; name: string }[] };
  const credential = data.find(({ name }) => name === 'State');
  if (credential === undefined) throw new Error('There is no credential State');
  const settings = {
    ...{ waitSeconds: 0, clearSeconds: 0, repeatMinutes: 0, escalateMinutes: [], confirmSeconds: 5 },
    ...{ wakingFrom: '00:00', wakingTo: '24:00' },
  };
  const set = {
    type: 'n8n-nodes-selfhost.alertState',
    parameters: { resource: 'settings', operation: 'set', estate: 'lab', keepIn: 'postgres', settings },
    credentials: { selfhostState: credential },
  };
  const id = await api.createWorkflow(manualWorkflow('Settings', set));
  expect((await api.runToEnd(id, 'By hand')).status).toBe('success');
}

/** As somebody edits it in the editor, and publishes it. */
export async function editInventory({ own: { api } }: Estate, inventory: JsonObject): Promise<void> {
  const path = '/api/v1/workflows/selfhostInventory';
  const { name, nodes, connections, settings } = (await api.request('GET', path)).body as {
    name: string;
    nodes: readonly (JsonObject & { readonly name: string; readonly parameters: JsonObject })[];
    connections: JsonObject;
    settings: JsonObject;
  };
  const edited = nodes.map((node) =>
    node.name === 'Estate'
      ? { ...node, parameters: { ...node.parameters, jsonOutput: JSON.stringify(inventory) } }
      : node,
  );
  const { status } = await api.request('PUT', path, {
    ...{ name, nodes: edited, connections },
    settings: { executionOrder: settings['executionOrder'] ?? 'v1', timezone: 'Europe/Berlin' },
  });
  expect(status).toBe(200);
  await api.publish('selfhostInventory');
}
