import { makeMemory, memoryState } from '../../../../lab/memory-state';
import { type Failure, isFailure } from '../../../../lib/failure';
import type { JsonObject } from '../../../../lib/json';
import {
  approveRequest,
  burnCall,
  type CallToApprove,
  denyRequest,
  fingerprint,
  getRequest,
  listRequests,
  requestApproval,
} from '../../../../lib/plan/calls';
import type { StateStore } from '../../../../lib/state/store';
import { quietTask } from '../../../shared/task';

const KEY = 'k'.repeat(32);
const NOW = Date.parse('2026-01-31T02:00:00.000Z');
const call: CallToApprove = {
  node: 'cloudflareDns',
  operation: 'zone.apply',
  action: 'Apply records to a zone',
  input: { zone: 'kua.cl', records: [{ name: 'www', type: 'A', content: '203.0.113.1' }], dryRun: false },
  preview: [{ zone: 'kua.cl', hash: 'a1', create: 1, changed: false }],
};
const asked = { by: 'execution-7', now: NOW };
const allowed = { by: 'daniel', now: NOW, validMs: 900_000 };

let store: StateStore;
beforeEach(() => {
  store = memoryState(
    makeMemory(() => NOW),
    quietTask(),
  );
});

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'fine',
    (error: unknown) => (isFailure(error) ? error.code : Promise.reject(error as Failure)),
  );
}

it('a call waits with all of its values and what it would do, is approved, and then allowed once', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  const waiting = { id, ...call, askedBy: 'execution-7', askedAt: '2026-01-31T02:00:00.000Z' };
  const open = { ...waiting, verdict: 'open', decidedBy: null, decidedAt: null };
  expect(await getRequest(store, id)).toEqual(open);
  expect(await listRequests(store, 'open')).toEqual([open]);

  const { token, expiresAt, request } = await approveRequest(store, id, KEY, allowed);
  const approved = { ...waiting, verdict: 'approved', decidedBy: 'daniel', decidedAt: '2026-01-31T02:00:00.000Z' };
  expect([expiresAt, request]).toEqual(['2026-01-31T02:15:00.000Z', approved]);
  expect(await listRequests(store, 'open')).toEqual([]);
  expect(await listRequests(store, 'approved')).toEqual([approved]);

  const use = { by: 'execution-8', now: NOW + 60_000 };
  expect(await burnCall(store, token, call, KEY, use)).toEqual({ approver: 'daniel', hashes: ['a1'] });
  expect(await codeOf(burnCall(store, token, call, KEY, use))).toBe('approval_used');
});

it.each<[string, Partial<CallToApprove>]>([
  ['other values', { input: { ...call.input, zone: 'example.org' } }],
  ['another operation', { operation: 'zone.sync' }],
  ['another node', { node: 'hetzner' }],
  ['another plan, because the world has changed', { preview: [{ zone: 'kua.cl', hash: 'b2' }] }],
])('a token does not allow %s', async (_, other) => {
  const id = await requestApproval(store, call, KEY, asked);
  const { token } = await approveRequest(store, id, KEY, allowed);
  expect(await codeOf(burnCall(store, token, { ...call, ...other }, KEY, asked))).toBe('approval_for_other_plan');
  expect(await codeOf(burnCall(store, token, call, KEY, asked))).toBe('fine');
});

it('what a dry run says beside the hash of its plan may change meanwhile', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  const { token } = await approveRequest(store, id, KEY, allowed);
  const later = { ...call, preview: [{ zone: 'kua.cl', hash: 'a1', foreign: 8 }] };
  expect(await codeOf(burnCall(store, token, later, KEY, asked))).toBe('fine');
});

it('a token ends, and one that nobody gave allows nothing', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  const { token } = await approveRequest(store, id, KEY, allowed);
  const late = { by: 'execution-8', now: NOW + 900_000 };
  expect(await codeOf(burnCall(store, token, call, KEY, late))).toBe('approval_expired');
  expect(await codeOf(burnCall(store, 'invented', call, KEY, asked))).toBe('approval_unknown');
});

it('of any number of people who decide at once, one decides', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  const codes = await Promise.all([
    ...['a', 'b', 'c'].map((by) => codeOf(approveRequest(store, id, KEY, { ...allowed, by }))),
    codeOf(denyRequest(store, id, { by: 'd', now: NOW })),
  ]);
  expect(codes.sort()).toEqual([
    'approval_request_decided',
    'approval_request_decided',
    'approval_request_decided',
    'fine',
  ]);
});

it('what was denied stays denied until it is asked for anew', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  expect(await denyRequest(store, id, { by: 'daniel', now: NOW })).toMatchObject({ id, verdict: 'denied' });
  expect(await codeOf(approveRequest(store, id, KEY, allowed))).toBe('approval_request_decided');
  expect(await requestApproval(store, call, KEY, asked)).toBe(id);
  expect(await getRequest(store, id)).toMatchObject({ verdict: 'open', decidedBy: null });
});

it('asking again for what waits changes nothing', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  const before = await getRequest(store, id);
  expect(await requestApproval(store, call, KEY, { by: 'execution-9', now: NOW + 5 })).toBe(id);
  expect(await getRequest(store, id)).toEqual(before);
});

it('a request that somebody has changed in the state is not approved', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  await store.update(`approval-request/${id}`, (value) => {
    const stored = value as JsonObject;
    return { ...stored, input: { ...(stored['input'] as JsonObject), zone: 'bank.example' } };
  });
  expect(await codeOf(approveRequest(store, id, KEY, allowed))).toBe('approval_request_tampered');
  expect(await codeOf(approveRequest(store, id, 'another key'.repeat(4), allowed))).toBe('approval_request_tampered');
});

it('needs a name, and a request that is there', async () => {
  const id = await requestApproval(store, call, KEY, asked);
  expect(await codeOf(approveRequest(store, id, KEY, { ...allowed, by: ' ' }))).toBe('approval_invalid');
  expect(await codeOf(approveRequest(store, 'f'.repeat(64), KEY, allowed))).toBe('approval_request_unknown');
  expect(await codeOf(getRequest(store, '../etc'))).toBe('approval_request_unknown');
});

it('a preview that is too long is cut, and its hash still counts', async () => {
  const long = { ...call, preview: [{ hash: 'a1', changes: 'x'.repeat(300_000) }] };
  const id = await requestApproval(store, long, KEY, asked);
  expect((await getRequest(store, id)).preview).toEqual([{ tooLong: true }]);
  const { token } = await approveRequest(store, id, KEY, allowed);
  expect(await codeOf(burnCall(store, token, long, KEY, asked))).toBe('fine');
});

it('a secret is hidden, but another one is another call', () => {
  expect(fingerprint('one', KEY)).toMatch(/^hidden:[0-9a-f]{24}$/);
  expect(fingerprint('one', KEY)).toBe(fingerprint('one', KEY));
  expect(fingerprint('one', KEY)).not.toBe(fingerprint('two', KEY));
  expect(fingerprint('one', KEY)).not.toBe(fingerprint('one', 'another key'.repeat(4)));
});
