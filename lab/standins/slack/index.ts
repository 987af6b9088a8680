import { createHmac } from 'node:crypto';
import { isObject, type JsonObject } from '../../../lib/json';
import { type Asked, type Fault, jsonOf, type Reply, startStandIn } from '../http';
import type { MethodsContract } from '../methods-contract';
import { blockMistake, textOf } from './blocks';
import { shownText } from './shown';

export interface SlackSettings {
  /** Of the bot, and what Slack signs with whatever it sends to the app. */
  readonly token: string;
  readonly signingSecret: string;
  /** Requests, answers and interactions are held to it. */
  readonly contract: MethodsContract;
  /** Where an app takes what is pressed: its Request URL, under a public https address. */
  readonly requestUrl: string;
  /** Where a public address leads in the lab; undefined: nowhere. */
  readonly deliverTo: (publicUrl: string) => string | undefined;
  /** By their ids: channels that the bot is in, and people. */
  readonly channels: readonly string[];
  readonly people: Readonly<Record<string, string>>;
}

export interface SlackMessage {
  readonly ts: string;
  readonly channel: string;
  /** All that stands in it: of its blocks as people see it. */
  readonly text: string;
  /** What in its blocks is formatted, names somebody, or can be clicked, other than buttons. */
  readonly marks: readonly string[];
  readonly buttons: readonly SlackButton[];
}

export interface SlackButton {
  readonly text: string;
  readonly actionId: string;
  readonly value: string;
  /** Only of a button that is a link. */
  readonly url?: string;
}

export interface SlackStandIn {
  /** Where slack.com and hooks.slack.com have to lead. */
  readonly url: string;
  readonly messages: readonly SlackMessage[];
  /** What only one person saw. */
  readonly whispers: readonly { readonly to: string; readonly text: string }[];
  /** Addresses that were fetched to show what is behind them: every address in a text is. */
  readonly previews: readonly { readonly url: string; readonly status: number }[];
  /** Somebody presses a button; the status with which the app answered. A forged press is signed by somebody else. */
  readonly press: (message: SlackMessage, label: string, by: string, signedWith?: string) => Promise<number>;
  readonly fail: (fault: Fault) => void;
  readonly close: () => Promise<void>;
}

interface Kept {
  readonly ts: string;
  readonly channel: string;
  text: string;
  blocks: readonly JsonObject[];
}

/** As Slack says who it is when it looks what is behind a link. */
export const PREVIEW_AGENT = 'Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)';

const APP = { app_id: 'A0LAB', bot_id: 'B0LAB', team: 'T0LAB', user: 'U0BOT' };

