import type { IExecuteFunctions } from 'n8n-workflow';
import type { JsonObject } from '../../lib/json';
import { burnCall, type CallToApprove, fingerprint, requestApproval } from '../../lib/plan/calls';
import type { ApprovalCall, ApprovalDesk } from '../declaration';
import { controlsOf } from './controls';

/** Approvals of an AI agent's calls, kept in the state. Without its two credentials a node refuses every such call. */
export const approvalDesk: ApprovalDesk = {
  request: async (execute, call) => {
    const opened = await open(execute, call);
    if (opened === undefined) return undefined;
    const { store, planKey } = opened;
    return requestApproval(store, await described(call, planKey), planKey, { by: call.task.owner, now: Date.now() });
  },
  burn: async (execute, token, call) => {
    const opened = await open(execute, call);
    if (opened === undefined) return undefined;
    const { store, planKey } = opened;
    const use = { by: `execution ${call.task.owner}`, now: Date.now() };
    const { hashes } = await burnCall(store, token, await described(call, planKey), planKey, use);
    return { hash: hashes[0] ?? '' };
  },
};

async function open(execute: IExecuteFunctions, { itemIndex }: ApprovalCall) {
  const { store, planKey } = await controlsOf(execute, itemIndex);
  return store === undefined || planKey === undefined ? undefined : { store, planKey };
}

async function described(call: ApprovalCall, planKey: string): Promise<CallToApprove> {
  const { node, operation, action, input, secrets } = call;
  const shown = Object.fromEntries(
    Object.entries(input)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, secrets.includes(name) ? fingerprint(JSON.stringify(value), planKey) : value]),
  );
  // What n8n hands over is JSON; what fields have made of it is as well, but for what is undefined in it.
  const plain = JSON.parse(JSON.stringify(shown)) as JsonObject;
  const preview = JSON.parse(JSON.stringify(await call.preview())) as CallToApprove['preview'];
  return { node, operation, action, input: plain, preview };
}
