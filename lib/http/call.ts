import { setMaxListeners } from 'node:events';

import { Failure } from '../failure';
import { cancelled, type Task } from '../task';
import { attemptUntilDone } from './attempts';
import { encodeBody, type WireBody } from './body';
import { bucketFor } from './bucket';
import { type Call, failureOf, outcomeUnknown, subjectOf } from './errors';
import { encodeQuery } from './path';
import { createRedaction, secretsOfHeaders } from './redact';
import { type Answer, type HttpRequest, isRepeatable } from './request';
import type { Context, Reading, Running } from './running';
import { type Headers, noAuthentication } from './settings';

/** One call from its beginning to its end: who asks, how long it may take, and what is said when it goes wrong. */
export async function perform<Content>(
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
  // One execution may make hundreds of calls at once, and every one listens: that is no leak.
  setMaxListeners(0, stop);
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
        stack: error instanceof Error ? (error.stack ?? '').split('\n').slice(1, 6).join('\n') : '',
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
