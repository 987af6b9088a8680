import { isObject } from '../../../lib/json';
import { jsonOf, type Asked, type Fault, type Reply, startStandIn } from '../http';
import type { MethodsContract } from '../methods-contract';
import { type Entity, MarkupMistake, type Shown, shownOf } from './markup';

export interface TelegramSettings {
  readonly token: string;
  /** Where it listens: the loopback, unless machines of the lab have to reach it. */
  readonly address?: string;
  /** Requests, answers and updates are held to it. */
  readonly contract: MethodsContract;
  /**
   * Webhooks are registered under a public https address, and delivered to where that leads in the lab. Undefined: the
   * address cannot be reached.
   */
  readonly deliverTo: (publicUrl: string) => string | undefined;
}

export interface SentMessage {
  readonly id: number;
  readonly chat: string;
  /** As it is shown; only of HTML as it was sent, with its tags. */
  text: string;
  /** What of it is marked or can be tapped, by its markup or because a client finds it; of HTML nothing. */
  entities: readonly Entity[];
  buttons: readonly Button[];
}

export interface Button {
  readonly text: string;
  readonly url?: string;
  readonly callbackData?: string;
}

export interface Person {
  readonly id: number;
  readonly firstName: string;
}

export interface TelegramStandIn {
  /** For the credential's base URL. */
  readonly url: string;
  readonly messages: readonly SentMessage[];
  /** What a popup told to whom pressed a button. */
  readonly popups: readonly string[];
  readonly webhook: () => string;
  /** Presses a button of a message in the chat; the status with which its webhook answered. */
  readonly press: (message: SentMessage, label: string, by: Person) => Promise<number>;
  /** Somebody writes to the bot in the private chat with it; the status with which its webhook answered. */
  readonly write: (text: string, by: Person, options?: { readonly secondsAgo?: number }) => Promise<number>;
  /** Chats that have blocked the bot. */
  readonly block: (chat: string) => void;
  readonly fail: (fault: Fault) => void;
  readonly close: () => Promise<void>;
}

interface Hook {
  readonly url: string;
  readonly secret: string;
  readonly updates: readonly string[];
}

const BOT = { id: 4242, is_bot: true, first_name: 'Lab', username: 'lab_bot' };

