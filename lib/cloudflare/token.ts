import { Failure, isFailure } from '../failure';
import { path } from '../http/path';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';
import { listRecords, patchRecord } from './records';
import { type CloudflareZone, listZones } from './zones';

export interface TokenReport {
  readonly status: string;
  readonly zones: readonly string[];
  /** As they are called where tokens are made: `DNS: Edit`. */
  readonly missing: readonly string[];
}

interface State {
  readonly id: string;
  readonly status: string;
  readonly expiresOn: string;
}

/**
 * Says what a token lacks. Nothing tells a token its own permissions, so each is tried: reading by reading, editing by
 * a change to a record that cannot exist, which Cloudflare refuses for want of permission or for want of the record.
 */
export async function inspectToken(
  api: CloudflareApi,
  { toEdit }: { readonly toEdit: boolean },
  task: Task,
): Promise<TokenReport> {
  const own = await verify(api, '/user/tokens/verify', task);
  if (own !== undefined) mustBeActive(own);
  const zones = await orForbidden(listZones(api, task));
  // A token of an account is unknown at the address of users' tokens, and has its own.
  const state = own ?? (await verifyByAccount(api, zones ?? [], task));
  mustBeActive(state);
  if (zones === undefined) return { status: state.status, zones: [], missing: ['Zone: Read'] };
  const [zone] = zones;
  if (zone === undefined) return { status: state.status, zones: [], missing: ['a zone under Zone Resources'] };

  const reads = await orForbidden(listRecords(api, zone.id, { limit: 1 }, task));
  const edits = toEdit ? await mayEdit(api, zone, task) : true;
  return {
    status: state.status,
    zones: zones.map(({ name }) => name),
    missing: [...(reads === undefined ? ['DNS: Read'] : []), ...(edits ? [] : ['DNS: Edit'])],
  };
}

function verify(api: CloudflareApi, at: '/user/tokens/verify', task: Task): Promise<State | undefined> {
  return orUnknown(api.ask({ method: 'GET', path: path(at) }, parseState, task));
}

async function verifyByAccount(api: CloudflareApi, zones: readonly CloudflareZone[], task: Task): Promise<State> {
  const account = zones.find(({ accountId }) => accountId !== '')?.accountId;
  const at = account === undefined ? undefined : path('/accounts/{account}/tokens/verify', { account });
  const state = at === undefined ? undefined : await orUnknown(api.ask({ method: 'GET', path: at }, parseState, task));
  if (state !== undefined) return state;
  throw new Failure({
    code: 'unauthorized',
    subject: 'the Cloudflare API token',
    message: 'Cloudflare does not know this API token',
    nextStep: 'Make a token under My Profile, API Tokens, and put it into the credential; the global API key is none.',
  });
}

async function mayEdit(api: CloudflareApi, zone: CloudflareZone, task: Task): Promise<boolean> {
  const nobody = { id: '0'.repeat(32), name: zone.name, type: 'TXT', ttl: 1, content: 'n8n asks what this token may' };
  try {
    await patchRecord(api, zone.id, nobody, task);
    return true;
  } catch (error) {
    if (isFailure(error, 'forbidden')) return false;
    // It was let in, and found no record with this id.
    if (isFailure(error, 'record_not_found') || isFailure(error, 'invalid_request') || isFailure(error, 'not_found')) {
      return true;
    }
    throw error;
  }
}

function mustBeActive({ status, expiresOn }: State): void {
  if (status === 'active') return;
  throw new Failure({
    code: 'unauthorized',
    subject: 'the Cloudflare API token',
    message: `The Cloudflare API token is ${status}${expiresOn === '' ? '' : ` (it expires on ${expiresOn})`}`,
    nextStep: 'Make a new token, or activate this one under My Profile, API Tokens.',
  });
}

function parseState(value: unknown): State {
  const state = Fields.of(value, 'a token');
  return { id: state.text('id'), status: state.text('status'), expiresOn: state.optionalText('expires_on') ?? '' };
}

async function orForbidden<Value>(asked: Promise<Value>): Promise<Value | undefined> {
  return asked.catch((error: unknown) => {
    if (isFailure(error, 'forbidden')) return undefined;
    throw error;
  });
}

async function orUnknown<Value>(asked: Promise<Value>): Promise<Value | undefined> {
  return asked.catch((error: unknown) => {
    if (isFailure(error, 'unauthorized')) return undefined;
    throw error;
  });
}
