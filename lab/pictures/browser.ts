import { spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { Failure } from '../../lib/failure';
import { isObject, type Json, type JsonObject } from '../../lib/json';

/** One page at a time of a headless Chromium, driven over the two pipes that it offers for that. */
export interface Page {
  /** Takes a new tab each time, so that nothing of the last page can object to being left. */
  open(url: string, size: { readonly width: number; readonly height: number }): Promise<void>;
  setCookie(url: string, cookie: string): Promise<void>;
  /** What a script in the page comes to; it may give a promise. */
  evaluate(script: string): Promise<unknown>;
  /** The page as a PNG, or a part of it. */
  picture(clip?: Clip): Promise<Buffer>;
  close(): Promise<void>;
}

export interface Clip {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A browser that says nothing for so long is not going to. */
const ANSWER_WITHIN_MS = 60_000;

export async function openPage(folder: string): Promise<Page> {
  const child = spawn(
    'chromium',
    [
      '--headless=new',
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--hide-scrollbars',
      '--disable-background-networking',
      '--disable-component-update',
      '--remote-debugging-pipe',
      `--user-data-dir=${join(folder, 'profile')}`,
      'about:blank',
    ],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
  );
  const ended = new Promise<void>((resolve) => child.on('exit', () => resolve()));
  const waiting = new Map<number, { resolve: (result: JsonObject) => void; reject: (error: Error) => void }>();
  const giveUp = (message: string) => {
    for (const { reject } of waiting.values()) reject(browserFailure(message));
    waiting.clear();
  };
  child.on('error', (error) => giveUp(`Chromium could not be started: ${error.message}`));
  child.on('exit', () => giveUp('Chromium has ended.'));
  const [, , , toBrowser, fromBrowser] = child.stdio as unknown as [null, null, null, Writable, Readable];
  toBrowser.on('error', (error) => giveUp(`Chromium does not listen: ${error.message}`));
  fromBrowser.on('error', (error) => giveUp(`Chromium cannot be read: ${error.message}`));
  let rest = '';
  fromBrowser.setEncoding('utf8').on('data', (text: string) => {
    const messages = (rest + text).split('\0');
    rest = messages.pop() ?? '';
    for (const message of messages) {
      const { id, result, error } = JSON.parse(message) as { id?: number; result?: JsonObject; error?: unknown };
      const asked = waiting.get(id ?? 0);
      if (asked === undefined) continue;
      waiting.delete(id ?? 0);
      if (error === undefined) asked.resolve(result ?? {});
      else asked.reject(browserFailure(`Chromium answers: ${JSON.stringify(error)}`));
    }
  });

  let last = 0;
  const send = async (method: string, params: JsonObject = {}, sessionId?: string): Promise<JsonObject> => {
    const id = ++last;
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise<JsonObject>((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        timer = setTimeout(() => reject(browserFailure(`Chromium does not answer to ${method}.`)), ANSWER_WITHIN_MS);
        toBrowser.write(
          `${JSON.stringify({ id, method, params, ...(sessionId === undefined ? {} : { sessionId }) })}\0`,
        );
      });
    } finally {
      clearTimeout(timer);
      waiting.delete(id);
    }
  };
  let tab: { readonly targetId: string; readonly sessionId: string } | undefined;
  const newTab = async () => {
    const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await send('Target.attachToTarget', { targetId: targetId ?? null, flatten: true });
    return { targetId: textOf(targetId), sessionId: textOf(sessionId) };
  };
  const inPage = async (method: string, params?: JsonObject) => {
    tab ??= await newTab();
    return await send(method, params, tab.sessionId);
  };

  return {
    open: async (url, { width, height }) => {
      if (tab !== undefined) await send('Target.closeTarget', { targetId: tab.targetId });
      tab = undefined;
      await inPage('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
      await inPage('Page.navigate', { url });
    },
    setCookie: async (url, cookie) => {
      const at = cookie.indexOf('=');
      await inPage('Network.setCookie', { url, name: cookie.slice(0, at), value: cookie.slice(at + 1) });
    },
    evaluate: async (expression) => {
      const { result, exceptionDetails } = await inPage('Runtime.evaluate', {
        expression,
        awaitPromise: true,
        returnByValue: true,
      });
      if (exceptionDetails !== undefined) {
        throw browserFailure(`A script in the page fails: ${JSON.stringify(exceptionDetails).slice(0, 500)}`);
      }
      return isObject(result) ? result['value'] : undefined;
    },
    picture: async (clip) => {
      const { data } = await inPage('Page.captureScreenshot', {
        format: 'png',
        ...(clip === undefined ? {} : { clip: { ...clip, scale: 1 } }),
      });
      return Buffer.from(textOf(data), 'base64');
    },
    close: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function textOf(value: Json | undefined): string {
  if (typeof value === 'string') return value;
  throw browserFailure('Chromium answers something else than it was asked for.');
}

function browserFailure(message: string): Failure {
  return new Failure({
    code: 'browser',
    subject: 'chromium',
    message,
    nextStep: 'Install the Debian package chromium, and see that there is memory left.',
  });
}