/** A Bot API on the loopback: it keeps chats, checks their markup, and delivers what is pressed to the webhook. */
export async function startTelegram({
  token,
  address,
  contract,
  deliverTo,
}: TelegramSettings): Promise<TelegramStandIn> {
  const messages: SentMessage[] = [];
  const popups: string[] = [];
  const blocked = new Set<string>();
  let hook: Hook = { url: '', secret: '', updates: [] };
  let last = 0;

  const methods: Readonly<Record<string, (body: Readonly<Record<string, unknown>>) => unknown>> = {
    getMe: () => BOT,
    setWebhook: ({ url, secret_token: secret = '', allowed_updates: updates = [] }) => {
      if (typeof url !== 'string' || (url !== '' && !url.startsWith('https://'))) {
        throw new BadRequest('bad webhook: An HTTPS URL must be provided for webhook');
      }
      hook = { url, secret: String(secret), updates: updates as string[] };
      return true;
    },
    deleteWebhook: () => {
      hook = { url: '', secret: '', updates: [] };
      return true;
    },
    getWebhookInfo: () => ({
      url: hook.url,
      has_custom_certificate: false,
      pending_update_count: 0,
      allowed_updates: hook.updates,
    }),
    sendMessage: ({ chat_id: chat, text, parse_mode: mode, reply_markup: markup }) => {
      const seen = textOf(text, mode);
      if (!/^-?\d+$|^@\w+$/.test(String(chat))) throw new BadRequest('chat not found');
      if (blocked.has(String(chat))) throw new Refused(403, 'Forbidden: bot was blocked by the user');
      last += 1;
      const message = { id: last, chat: String(chat), ...seen, buttons: buttonsOf(markup) };
      messages.push(message);
      return shown(message);
    },
    editMessageText: ({ message_id: id, text, parse_mode: mode, reply_markup: markup }) => {
      const message = find(id);
      Object.assign(message, textOf(text, mode), { buttons: buttonsOf(markup) });
      return shown(message);
    },
    editMessageReplyMarkup: ({ message_id: id, reply_markup: markup }) => {
      const message = find(id);
      message.buttons = buttonsOf(markup);
      return shown(message);
    },
    answerCallbackQuery: ({ text }) => {
      if (typeof text === 'string') popups.push(text);
      return true;
    },
  };

  const find = (id: unknown) => {
    const message = messages.find((one) => one.id === id);
    if (message === undefined) throw new BadRequest('message to edit not found');
    return message;
  };

  const answer = (asked: Asked): Reply => {
    const { given, method = '' } = asked.params;
    if (given !== token) return refusal(401, 'Unauthorized');
    const handle = methods[method];
    if (handle === undefined) return refusal(404, 'Not Found');
    const body = jsonOf(asked) ?? {};
    contract.request(method, body);
    try {
      const result = handle(isObject(body) ? body : {});
      contract.answer(method, result);
      return { status: 200, json: { ok: true, result } };
    } catch (error) {
      if (error instanceof Refused) return refusal(error.status, error.message);
      throw error;
    }
  };

  const deliver = async (update: object): Promise<number> => {
    contract.thing('Update', update);
    const to = deliverTo(hook.url);
    const kind = Object.keys(update).find((key) => key !== 'update_id') ?? '';
    // What the bot did not ask for is not sent; without a list everything usual is.
    if (to === undefined || (hook.updates.length > 0 && !hook.updates.includes(kind))) return 0;
    const answered = await fetch(to, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-telegram-bot-api-secret-token': hook.secret },
      body: JSON.stringify(update),
    });
    await answered.arrayBuffer();
    return answered.status;
  };

  const standIn = await startStandIn({
    ...(address !== undefined && { address }),
    routes: ['GET', 'POST'].map((method) => ({ method, template: '/bot{given}/{method}', handle: answer })),
  });
  return {
    url: standIn.url,
    messages,
    popups,
    webhook: () => hook.url,
    press: async (message, label, by) => {
      const button = message.buttons.find(({ text }) => text === label);
      if (button?.callbackData === undefined) throw new Error(`There is no button "${label}" to tap on`);
      last += 1;
      const update = {
        update_id: last,
        callback_query: {
          id: String(last),
          from: { id: by.id, is_bot: false, first_name: by.firstName },
          message: shown(message),
          chat_instance: message.chat,
          data: button.callbackData,
        },
      };
      return await deliver(update);
    },
    write: async (text, by, { secondsAgo = 0 } = {}) => {
      last += 1;
      return await deliver({
        update_id: last,
        message: {
          message_id: last,
          from: { id: by.id, is_bot: false, first_name: by.firstName },
          date: Math.floor(Date.now() / 1000) - secondsAgo,
          chat: { id: by.id, type: 'private', first_name: by.firstName },
          text,
        },
      });
    },
    block: (chat) => void blocked.add(chat),
    fail: standIn.fail,
    close: standIn.close,
  };
}

class Refused extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

class BadRequest extends Refused {
  constructor(why: string) {
    super(400, `Bad Request: ${why}`);
  }
}

function refusal(status: number, description: string): Reply {
  return { status, json: { ok: false, error_code: status, description } };
}

function textOf(text: unknown, mode: unknown): Shown {
  if (typeof text !== 'string' || text.trim() === '') throw new BadRequest('message text is empty');
  try {
    const seen = shownOf(text, mode);
    if (seen.text.length > 4096) throw new BadRequest('message is too long');
    return seen;
  } catch (error) {
    if (error instanceof MarkupMistake) throw new BadRequest(`can't parse entities: ${error.message}`);
    throw error;
  }
}

function buttonsOf(markup: unknown): readonly Button[] {
  if (!isObject(markup) || !Array.isArray(markup['inline_keyboard'])) return [];
  return (markup['inline_keyboard'] as unknown[]).flat().map((button) => {
    if (!isObject(button) || typeof button['text'] !== 'string') throw new BadRequest('button text must be non-empty');
    const { text, url, callback_data: data } = button;
    if (typeof data === 'string') {
      if (Buffer.byteLength(data) > 64 || data === '') throw new BadRequest('BUTTON_DATA_INVALID');
      return { text, callbackData: data };
    }
    if (typeof url !== 'string' || /^https?:\/\/(localhost|127\.)/.test(url)) {
      throw new BadRequest('inline keyboard button URL is invalid: Wrong HTTP URL');
    }
    return { text, url };
  });
}

function shown({ id, chat, text, buttons }: SentMessage) {
  const keyboard = buttons.map((one) => ({
    text: one.text,
    ...(one.url !== undefined && { url: one.url }),
    ...(one.callbackData !== undefined && { callback_data: one.callbackData }),
  }));
  return {
    message_id: id,
    from: BOT,
    date: Math.floor(Date.now() / 1000),
    chat: { id: Number(chat.replace('@', '')) || 1, type: 'private', first_name: 'Somebody' },
    text,
    ...(keyboard.length > 0 && { reply_markup: { inline_keyboard: [keyboard] } }),
  };
}
