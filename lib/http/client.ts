import type { Readable } from 'node:stream';

import { Failure } from '../failure';
import { cancelled, type Task } from '../task';
import { encodeBody, type WireBody } from './body';
import { readBudget, readRetryAfter } from './budget';
import { type Bucket, bucketFor, type Pass } from './bucket';
import { type AgentPool, createAgentPool } from './connect';
import {
  answerLostBecause,
  type Call,
  failureOf,
  outcomeUnknown,
  redirectSentence,
  type Sentence,
  statusSentence,
  subjectOf,
  troubleSentence,
  webPageSentence,
} from './errors';
import { allItems, pages, type Page, type Paging, type Some } from './pages';
import { encodeQuery } from './path';
import { routeTo } from './proxy';
import { looksLikeWebPage, openBody, ReadError, readErrorBody, readWhole } from './read';
import { createRedaction, secretsOfHeaders } from './redact';
import { headersForStrangers, isRedirect, mostRedirects, nextHop, shownAddress } from './redirect';
import { type Answer, type HttpRequest, isRead, isRepeatable } from './request';
import { decideRetry, defaultRetry, type Outcome } from './retry';
import { type RawAnswer, send } from './send';
import {
  defaultConcurrency,
  defaultCorrelationHeaders,
  defaultMaxResponseBytes,
  defaultTimeouts,
  type Headers,
  type HttpSettings,
  noAuthentication,
  parseBaseUrl,
  realSurroundings,
  type Surroundings,
} from './settings';
import { isPassing, type Trouble } from './trouble';
import { createSlots } from './turns';

export interface HttpClient {
  /** Asks for JSON. An empty answer is null. */
  readonly request: (request: HttpRequest, task: Task) => Promise<Answer<unknown>>;
  readonly text: (request: HttpRequest, task: Task) => Promise<Answer<string>>;
  /** The body as it comes; whoever gets it reads it to the end or destroys it. */
  readonly stream: (request: HttpRequest, task: Task) => Promise<Answer<Readable>>;
  /** Every page of a list, one after the other. */
  readonly pages: <Item>(
    request: HttpRequest,
    paging: Paging<Item>,
    task: Task,
  ) => AsyncGenerator<Page<Item>, void, undefined>;
  /** The items of all pages, or the first `limit`. */
  readonly allItems: <Item>(
    request: HttpRequest,
    paging: Paging<Item>,
    task: Task,
    limit?: number,
  ) => Promise<Some<Item>>;
  /** Hangs up kept connections. They hold up nothing and end by themselves after seconds, so this is a courtesy. */
  readonly close: () => void;
}

export function createHttpClient(settings: HttpSettings, surroundings: Surroundings = realSurroundings): HttpClient {
  const baseUrl = parseBaseUrl(settings.service, settings.baseUrl);
  const timeouts = { ...defaultTimeouts, ...settings.timeouts };
  const context: Context = {
    settings,
    surroundings,
    baseUrl,
    timeouts,
    agents: createAgentPool({
      connectMs: timeouts.connectMs,
      openSocket: settings.openSocket,
      privateAuthority: settings.privateAuthority,
    }),
    slots: createSlots(settings.concurrency ?? defaultConcurrency),
  };
  const request: HttpClient['request'] = (wanted, task) => perform(context, wanted, task, readJson);
  return {
    request,
    text: (wanted, task) => perform(context, wanted, task, readText),
    stream: (wanted, task) => perform(context, wanted, task, readStream),
    pages: (wanted, paging, task) => pages({ request, baseUrl }, wanted, paging, task),
    allItems: (wanted, paging, task, limit) => allItems({ request, baseUrl }, wanted, paging, task, limit),
    close: context.agents.close,
  };
}

interface Context {
  readonly settings: HttpSettings;
  readonly surroundings: Surroundings;
  readonly baseUrl: string;
  readonly timeouts: typeof defaultTimeouts;
  readonly agents: AgentPool;
  readonly slots: ReturnType<typeof createSlots>;
}

