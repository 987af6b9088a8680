import { Failure, messageOf } from '../failure';
import type { Task } from '../task';
import { calledWorkflow, type Flow } from './flow';
import type { N8nFlows } from './n8n';
import { type FlowPlan, planUpgrade, type UpgradePlan } from './plan';
import type { Released } from './released';

export interface Release {
  readonly flows: readonly Flow[];
  readonly releases: readonly Released[];
}

/** What became of one flow. */
export type Outcome =
  | { readonly name: string; readonly is: 'written' | 'published' }
  /** The new version is there, and the former one goes on. */
  | { readonly name: string; readonly is: 'not published'; readonly why: string };

export async function lookAtUpgrade(n8n: N8nFlows, { flows, releases }: Release, task: Task): Promise<UpgradePlan> {
  return planUpgrade(await n8n.all(task), flows, releases);
}

/** Does exactly what was shown, or nothing: the hash is that of a plan made from what stands in n8n. */
export async function upgradeFlows(
  n8n: N8nFlows,
  release: Release,
  hash: string,
  keep: (plan: UpgradePlan) => Promise<void>,
  task: Task,
): Promise<readonly Outcome[]> {
  const plan = await lookAtUpgrade(n8n, release, task);
  if (plan.hash !== hash) throw drifted(hash);
  const changing = calledFirst(plan.flows.filter(({ decisions }) => decisions.some(({ what }) => what !== 'yours')));
  await keep(plan);
  const outcomes: Outcome[] = [];
  for (const flow of changing) {
    task.progress({ message: flow.name, fraction: outcomes.length / changing.length });
    outcomes.push(await upgradeFlow(n8n, flow, task));
  }
  return outcomes;
}

async function upgradeFlow(
  n8n: N8nFlows,
  { id, name, versionId, published, content }: FlowPlan,
  task: Task,
): Promise<Outcome> {
  // Somebody may be at work in the editor at this moment. n8n's API has no precondition, so look just before.
  if ((await n8n.one(id, task)).versionId !== versionId) throw editedMeanwhile(name);
  const written = await n8n.save(id, content, task);
  if (published !== 'yes') return { name, is: 'written' };
  try {
    await n8n.publish(id, written, task);
    return { name, is: 'published' };
  } catch (error) {
    if (task.signal.aborted) throw error;
    return { name, is: 'not published', why: messageOf(error) };
  }
}

/** n8n refuses to publish a flow before those that it calls. */
function calledFirst(plans: readonly FlowPlan[]): readonly FlowPlan[] {
  const ordered = new Set<FlowPlan>();
  const add = (plan: FlowPlan, callers: readonly FlowPlan[]) => {
    if (callers.includes(plan)) return;
    const called = plan.content.nodes.map((node) => calledWorkflow(node as unknown as Flow['nodes'][number]));
    for (const other of plans) if (called.includes(other.id)) add(other, [...callers, plan]);
    ordered.add(plan);
  };
  for (const plan of plans) add(plan, []);
  return [...ordered];
}

function drifted(hash: string): Failure {
  return new Failure({
    code: 'plan_drifted',
    subject: `the upgrade ${hash}`,
    message: 'What stands in n8n, or what would be written, is no longer what was shown under this hash',
    nextStep: 'Look at the difference again, and apply its hash.',
  });
}

function editedMeanwhile(name: string): Failure {
  return new Failure({
    code: 'edited_meanwhile',
    subject: name,
    message: `${name} was saved by somebody while the upgrade was under way; it was left alone, as were those behind it`,
    nextStep: 'Look at the difference again, and apply its hash: what is done already is not done twice.',
  });
}
