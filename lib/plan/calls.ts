import { createHmac } from 'node:crypto';
import { canonicalJson } from '../canonical-json';
import { Failure, isFailure } from '../failure';
import { isObject, type Json, type JsonObject } from '../json';
import type { Listed, StateStore } from '../state/store';
import { burnApproval, issueApproval } from './approval';
import { makePlan, type Plan } from './plan';

/*
 * A call that only a person may allow: one operation of a node with all of its values. It is a plan like any other, so
 * its approval is a token that is burnt before the call; and what the call would do, as far as its dry run gives a hash
 * for it, is part of what is approved.
 */

export interface CallToApprove {
  /** As in workflows: `cloudflareDns`. */
  readonly node: string;
  /** `zone.apply` */
  readonly operation: string;
  /** What people read: `Apply records to a zone`. */
  readonly action: string;
  readonly input: JsonObject;
  /** What a dry run puts out; empty where there is none. */
  readonly preview: readonly Json[];
}

export type Verdict = 'open' | 'approved' | 'denied';

/** A call as it waits for somebody to look at it. */
export interface ApprovalRequest extends CallToApprove {
  readonly id: string;
  readonly askedBy: string;
  readonly askedAt: string;
  readonly verdict: Verdict;
  readonly decidedBy: string | null;
  readonly decidedAt: string | null;
}

const ENGINE = 'call';
const VERSION = '1';
/** The approval has an end of its own; the call has none. */
const NEVER = '9999-12-31T23:59:59.999Z';
const DOMAIN = 'approval-request';
const KEPT_MS = 7 * 86_400_000;
/** State takes 256 KiB; a preview that is longer is cut, which its hash does not mind. */
const LONGEST_PREVIEW = 120_000;

/** The hashes that a dry run has put out, as the plans of zones do. */
export function hashesOf(preview: readonly Json[]): string[] {
  return preview.flatMap((item) => (isObject(item) && typeof item['hash'] === 'string' ? [item['hash']] : []));
}

/** In place of a secret: the same for the same secret, and nobody can read it. */
export function fingerprint(secret: string, key: string): string {
  return `hidden:${createHmac('sha256', key).update('selfhost secret\n').update(secret).digest('hex').slice(0, 24)}`;
}

type Bound = Pick<CallToApprove, 'node' | 'operation' | 'action' | 'input'>;

function callPlan({ node, operation, action, input }: Bound, hashes: readonly string[], key: string): Plan {
  return makePlan(
    {
      engine: ENGINE,
      engineVersion: VERSION,
      target: `${action} (${node}: ${operation})`,
      desired: { node, operation, input },
      observed: [...hashes],
      changes: [],
      expiresAt: NEVER,
    },
    key,
  );
}

/** Notes the call, so that a person can look at exactly it; says under which id. Asking again changes nothing. */
export async function requestApproval(
  store: StateStore,
  call: CallToApprove,
  key: string,
  { by, now }: { readonly by: string; readonly now: number },
): Promise<string> {
  const { node, operation, action, input, preview } = call;
  const hashes = hashesOf(preview);
  const { hash: id } = callPlan(call, hashes, key);
  const shown = canonicalJson([...preview]).length > LONGEST_PREVIEW ? [{ tooLong: true }] : preview;
  const fresh = {
    ...{ node, operation, action, input, hashes, preview: shown },
    ...{ askedBy: by, askedAt: new Date(now).toISOString() },
    ...{ verdict: 'open', decidedBy: null, decidedAt: null },
  } as const;
  // What was decided once may be asked for anew.
  const waits = (value: Json | undefined) => isObject(value) && value['verdict'] === 'open';
  await store.update(`${DOMAIN}/${id}`, (value) => (waits(value) ? undefined : fresh), { ttlMs: KEPT_MS });
  return id;
}

export async function getRequest(store: StateStore, id: string): Promise<ApprovalRequest> {
  const entry = /^[0-9a-f]{64}$/.test(id) ? await store.read(`${DOMAIN}/${id}`) : undefined;
  if (entry === undefined) throw unknown(id);
  return parseRequest(id, entry.value).request;
}

/** The newest first. */
export async function listRequests(store: StateStore, verdict: Verdict | 'all'): Promise<ApprovalRequest[]> {
  const found: Listed[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.list(`${DOMAIN}/`, after === undefined ? {} : { after });
    found.push(...page.items);
    after = page.next;
    if (after === undefined) break;
  }
  return found
    .map((one) => {
      if ('failure' in one) throw one.failure;
      return parseRequest(one.key.slice(DOMAIN.length + 1), one.entry.value).request;
    })
    .filter((request) => verdict === 'all' || request.verdict === verdict)
    .sort((a, b) => b.askedAt.localeCompare(a.askedAt));
}

export interface Decision {
  readonly by: string;
  readonly now: number;
}