/** One call with all its attempts. */
interface Running {
  readonly context: Context;
  readonly request: HttpRequest;
  readonly task: Task;
  readonly call: Call;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: WireBody;
  readonly bucket: Bucket;
  readonly endsAt: number;
  /** Stop or the deadline. */
  readonly signal: AbortSignal;
  readonly fail: (sentence: Sentence) => Failure;
  /** Has the attempt that is under way, or the last one, reached the server? */
  readonly progress: { sent: boolean; attempts: number; onBytes: () => void };
}

/** How the body of a good answer becomes what the caller asked for. */
interface Reading<Content> {
  readonly accept: string;
  readonly encodings: string;
  readonly read: (running: Running, answer: RawAnswer) => Promise<Content>;
}

async function perform<Content>(
  context: Context,
  request: HttpRequest,
  task: Task,
  reading: Reading<Content>,
): Promise<Answer<Content>> {
  const { settings, surroundings, baseUrl, timeouts } = context;
  const call: Call = { service: settings.service, baseUrl, method: request.method, path: request.path };
  const uploads = request.body !== undefined && 'stream' in request.body;
  const totalMs = request.deadlineMs ?? (uploads ? undefined : timeouts.totalMs);
  const progress: Running['progress'] = { sent: false, attempts: 0, onBytes: () => undefined };
  const end = createEnd(task.signal, totalMs);
  let redact = createRedaction(settings.secrets ?? []);
  let body: WireBody | undefined;
  try {
    body = encodeBody(request.body, () => progress.onBytes());
    if (end.signal.aborted) throw cancelled(subjectOf(call));
    const credentials = await hearing(
      end.signal,
      (settings.authentication ?? noAuthentication)(end.signal),
      subjectOf(call),
    );
    redact = createRedaction([...(settings.secrets ?? []), ...secretsOfHeaders(credentials)]);
    const running: Running = {
      context,
      request,
      task,
      call,
      url: urlOf(baseUrl, request),
      headers: headersOf(context, request, reading, credentials),
      body,
      bucket: bucketFor(baseUrl, credentials, settings.refill ?? 'at reset', surroundings),
      endsAt: totalMs === undefined ? Infinity : surroundings.now() + totalMs,
      signal: end.signal,
      fail: (sentence) => failureOf(call, sentence, redact),
      progress,
    };
    return await attemptUntilDone(running, reading);
  } catch (error) {
    throw endedFailure(error, { call, request, task, progress, late: end.late(), redact });
  } finally {
    end.over();
    if (body?.kind === 'stream') body.stream.destroy();
  }
}

/** A signal that is aborted by Stop or by the deadline of the call. */
function createEnd(stop: AbortSignal, milliseconds: number | undefined) {
  const controller = new AbortController();
  let late = false;
  const abort = () => controller.abort();
  if (stop.aborted) abort();
  stop.addEventListener('abort', abort, { once: true });
  const timer =
    milliseconds === undefined
      ? undefined
      : setTimeout(() => {
          late = true;
          abort();
        }, milliseconds);
  return {
    signal: controller.signal,
    late: () => late,
    over() {
      clearTimeout(timer);
      stop.removeEventListener('abort', abort);
    },
  };
}

function hearing<Value>(signal: AbortSignal, value: Value | Promise<Value>, subject: string): Promise<Value> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(cancelled(subject));
    signal.addEventListener('abort', stop, { once: true });
    Promise.resolve(value)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', stop));
  });
}

interface Ended {
  readonly call: Call;
  readonly request: HttpRequest;
  readonly task: Task;
  readonly progress: { readonly sent: boolean; readonly attempts: number };
  readonly late: boolean;
  readonly redact: (text: string) => string;
}

