import type { Readable } from 'node:stream';

import { cancelled } from '../task';
import { type Sentence, subjectOf, webPageSentence } from './errors';
import { looksLikeWebPage, openBody, ReadError, readWhole } from './read';
import { type Context, correlationOf, type Reading, type Running } from './running';
import type { RawAnswer } from './send';
import { defaultMaxResponseBytes } from './settings';

async function readBytes(running: Running, answer: RawAnswer): Promise<Buffer> {
  const { context, signal, request } = running;
  const { headers, body } = answer;
  if (answer.status === 204 || request.method === 'HEAD') {
    body.resume();
    return Buffer.alloc(0);
  }
  // Said beforehand: then nothing of it needs to be read.
  if (headers['content-encoding'] === undefined && Number(headers['content-length']) > limitOf(context)) {
    body.destroy();
    throw new ReadError('too large');
  }
  return readWhole(openBody(answer, { idleMs: context.timeouts.idleMs, maxBytes: limitOf(context), signal }));
}

const packed = 'gzip, deflate, br';

export const readText: Reading<string> = {
  accept: '*/*',
  encodings: packed,
  read: async (running, answer) => (await readBytes(running, answer)).toString(),
};

export const readJson: Reading<unknown> = {
  accept: 'application/json',
  encodings: packed,
  async read(running, answer) {
    const text = (await readBytes(running, answer)).toString().replace(/^\uFEFF/, '');
    if (text.trim() === '') return null;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      const { call, fail } = running;
      const details = { status: answer.status, correlation: correlationOf(running, answer.headers) };
      if (looksLikeWebPage(answer.headers, text)) throw fail(webPageSentence(call, details));
      throw fail({
        code: 'invalid_json',
        message: `The answer of ${call.service} to ${call.method} ${call.path} is not valid JSON`,
        nextStep: `Check the base URL ${call.baseUrl} and the version of ${call.service}.`,
        details,
      });
    }
  },
};

export const readStream: Reading<Readable> = {
  accept: '*/*',
  // Unpacked, so that its size can be checked against what was announced.
  encodings: 'identity',
  read(running, answer) {
    const { context, task, call, fail } = running;
    const stream = openBody(answer, {
      idleMs: context.timeouts.idleMs,
      signal: task.signal,
      translate: (error) =>
        error.kind === 'stopped' ? cancelled(subjectOf(call)) : fail(readSentence(running, error, answer)),
    });
    return Promise.resolve(stream);
  },
};

export function readSentence(running: Running, error: ReadError, { status, headers }: RawAnswer): Sentence {
  const { call, context } = running;
  const details = { status, correlation: correlationOf(running, headers) };
  switch (error.kind) {
    case 'too large':
      return {
        code: 'answer_too_large',
        message: `The answer of ${call.service} to ${call.method} ${call.path} is larger than ${limitOf(context)} bytes`,
        nextStep: 'Ask for less at once, by pages or by a filter.',
        details,
      };
    case 'unknown encoding':
      return {
        code: 'answer_unreadable',
        message: `The answer of ${call.service} to ${call.method} ${call.path} is packed in a way nobody asked for (${error.reason})`,
        nextStep: 'Check the proxy before the service: it should heed Accept-Encoding.',
        details,
      };
    case 'idle':
      return {
        code: 'timeout',
        message: `${call.service} fell silent in the middle of its answer to ${call.method} ${call.path}`,
        nextStep: 'Check how the service is doing, and start the download again.',
        details,
      };
    default:
      return {
        code: 'connection_lost',
        message: `The answer of ${call.service} to ${call.method} ${call.path} broke off before its end`,
        nextStep: 'Start it again; do not use the part that arrived.',
        details,
      };
  }
}

function limitOf({ settings }: Context): number {
  return settings.maxResponseBytes ?? defaultMaxResponseBytes;
}
