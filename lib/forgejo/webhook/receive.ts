import { createHash } from 'node:crypto';

import { type Failure, isFailure } from '../../failure';
import type { DeliveryMemory } from './deliveries';
import type { ForgejoEvent } from './event';
import { isEventType } from './event-types';
import { type EventFilter, unwantedBecause } from './filter';
import { parseEvent } from './parse';
import type { AcceptedSecret } from './secrets';
import { type RequestHeaders, verifySignature } from './signature';

export interface Incoming {
  readonly headers: RequestHeaders;
  /** The bytes as they came; undefined when nobody kept them. */
  readonly rawBody: Buffer | undefined;
}

export interface Expected {
  /** Names the trigger among all of the instance; may stand in a state key: `workflow/node/webhook`. */
  readonly trigger: string;
  readonly secrets: readonly AcceptedSecret[];
  readonly mostBytes: number;
  readonly filter: EventFilter;
  readonly memory: DeliveryMemory;
}

export type Received =
  | { readonly kind: 'accepted'; readonly event: ForgejoEvent }
  /** Genuine, but not for this workflow. */
  | { readonly kind: 'ignored'; readonly because: string }
  | { readonly kind: 'duplicate'; readonly delivery: string }
  /** Genuine and wanted, but whether it came before cannot be known now, so it must not start anything. */
  | { readonly kind: 'unknown'; readonly delivery: string; readonly failure: Failure }
  /** `reason` may be logged and answered: it holds nothing of the content. */
  | { readonly kind: 'refused'; readonly status: 400 | 401 | 413 | 415; readonly reason: string };

/** From the cheapest question to the dearest; nothing of the body is looked at before its signature is right. */
export async function receive(incoming: Incoming, expected: Expected): Promise<Received> {
  const judged = judge(incoming, expected);
  if (judged.kind !== 'genuine') return judged;
  const { event, content, generation } = judged;
  const { delivery } = event;
  try {
    const isNew = await expected.memory.isNew({ trigger: expected.trigger, id: delivery, content, generation });
    return isNew ? { kind: 'accepted', event } : { kind: 'duplicate', delivery };
  } catch (error) {
    if (isFailure(error)) return { kind: 'unknown', delivery, failure: error };
    throw error;
  }
}

type Judged =
  | Extract<Received, { readonly kind: 'ignored' | 'refused' }>
  | { readonly kind: 'genuine'; readonly event: ForgejoEvent; readonly content: string; readonly generation: number };

function judge({ headers, rawBody }: Incoming, expected: Expected): Judged {
  if (rawBody === undefined || rawBody.length === 0) return refused(400, 'it has no body');
  if (rawBody.length > expected.mostBytes) {
    return refused(413, `its body of ${rawBody.length} bytes is larger than ${expected.mostBytes}`);
  }
  if (!/^application\/json\b/i.test(headerOf(headers, 'content-type') ?? '')) {
    return refused(415, 'it is not sent as application/json');
  }
  const verdict = verifySignature(
    rawBody,
    headers,
    expected.secrets.map(({ secret }) => secret),
  );
  if (verdict.kind !== 'valid') return refused(401, unprovenBecause[verdict.kind]);

  const event = headerOf(headers, 'x-forgejo-event-type') ?? headerOf(headers, 'x-gitea-event-type') ?? '';
  if (!isEventType(event)) return refused(400, 'it names no event type that is known');
  const delivery = headerOf(headers, 'x-forgejo-delivery') ?? headerOf(headers, 'x-gitea-delivery') ?? '';
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(delivery)) return refused(400, 'it has no delivery id');

  const parsed = parsedOrWhy(() => parseEvent(event, delivery, rawBody));
  if ('why' in parsed) return refused(400, `its payload of event ${event} cannot be read: ${parsed.why}`);
  const because = unwantedBecause(parsed.event, expected.filter);
  if (because !== undefined) return { kind: 'ignored', because };

  const content = createHash('sha256').update(rawBody).digest('hex');
  const generation = expected.secrets[verdict.secret]?.generation ?? 0;
  return { kind: 'genuine', event: parsed.event, content, generation };
}

const unprovenBecause = {
  no_secret: 'this trigger has no secret yet, so nothing can be proved',
  unsigned: 'it is not signed',
  wrong_signature: 'its signature is wrong',
};

function refused(status: 400 | 401 | 413 | 415, reason: string): Judged {
  return { kind: 'refused', status, reason };
}

function headerOf(headers: RequestHeaders, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' ? value : undefined;
}

function parsedOrWhy(read: () => ForgejoEvent): { readonly event: ForgejoEvent } | { readonly why: string } {
  try {
    return { event: read() };
  } catch (error) {
    if (isFailure(error, 'invalid_payload')) return { why: messageOfPayload(error) };
    throw error;
  }
}

/** The place that is wrong, never its value: parse errors name fields only. */
function messageOfPayload({ message }: Failure): string {
  return message.replace(/^Could not read /, '');
}