/** Slack's Web API on the loopback: it keeps channels, checks blocks, and delivers what is pressed, signed, to the app. */
export async function startSlack(settings: SlackSettings): Promise<SlackStandIn> {
  const { token, signingSecret, contract, requestUrl, deliverTo, channels, people } = settings;
  const messages: Kept[] = [];
  const whispers: { to: string; text: string }[] = [];
  const previews: { url: string; status: number }[] = [];
  const looking = new Set<Promise<void>>();
  let last = 1_700_000_000;

  const find = (channel: unknown, ts: unknown) => {
    const message = messages.find((one) => one.channel === channel && one.ts === ts);
    if (message === undefined) throw new Refused('message_not_found');
    return message;
  };

  const methods: Readonly<Record<string, (given: JsonObject) => JsonObject>> = {
    'chat.postMessage': (given) => {
      const { channel, text, blocks } = contentsOf(given);
      last += 1;
      const message = { ts: `${last}.000100`, channel, text, blocks };
      messages.push(message);
      for (const url of addressesIn(message)) preview(url);
      return { channel, ts: message.ts, message: shown(message) };
    },
    'chat.postEphemeral': (given) => {
      const { text } = contentsOf(given);
      whispers.push({ to: textOf(given['user']), text });
      last += 1;
      return { message_ts: `${last}.000100` };
    },
    'chat.update': (given) => {
      const message = find(given['channel'], given['ts']);
      Object.assign(message, contentsOf(given));
      return { channel: message.channel, ts: message.ts, text: message.text, message: shown(message) };
    },
    'users.info': ({ user }) => {
      const name = people[textOf(user)];
      if (name === undefined) throw new Refused('user_not_found');
      return { user: { id: textOf(user), name, real_name: name, is_bot: false, profile: { real_name: name } } };
    },
  };

  const contentsOf = ({ channel, text = '', blocks = [] }: JsonObject) => {
    if (!channels.includes(textOf(channel))) throw new Refused('channel_not_found');
    const list = Array.isArray(blocks) ? (blocks as readonly JsonObject[]) : [];
    if (text === '' && list.length === 0) throw new Refused('no_text');
    if (textOf(text).length > 40_000) throw new Refused('msg_too_long');
    const mistake = blockMistake(list);
    if (mistake !== undefined) throw new Refused('invalid_blocks', mistake);
    return { channel: textOf(channel), text: textOf(text), blocks: list };
  };

  /** What is behind a link is fetched by Slack itself, which must press nothing. */
  const preview = (url: string) => {
    const to = deliverTo(url);
    if (to === undefined) return;
    const look = fetch(to, { headers: { 'user-agent': PREVIEW_AGENT } }).then(async (answer) => {
      await answer.arrayBuffer();
      previews.push({ url, status: answer.status });
    });
    looking.add(look);
    look.then(
      () => looking.delete(look),
      () => looking.delete(look),
    );
  };

  const answer = (asked: Asked): Reply => {
    const { method = '' } = asked.params;
    const handle = methods[method];
    if (handle === undefined) return refusal(new Refused('unknown_method'));
    if (asked.headers['authorization'] !== `Bearer ${token}`) return refusal(new Refused('invalid_auth'));
    const body = jsonOf(asked);
    const given = isObject(body) ? (body as JsonObject) : Object.fromEntries(asked.query);
    contract.request(method, given);
    try {
      const result = { ok: true, ...handle(given) };
      contract.answer(method, result);
      return { status: 200, json: result };
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const reply = refusal(error);
      contract.answer(method, reply.json);
      return reply;
    }
  };

  /** The address that comes with a press, to change its message without a token. */
  const respond = (asked: Asked): Reply => {
    const body = jsonOf(asked);
    const message = messages.find(({ ts }) => ts === asked.params['ts']);
    if (message === undefined || !isObject(body)) return { status: 404, text: 'no_such_response' };
    const { text = '', blocks = [] } = body as JsonObject;
    const mistake = blockMistake(blocks as readonly JsonObject[]);
    if (mistake !== undefined) return { status: 200, json: { ok: false, error: 'invalid_blocks' } };
    Object.assign(message, { text: textOf(text), blocks });
    return { status: 200, text: 'ok' };
  };

  const standIn = await startStandIn({
    routes: [
      ...['GET', 'POST'].map((method) => ({ method, template: '/api/{method}', handle: answer })),
      { method: 'POST', template: '/actions/{ts}', handle: respond },
    ],
  });

  return {
    url: standIn.url,
    get messages() {
      return messages.map(seen);
    },
    whispers,
    previews,
    press: async (message, label, by, signedWith = signingSecret) => {
      const button = message.buttons.find(({ text }) => text === label);
      if (button === undefined) throw new Error(`There is no button "${label}" to press`);
      const kept = find(message.channel, message.ts);
      const now = Math.floor(Date.now() / 1000);
      const payload = {
        type: 'block_actions',
        token: 'deprecated',
        team: { id: APP.team, domain: 'lab' },
        user: { id: by, username: people[by] ?? by, name: people[by] ?? by, team_id: APP.team },
        api_app_id: APP.app_id,
        container: { type: 'message', message_ts: kept.ts, channel_id: kept.channel, is_ephemeral: false },
        trigger_id: `${now}.lab`,
        channel: { id: kept.channel, name: 'lab' },
        message: shown(kept),
        response_url: `https://hooks.slack.com/actions/${kept.ts}`,
        actions: [
          {
            type: 'button',
            block_id: 'actions',
            action_id: button.actionId,
            action_ts: `${now}.000000`,
            value: button.value,
            text: { type: 'plain_text', text: button.text, emoji: true },
          },
        ],
      };
      contract.thing('BlockAction', payload);
      const to = deliverTo(requestUrl);
      if (to === undefined) return 0;
      const body = new URLSearchParams({ payload: JSON.stringify(payload) }).toString();
      const signature = createHmac('sha256', signedWith).update(`v0:${now}:${body}`).digest('hex');
      const answered = await fetch(to, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          'user-agent': 'Slackbot 1.0 (+https://api.slack.com/robots)',
          'x-slack-request-timestamp': String(now),
          'x-slack-signature': `v0=${signature}`,
        },
        body,
      });
      await answered.arrayBuffer();
      return answered.status;
    },
    fail: standIn.fail,
    close: async () => {
      await Promise.allSettled(looking);
      await standIn.close();
    },
  };
}

class Refused extends Error {
  constructor(
    readonly error: string,
    readonly why?: string,
  ) {
    super(error);
  }
}

/** Slack says no with 200. */
function refusal({ error, why }: Refused): Reply {
  const json = { ok: false, error, ...(why !== undefined && { response_metadata: { messages: [`[ERROR] ${why}`] } }) };
  return { status: 200, json };
}

function shown({ ts, text, blocks }: Kept): JsonObject {
  return { type: 'message', subtype: 'bot_message', ...APP, ts, text, blocks };
}

function seen({ ts, channel, text, blocks }: Kept): SlackMessage {
  const parts = blocks.map((block) => shownText(block['text']));
  const buttons = blocks
    .flatMap(({ elements }) => (Array.isArray(elements) ? (elements as readonly JsonObject[]) : []))
    .map(({ text: label, action_id: actionId, value, url }) => ({
      text: isObject(label) ? textOf(label['text']) : '',
      actionId: textOf(actionId),
      value: textOf(value),
      ...(typeof url === 'string' && { url }),
    }));
  const all = [text, ...parts.map((part) => part.text)].filter((one) => one.trim() !== '').join('\n');
  return { ts, channel, text: all, marks: parts.flatMap(({ marks }) => marks), buttons };
}

/** Also those of buttons that are links: more than the real one looks at, so that nothing is left to it. */
function addressesIn(message: Kept): readonly string[] {
  const { text, buttons } = seen(message);
  return [...text.matchAll(/https?:\/\/[^\s<>|]+/g)]
    .map(([url]) => url.replaceAll('&amp;', '&'))
    .concat(buttons.flatMap(({ url }) => url ?? []));
}