/** What the caller gets to see when a call ended badly. */
function endedFailure(error: unknown, { call, request, task, progress, late, redact }: Ended): unknown {
  const details = { attempts: progress.attempts };
  const mayHaveActed = progress.sent && !isRepeatable(request);
  if (task.signal.aborted) {
    if (!mayHaveActed) return cancelled(redact(subjectOf(call)));
    const { nextStep } = outcomeUnknown(call, '', {});
    const message = `Stopped after ${call.method} ${call.path} was sent: whether ${call.service} carried it out is not known`;
    return failureOf(call, { code: 'cancelled', message, nextStep, details }, redact);
  }
  if (late && !(error instanceof Failure && error.code !== 'cancelled')) {
    if (mayHaveActed)
      return failureOf(
        call,
        outcomeUnknown(call, 'it was sent, and its time was up before the answer', details),
        redact,
      );
    return failureOf(
      call,
      {
        code: 'timeout',
        message: `The time for ${call.method} ${call.path} at ${call.service} was up before an answer came`,
        nextStep: 'Check how the service is doing; then run it again, with more time if it needs it.',
        details,
      },
      redact,
    );
  }
  if (error instanceof Failure) return error;
  // Ours, not the service's: name the place, keep the values out.
  return failureOf(
    call,
    {
      code: 'internal_error',
      message: `${call.method} ${call.path} at ${call.service} ended in an unexpected error: ${error instanceof Error ? error.name : typeof error}`,
      nextStep: 'Please report this with the workflow step that shows it.',
      details: {
        ...details,
        stack: error instanceof Error ? (error.stack ?? '').split('\n').slice(0, 6).join('\n') : '',
      },
    },
    redact,
  );
}

function urlOf(baseUrl: string, { path, query }: HttpRequest): URL {
  const text = query === undefined ? '' : encodeQuery(query);
  return new URL(`${baseUrl}${path}${text === '' ? '' : `?${text}`}`);
}

function headersOf(
  { settings }: Context,
  request: HttpRequest,
  { accept, encodings }: Reading<unknown>,
  credentials: Headers,
): Headers {
  const lower = (headers: Headers = {}) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  return {
    accept,
    'accept-encoding': encodings,
    'user-agent': 'n8n-nodes-selfhost',
    ...lower(settings.headers),
    ...lower(request.headers),
    ...lower(credentials),
  };
}

async function attemptUntilDone<Content>(running: Running, reading: Reading<Content>): Promise<Answer<Content>> {
  const { context, request, task, call, signal, fail, progress, body } = running;
  const { now, wait, random } = context.surroundings;
  const policy = { ...defaultRetry, ...context.settings.retry };
  for (;;) {
    progress.attempts += 1;
    progress.sent = false;
    const ending = await attemptOnce(running, reading);
    if ('answer' in ending) return ending.answer;

    const decision = decideRetry({
      outcome: ending.outcome,
      repeatable: isRepeatable(request),
      resendable: body.kind !== 'stream',
      attempt: progress.attempts,
      policy,
      timeLeftMs: running.endsAt - now(),
      random: random(),
    });
    if (decision.kind === 'outcome unknown')
      throw fail(outcomeUnknown(call, ending.whyUnknown, ending.sentence.details ?? {}));
    if (decision.kind !== 'repeat') throw fail(ending.sentence);
    if (decision.delayMs >= 1000) {
      task.progress({ message: `Trying ${call.service} again in ${Math.ceil(decision.delayMs / 1000)} s` });
    }
    await wait(decision.delayMs, signal, subjectOf(call));
  }
}

type Ending<Content> =
  | { readonly answer: Answer<Content> }
  | { readonly outcome: Outcome; readonly sentence: Sentence; readonly whyUnknown: string };

async function attemptOnce<Content>(running: Running, reading: Reading<Content>): Promise<Ending<Content>> {
  const { context, task, call, bucket, signal } = running;
  const freeSlot = await context.slots(task.owner, signal, subjectOf(call));
  let pass: Pass | undefined;
  try {
    pass = await bucket.enter({
      owner: task.owner,
      signal,
      subject: subjectOf(call),
      latestAt: running.endsAt,
      onWait: reportOnce(running),
      tooLate: (until) => running.fail(budgetSpent(running, until)),
    });
    return await exchange(running, reading, pass);
  } finally {
    pass?.done({ answered: false });
    freeSlot();
  }
}

