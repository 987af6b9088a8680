import type { Duplex } from 'node:stream';
import { Failure, messageOf } from '../../failure';
import { cancelled, type Task } from '../../task';

/** What Redis answers: text, number, nothing, a list, or a refusal with its words. */
export type Reply = string | number | null | readonly Reply[] | Refusal;

export class Refusal {
  constructor(readonly message: string) {}
}

export interface RedisConnection {
  readonly ask: (...words: readonly string[]) => Promise<Reply>;
  readonly close: () => void;
}

const ANSWER_MS = 20_000;

/** One connection to Redis, one question at a time. Questions may hold secrets, so no failure repeats them. */
export function speakRedis(name: string, stream: Duplex, task: Task): RedisConnection {
  let received = Buffer.alloc(0);
  let waiting: { readonly resolve: (reply: Reply) => void; readonly reject: (error: Failure) => void } | undefined;
  let broken: Failure | undefined;
  const fail = (why: string) => {
    broken ??= lost(name, why);
    waiting?.reject(broken);
    waiting = undefined;
  };
  stream.on('error', (error) => fail(messageOf(error)));
  stream.on('close', () => fail('it was closed'));
  stream.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const parsed = parse(received, 0);
    if (parsed === 'more') return;
    if (parsed === 'not Redis') {
      fail('what answers there is not Redis');
      stream.destroy();
      return;
    }
    received = received.subarray(parsed.end);
    waiting?.resolve(parsed.reply);
    waiting = undefined;
  });
  return {
    ask: (...words) =>
      new Promise<Reply>((resolve, reject) => {
        if (broken !== undefined || task.signal.aborted) {
          reject(broken ?? cancelled(name));
          return;
        }
        const stop = () => reject(cancelled(name));
        const timer = setTimeout(() => fail(`no answer within ${ANSWER_MS / 1000} s`), ANSWER_MS);
        const settled = () => {
          clearTimeout(timer);
          task.signal.removeEventListener('abort', stop);
        };
        task.signal.addEventListener('abort', stop, { once: true });
        waiting = {
          resolve: (reply) => {
            settled();
            resolve(reply);
          },
          reject: (error) => {
            settled();
            reject(error);
          },
        };
        stream.write(
          Buffer.concat([
            Buffer.from(`*${words.length}\r\n`),
            ...words.map((word) => Buffer.from(`$${Buffer.byteLength(word)}\r\n${word}\r\n`)),
          ]),
        );
      }),
    close: () => stream.destroy(),
  };
}

type Parsed = { readonly reply: Reply; readonly end: number } | 'more' | 'not Redis';

function parse(bytes: Buffer, from: number): Parsed {
  const lineEnd = bytes.indexOf('\r\n', from);
  if (lineEnd < 0) return 'more';
  const kind = String.fromCharCode(bytes[from] ?? 0);
  const rest = bytes.toString('utf8', from + 1, lineEnd);
  const end = lineEnd + 2;
  const count = Number(rest);
  switch (kind) {
    case '+':
      return { reply: rest, end };
    case '-':
      return { reply: new Refusal(rest), end };
    case ':':
      return { reply: count, end };
    case '$':
      if (count < 0) return { reply: null, end };
      if (bytes.length < end + count + 2) return 'more';
      return { reply: bytes.toString('utf8', end, end + count), end: end + count + 2 };
    case '*':
      return count < 0 ? { reply: null, end } : parseList(bytes, end, count);
    default:
      return 'not Redis';
  }
}

function parseList(bytes: Buffer, from: number, count: number): Parsed {
  const replies: Reply[] = [];
  let end = from;
  while (replies.length < count) {
    const next = parse(bytes, end);
    if (typeof next === 'string') return next;
    replies.push(next.reply);
    end = next.end;
  }
  return { reply: replies, end };
}

function lost(name: string, why: string): Failure {
  return new Failure({
    code: 'redis_lost',
    subject: name,
    message: `The connection to ${name} broke: ${why}`,
    nextStep: 'Check that Redis runs and listens there. A command that was under way may have been carried out.',
  });
}
