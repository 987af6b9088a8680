import { Failure, isFailure } from '../../failure';
import { describeHost, type Host } from '../../host/host';
import type { Inventory } from '../../inventory/inventory';
import type { JsonObject } from '../../json';
import type { Task } from '../../task';
import { takeCoverage } from '../coverage/coverage';
import { parseDescribed, withSecrets } from '../described/described';
import { expandSources, uniqueNames, type WantedSource } from '../expand';
import type { Source, Vault } from '../plan';
import { nightlyDraft } from './plans';

export interface NightlyPlan {
  /** As people keep it: with every database there is now, and without secrets. */
  readonly plan: JsonObject;
  readonly sources: readonly string[];
  /** What could not be listed. The rest is backed up all the same, and somebody has to hear of this. */
  readonly problems: readonly string[];
}

export interface Means {
  readonly vault: Vault;
  readonly resolve: (reference: string) => Promise<string>;
}

/** The nightly backup of a host as its inventory wants it, undefined where it wants none. */
export async function planNightly(
  host: Host,
  inventory: Inventory,
  means: Means,
  task: Task,
): Promise<NightlyPlan | undefined> {
  const draft = nightlyDraft(inventory, host.target.name);
  if (draft === undefined) return undefined;
  const problems: string[] = [];
  const orNote = async <Value>(nothing: Value, attempt: () => Promise<Value>): Promise<Value> => {
    try {
      return await attempt();
    } catch (error) {
      if (!isFailure(error) || task.signal.aborted) throw error;
      problems.push(error.message);
      return nothing;
    }
  };
  const sources: Source[] = [];
  for (const wanted of draft.wanted)
    sources.push(...(await orNote<readonly Source[]>([], () => expanded(host, wanted, means, task))));
  if (sources.length === 0) throw nothingListed(host, problems);
  const { searched, ignore } = inventory.backups;
  if (searched.length > 0) {
    const paths = await orNote<readonly string[]>([], async () => {
      const { plan } = parseDescribed(planOf(draft.frame, sources), means.vault, host.target.name);
      const request = {
        plan: await withSecrets(plan, means.resolve),
        ...{ folders: searched, buckets: [], trees: [], ignore },
      };
      const all = await takeCoverage(host, request, task);
      return all.flatMap(({ kind, what, state }) => (kind === 'sqlite' && state === 'in no backup' ? [what] : []));
    });
    const names = uniqueNames(
      'found',
      paths.map((path) => path.slice(1)),
    );
    sources.push(...paths.map((path, index) => ({ kind: 'sqlite' as const, name: names[index] ?? path, path })));
  }
  return { plan: planOf(draft.frame, sources), sources: sources.map(({ name }) => name), problems };
}

/** References come back into what was listed with the secrets that they stand for. */
async function expanded(host: Host, wanted: WantedSource, { resolve }: Means, task: Task): Promise<readonly Source[]> {
  if (wanted.kind !== 'every-postgres' && wanted.kind !== 'every-mysql')
    return await expandSources(host, [wanted], task);
  const { password: reference } = wanted;
  if (reference === undefined) return await expandSources(host, [wanted], task);
  const found = await expandSources(host, [{ ...wanted, password: await resolve(reference) }], task);
  return found.map((source) => ('password' in source ? { ...source, password: reference } : source));
}

function planOf(frame: JsonObject, sources: readonly Source[]): JsonObject {
  return { ...frame, sources: sources as unknown as readonly JsonObject[] };
}

function nothingListed(host: Host, problems: readonly string[]): Failure {
  return new Failure({
    code: 'backup_nothing_found',
    subject: `the nightly backup of ${describeHost(host)}`,
    message: `Nothing that is to be backed up could be listed: ${problems.join('; ')}`,
    nextStep: 'Mend what it names. Nothing was started.',
  });
}