function reportOnce({ context, task, call }: Running): (until: number) => void {
  let told = 0;
  return (until) => {
    const seconds = Math.ceil((until - context.surroundings.now()) / 1000);
    if (until === told || seconds < 2) return;
    told = until;
    task.progress({ message: `Waiting up to ${seconds} s for the rate limit of ${call.service}` });
  };
}

function budgetSpent({ call, progress }: Running, until: number): Sentence {
  const back = new Date(until).toISOString();
  return {
    code: 'rate_limited',
    message: `The requests that ${call.service} allows are used up until ${back}, longer than ${call.method} ${call.path} may wait`,
    nextStep: 'Run it again after that time, or use fewer requests at once.',
    // This attempt was not made.
    details: { attempts: progress.attempts - 1, availableAt: back },
  };
}

/** Sends, follows redirects, and reads the answer. */
async function exchange<Content>(running: Running, reading: Reading<Content>, pass: Pass): Promise<Ending<Content>> {
  const { context, request, call, fail } = running;
  const origin = running.url.origin;
  let url = running.url;
  let headers = running.headers;
  for (let redirects = 0; ; redirects += 1) {
    const sent = await sendInTime(running, url, headers);
    if ('trouble' in sent) return troubleEnding(running, sent.trouble);
    const { answer } = sent;
    if (url.origin === origin) giveBack(running, pass, answer);
    if (!isRedirect(answer.status)) {
      if (answer.status >= 200 && answer.status < 300) return goodEnding(running, reading, answer);
      return errorEnding(running, answer);
    }
    answer.body.destroy();
    const hop = nextHop(url, answer.headers['location']);
    if ('refused' in hop) throw fail(redirectSentence(call, hop.refused, answer.status));
    const to = `to ${shownAddress(hop.url)}`;
    if (!isRead(request) || request.followRedirects === false) throw fail(redirectSentence(call, to, answer.status));
    if (redirects === mostRedirects)
      throw fail(redirectSentence(call, `${to}, the ${redirects + 1}th in a row`, answer.status));
    // Once the way led over a stranger, he chose the rest of it: what was taken off stays off.
    if (hop.url.origin !== url.origin) headers = headersForStrangers(headers);
    url = hop.url;
  }

  async function sendInTime(given: Running, to: URL, sending: Headers) {
    const { timeouts, settings, surroundings, agents } = context;
    const stop = new AbortController();
    const abort = () => stop.abort();
    given.signal.addEventListener('abort', abort, { once: true });
    if (given.signal.aborted) abort();
    let late = false;
    const timer = setTimeout(
      () => {
        late = true;
        abort();
      },
      // The connection has its own deadline.
      given.body.kind === 'stream' ? timeouts.connectMs + timeouts.idleMs : timeouts.connectMs + timeouts.answerMs,
    );
    given.progress.onBytes = () => timer.refresh();
    try {
      const result = await send({
        method: request.method,
        url: to,
        headers: sending,
        body: given.body,
        route: settings.openSocket ? { kind: 'direct' } : routeTo(to, surroundings.environment),
        agents,
        freshConnection: !isRepeatable(request),
        signal: stop.signal,
        onSent() {
          given.progress.sent = true;
          timer.refresh();
        },
      });
      if ('trouble' in result && late)
        return { trouble: { ...result.trouble, kind: 'timeout', reason: 'ETIMEDOUT' } as Trouble };
      if ('answer' in result) keepAborting(given.signal, abort, result.answer.body);
      return result;
    } finally {
      clearTimeout(timer);
      given.progress.onBytes = () => undefined;
      if (!stop.signal.aborted) given.signal.removeEventListener('abort', abort);
    }
  }
}

