import { Failure, isFailure } from '../failure';
import { path } from '../http/path';
import type { Task } from '../task';
import type { HetznerApi } from './api';

export interface TokenFacts {
  readonly mayWrite: boolean;
  /** Whether it is good for storage boxes too, or why not. */
  readonly storage: { readonly reachable: true } | { readonly reachable: false; readonly why: string };
}

/**
 * Hetzner does not say what a token may do. So something is asked for that can never be done: a key that is none. With
 * write permission the API complains about the key, without it about the token.
 */
export async function checkToken(api: HetznerApi, task: Task): Promise<TokenFacts> {
  await api.request('cloud', { method: 'GET', path: path('/locations') }, task);
  const body = { json: { name: 'n8n permission check', public_key: 'not a key' } };
  const mayWrite = await refusal(() =>
    api.request('cloud', { method: 'POST', path: path('/ssh_keys'), body, idempotent: true }, task),
  );
  try {
    await api.request('storage', { method: 'GET', path: path('/storage_box_types') }, task);
    return { mayWrite, storage: { reachable: true } };
  } catch (error) {
    if (!(error instanceof Failure) || error.code === 'cancelled') throw error;
    return { mayWrite, storage: { reachable: false, why: error.message } };
  }
}

async function refusal(ask: () => Promise<unknown>): Promise<boolean> {
  try {
    await ask();
  } catch (error) {
    if (isFailure(error, 'token_readonly') || isFailure(error, 'forbidden')) return false;
    if (isFailure(error, 'invalid_input') || isFailure(error, 'invalid_request')) return true;
    throw error;
  }
  throw new Failure({
    code: 'unexpected_answer',
    subject: 'Hetzner Cloud',
    message: 'The API accepted an SSH key that is none, so this is not the API of Hetzner',
    nextStep: 'Check the base URL in the credential, and remove the key "n8n permission check".',
  });
}
