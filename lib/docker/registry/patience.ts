import { Failure } from '../../failure';
import type { Task } from '../../task';
import { describeDocker, type DockerPlace } from '../engine/access';

/** How long one registry is waited for in vain, by one host and for one execution, however many images are asked for. */
const PATIENCE_MS = 20_000;
/** After this it is asked again, also for the same execution: somebody may have thought about a question for hours. */
const FORGET_MS = 600_000;

interface Waited {
  readonly milliseconds: number;
  readonly until: number;
}

/** What an execution has waited for in vain is kept for all of its stacks. */
const waited = new Map<string, Waited>();

export interface Asked {
  readonly place: DockerPlace;
  readonly registry: string;
  readonly patienceMs?: number;
}

/**
 * Asks a registry, and waits no longer than is left of the patience with it. An answer costs nothing of that, however
 * long it took; what ended badly costs its time. So a registry that refuses at once is asked about each image, and one
 * that is silent is waited for once.
 */
export async function withPatience<Answer>(
  { place, registry, patienceMs = PATIENCE_MS }: Asked,
  task: Task,
  ask: (task: Task) => Promise<Answer>,
): Promise<Answer> {
  const key = JSON.stringify([task.owner, describeDocker(place), registry]);
  const now = Date.now();
  for (const [old, { until }] of waited) if (until <= now) waited.delete(old);
  const before = waited.get(key)?.milliseconds ?? 0;
  if (before >= patienceMs) throw silent(place, registry, patienceMs);
  const late = AbortSignal.timeout(Math.ceil(patienceMs - before));
  const began = performance.now();
  try {
    return await ask({ ...task, signal: AbortSignal.any([task.signal, late]) });
  } catch (error) {
    if (task.signal.aborted) throw error;
    const milliseconds = late.aborted ? patienceMs : before + performance.now() - began;
    waited.set(key, { milliseconds, until: Date.now() + FORGET_MS });
    throw late.aborted ? silent(place, registry, patienceMs) : error;
  }
}

/** The same words each time, so that they can be said once. */
function silent(place: DockerPlace, registry: string, patienceMs: number): Failure {
  const name = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  return new Failure({
    code: 'registry_silent',
    subject: `${registry}, ${describeDocker(place)}`,
    message: `The registry ${registry} did not answer ${describeDocker(place)} within ${patienceMs / 1000} s`,
    nextStep: `Look on that host whether it reaches ${name}: its DNS, its proxy, its firewall (curl -v https://${name}/v2/).`,
  });
}
