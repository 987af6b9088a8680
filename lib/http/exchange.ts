import { cancelled } from '../task';
import { readBudget, readRetryAfter } from './budget';
import type { Pass } from './bucket';
import { answerLostBecause, redirectSentence, statusSentence, subjectOf, troubleSentence } from './errors';
import { routeTo } from './proxy';
import { looksLikeWebPage, ReadError, readErrorBody } from './read';
import { readSentence } from './reading';
import { headersForStrangers, isRedirect, mostRedirects, nextHop, shownAddress } from './redirect';
import { isRead, isRepeatable } from './request';
import { correlationOf, type Ending, type Reading, type Running } from './running';
import { type RawAnswer, send, type Sent } from './send';
import type { Headers } from './settings';
import { isPassing, type Trouble } from './trouble';

/** Sends, follows redirects, and reads the answer. */
export async function exchange<Content>(
  running: Running,
  reading: Reading<Content>,
  pass: Pass,
): Promise<Ending<Content>> {
  const { request, call, fail } = running;
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
}

/** One request; an answer that does not begin in time is trouble. */
async function sendInTime(running: Running, url: URL, headers: Headers): Promise<Sent> {
  const { context, request, body, progress, signal } = running;
  const { timeouts, settings, surroundings, agents } = context;
  const stop = new AbortController();
  const abort = () => stop.abort();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const time = { over: false };
  const timer = setTimeout(
    () => {
      time.over = true;
      abort();
    },
    // The connection has its own deadline, and an upload only has to move.
    timeouts.connectMs + (body.kind === 'stream' ? timeouts.idleMs : timeouts.answerMs),
  );
  progress.onBytes = () => timer.refresh();
  try {
    const result = await send({
      method: request.method,
      url,
      headers,
      body,
      route: settings.openSocket ? { kind: 'direct' } : routeTo(url, surroundings.environment),
      agents,
      freshConnection: !isRepeatable(request),
      signal: stop.signal,
      onSent() {
        progress.sent = true;
      },
    });
    if ('trouble' in result && time.over)
      return { trouble: { ...result.trouble, kind: 'timeout', reason: 'ETIMEDOUT' } };
    return result;
  } finally {
    clearTimeout(timer);
    progress.onBytes = () => undefined;
    signal.removeEventListener('abort', abort);
  }
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