/** Allows the call once, and returns the token for it: the only time that it is shown. */
export async function approveRequest(
  store: StateStore,
  id: string,
  key: string,
  { by, now, validMs }: Decision & { readonly validMs: number },
): Promise<{ readonly token: string; readonly expiresAt: string; readonly request: ApprovalRequest }> {
  const expiresAt = new Date(now + validMs).toISOString();
  const { plan, request } = await decide(store, id, 'approved', { by, now }, (stored) => {
    const bound = callPlan(stored.request, stored.hashes, key);
    // Whoever can write the state must not be able to have another call approved under this id.
    if (bound.hash !== id) throw tampered(stored.request);
    return bound;
  });
  return { token: await issueApproval(store, plan, { approver: by, expiresAt, now }), expiresAt, request };
}

export async function denyRequest(store: StateStore, id: string, decision: Decision): Promise<ApprovalRequest> {
  return (await decide(store, id, 'denied', decision, () => undefined)).request;
}

async function decide<Check>(
  store: StateStore,
  id: string,
  verdict: Exclude<Verdict, 'open'>,
  { by, now }: Decision,
  check: (stored: Stored) => Check,
): Promise<{ readonly plan: Check; readonly request: ApprovalRequest }> {
  if (by.trim() === '') throw nobody();
  const key = `${DOMAIN}/${id}`;
  const entry = /^[0-9a-f]{64}$/.test(id) ? await store.read(key) : undefined;
  if (entry === undefined) throw unknown(id);
  const stored = parseRequest(id, entry.value);
  if (stored.request.verdict !== 'open') throw decided(stored.request);
  const plan = check(stored);
  const decision = { verdict, decidedBy: by, decidedAt: new Date(now).toISOString() };
  try {
    await store.replace(key, { ...(entry.value as JsonObject), ...decision }, entry.version);
  } catch (error) {
    throw isFailure(error, 'state_conflict') ? decided(await getRequest(store, id)) : error;
  }
  return { plan, request: { ...stored.request, ...decision } };
}

/** Uses the token up for exactly this call, and says for which hashes of its dry run it was given. */
export async function burnCall(
  store: StateStore,
  token: string,
  call: CallToApprove,
  key: string,
  use: { readonly by: string; readonly now: number },
): Promise<{ readonly approver: string; readonly hashes: readonly string[] }> {
  const hashes = hashesOf(call.preview);
  const { approver } = await burnApproval(store, token, callPlan(call, hashes, key), use);
  return { approver, hashes };
}

interface Stored {
  readonly request: ApprovalRequest;
  readonly hashes: readonly string[];
}

function parseRequest(id: string, value: Json): Stored {
  const bad = () =>
    new Failure({
      code: 'approval_unreadable',
      subject: `request ${id}`,
      message: `The request ${id.slice(0, 12)}… for an approval cannot be read`,
      nextStep: 'Let the call be made again, so that it is requested anew.',
    });
  if (!isObject(value)) throw bad();
  const { node, operation, action, input, hashes, preview, askedBy, askedAt, verdict, decidedBy, decidedAt } = value;
  const texts = [node, operation, action, askedBy, askedAt];
  if (!texts.every((text) => typeof text === 'string') || !isObject(input)) throw bad();
  if (!Array.isArray(hashes) || !Array.isArray(preview)) throw bad();
  if (verdict !== 'open' && verdict !== 'approved' && verdict !== 'denied') throw bad();
  return {
    hashes: hashes.filter((hash): hash is string => typeof hash === 'string'),
    request: {
      id,
      node: node as string,
      operation: operation as string,
      action: action as string,
      input: input,
      preview: preview as Json[],
      askedBy: askedBy as string,
      askedAt: askedAt as string,
      verdict,
      decidedBy: typeof decidedBy === 'string' ? decidedBy : null,
      decidedAt: typeof decidedAt === 'string' ? decidedAt : null,
    },
  };
}

function unknown(id: string): Failure {
  return new Failure({
    code: 'approval_request_unknown',
    subject: `request ${id.slice(0, 64)}`,
    message: `There is no request for an approval with the id ${id.slice(0, 12)}…`,
    nextStep: 'List the requests. They are kept for seven days.',
  });
}

function decided({ id, action, verdict, decidedBy, decidedAt }: ApprovalRequest): Failure {
  return new Failure({
    code: 'approval_request_decided',
    subject: `request ${id}`,
    message: `"${action}" was already ${verdict} by ${decidedBy ?? 'somebody'} at ${decidedAt ?? 'some time'}`,
    nextStep: 'Let the call be made again, if it is still wanted: it is requested anew then.',
  });
}

function tampered({ id, action }: ApprovalRequest): Failure {
  return new Failure({
    code: 'approval_request_tampered',
    subject: `request ${id}`,
    message: `The request to "${action}" is not as the node has made it, or it was made with another plan key`,
    nextStep: 'Do not approve it. Check who can write the state, and that the Plan Key credential is the same.',
  });
}

function nobody(): Failure {
  return new Failure({
    code: 'approval_invalid',
    subject: 'approver',
    message: 'It does not say who decided',
    nextStep: 'Name the person.',
  });
}