/** While the body is read, the signal still ends the connection. */
function keepAborting(signal: AbortSignal, abort: () => void, body: Readable): void {
  signal.addEventListener('abort', abort, { once: true });
  body.once('close', () => signal.removeEventListener('abort', abort));
}

/** Tells the budget what the answer says about it. */
function giveBack({ context }: Running, pass: Pass, { status, headers }: RawAnswer): void {
  const now = context.surroundings.now();
  const report = readBudget(headers, now);
  const asked = readRetryAfter(headers, now);
  const pauseMs = status === 429 ? (asked ?? (report ? Math.max(0, report.resetAt - now) : 1_000)) : undefined;
  pass.done({ ...(report && { report }), answered: true, ...(pauseMs !== undefined && { pauseMs }) });
}

function troubleEnding(running: Running, trouble: Trouble): Ending<never> {
  if (running.signal.aborted) throw cancelled(subjectOf(running.call));
  const sentence = troubleSentence(running.call, trouble);
  return {
    outcome: trouble.sent ? { kind: 'lost' } : { kind: 'not sent', passing: isPassing(trouble) },
    sentence: { ...sentence, details: { ...sentence.details, attempts: running.progress.attempts } },
    whyUnknown: answerLostBecause(trouble),
  };
}

async function goodEnding<Content>(
  running: Running,
  reading: Reading<Content>,
  answer: RawAnswer,
): Promise<Ending<Content>> {
  try {
    return { answer: { status: answer.status, headers: answer.headers, body: await reading.read(running, answer) } };
  } catch (error) {
    if (!(error instanceof ReadError)) throw error;
    if (error.kind === 'too large' || error.kind === 'unknown encoding')
      throw running.fail(readSentence(running, error, answer));
    const reason = error.reason === error.kind ? 'ECONNRESET' : error.reason;
    return troubleEnding(running, { kind: error.kind === 'idle' ? 'timeout' : 'cut off', reason, sent: true });
  }
}

async function errorEnding(running: Running, answer: RawAnswer): Promise<Ending<never>> {
  const { context, call, progress } = running;
  const { status, headers } = answer;
  const text = await readErrorBody(answer, { idleMs: context.timeouts.idleMs, signal: running.signal });
  if (running.signal.aborted) throw cancelled(subjectOf(call));
  const body = parseOrText(text);
  const retryAfterMs = readRetryAfter(headers, context.surroundings.now());
  const sentence = statusSentence(call, {
    status,
    headers,
    body,
    webPage: looksLikeWebPage(headers, text),
    explanation: context.settings.explain?.(body, status),
    correlation: correlationOf(running, headers),
    attempts: progress.attempts,
    retryAfterMs,
  });
  return {
    outcome: { kind: 'answer', status, ...(retryAfterMs !== undefined && { retryAfterMs }) },
    sentence,
    whyUnknown: `the answer was ${status}, which a gateway gives when it lost the server behind it`,
  };
}

function parseOrText(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function correlationOf({ context }: Running, headers: Headers): Headers {
  const names = context.settings.correlationHeaders ?? defaultCorrelationHeaders;
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers[name.toLowerCase()];
      return value === undefined ? [] : [[name.toLowerCase(), value]];
    }),
  );
}

function readSentence(running: Running, error: ReadError, { status, headers }: RawAnswer): Sentence {
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

const readText: Reading<string> = {
  accept: '*/*',
  encodings: packed,
  read: async (running, answer) => (await readBytes(running, answer)).toString(),
};

const readJson: Reading<unknown> = {
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

const readStream: Reading<Readable> = {
  accept: '*/*',
  // Unpacked, so that its size can be checked against what was announced.
  encodings: 'identity',
  async read(running, answer) {
    const { context, task, call, fail } = running;
    const stream = openBody(answer, {
      idleMs: context.timeouts.idleMs,
      signal: task.signal,
      translate: (error) =>
        error.kind === 'stopped' ? cancelled(subjectOf(call)) : fail(readSentence(running, error, answer)),
    });
    return stream;
  },
};
