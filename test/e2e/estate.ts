import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../../lab/hosts/waiting';
import { type MailServer, startMail } from '../../lab/mail';
import type { N8n } from '../../lab/n8n/instance';
import { startTelegram, type TelegramStandIn } from '../../lab/standins/telegram';
import { botApiContract, type BotApiDescription } from '../../lab/standins/telegram/contract';
import { type FlowSetup, installFlows } from '../../lab/workflows/install';
import type { JsonObject } from '../../lib/json';
import { manualWorkflow, type NodeUnderTest, ownN8n, type Owned, webhookWorkflow } from './harness';

/** Where people reach n8n, as far as it knows: one-tap buttons need https. */
export const PUBLIC = 'https://n8n.lab.test';

const description = JSON.parse(
  readFileSync(join(__dirname, '../contracts/telegram.json'), 'utf8'),
) as BotApiDescription;

/** An n8n with the shipped flows, and the messengers that they talk to. */
export interface Estate {
  readonly own: Owned<N8n>;
  readonly telegram: TelegramStandIn;
  readonly mail: MailServer;
  /** What of Telegram's own description the flows have not kept to. */
  readonly violations: () => readonly unknown[];
  install(setup: FlowSetup): Promise<void>;
  letterWith(text: string): Promise<string>;
  /** A flow of a user that calls one of ours, as the shipped ones do. It answers the path of its webhook. */
  caller(name: string, id: string, value: JsonObject): Promise<string>;
  stop(): Promise<void>;
}

export async function startEstate(): Promise<Estate> {
  const contract = botApiContract(description);
  const mail = await startMail();
  const own = await ownN8n({ environment: { WEBHOOK_URL: `${PUBLIC}/`, N8N_PROXY_HOPS: '1' } });
  const telegram = await startTelegram({
    token: '4242:LAB',
    contract,
    deliverTo: (url) => (url.startsWith(PUBLIC) ? url.replace(PUBLIC, own.n8n.url) : undefined),
  });
  return {
    own,
    telegram,
    mail,
    violations: () => contract.violations,
    install: (setup) =>
      installFlows(own.n8n, own.api, {
        ...setup,
        credentials: {
          'Telegram bot': { type: 'telegramApi', data: { accessToken: '4242:LAB', baseUrl: telegram.url } },
          'Slack bot': { type: 'slackApi', data: { accessToken: 'not used' } },
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
      await telegram.close();
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
