import type { IExecuteFunctions, INodeCredentialDescription } from 'n8n-workflow';
import type { LockPlace } from '../../lib/dns/zone-lock';
import { parsePlanKey } from '../../lib/plan/credential';
import { parseStateCredential } from '../../lib/state/credential';
import { postgresState } from '../../lib/state/postgres';
import type { StateStore } from '../../lib/state/store';

/** What keeps workers and agents from each other's way: where locks and approvals are kept, and what seals a plan. */
export interface Controls {
  readonly store?: StateStore;
  readonly lock?: LockPlace;
  readonly planKey?: string;
}

/** A node that plugs them in lists these beside its own credential. */
export const controlCredentials: readonly INodeCredentialDescription[] = [
  { name: 'selfhostState', displayName: 'State (PostgreSQL)', required: false, testedBy: 'stateCredentialTest' },
  { name: 'selfhostPlanKey', displayName: 'Plan Key', required: false, testedBy: 'planKeyCredentialTest' },
];

/** Items of one execution share a connection. Gone with the execution, and closed when nobody has used it for a while. */
const shared = new WeakMap<object, Map<string, StateStore>>();

export async function controlsOf(execute: IExecuteFunctions, itemIndex: number): Promise<Controls> {
  const chosen = execute.getNode().credentials ?? {};
  const store = chosen['selfhostState'] && (await storeOf(execute, itemIndex));
  const planKey = chosen['selfhostPlanKey'] && parsePlanKey(await execute.getCredentials('selfhostPlanKey', itemIndex));
  return {
    ...(store && { store, lock: { store, whenUnreachable: 'refuse' as const } }),
    ...(planKey !== undefined && { planKey }),
  };
}

async function storeOf(execute: IExecuteFunctions, itemIndex: number): Promise<StateStore> {
  const database = parseStateCredential(await execute.getCredentials('selfhostState', itemIndex));
  const ofExecution = shared.get(execute) ?? new Map<string, StateStore>();
  shared.set(execute, ofExecution);
  const key = JSON.stringify(database);
  // It does not hear Stop: a lock has to be given back after it. Every question to it has a deadline of its own.
  const task = { signal: new AbortController().signal, progress: () => undefined, owner: execute.getExecutionId() };
  const store = ofExecution.get(key) ?? postgresState(database, task);
  ofExecution.set(key, store);
  return store;
}
