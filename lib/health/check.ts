import type { Host } from '../host/host';
import { messageOf } from '../failure';
import type { Task } from '../task';
import type { Secrets } from './kind';
import type { Target } from './target';
import { fromHost, here, type Vantage } from './vantage';
import type { Check } from './watch';

/** What targets need beside themselves: the hosts they are looked at from, and the secrets they name. */
export interface Surroundings {
  readonly hostOf: (name: string) => Host;
  readonly secretOf: (reference: string, task: Task) => Promise<string>;
}

/** Targets ready to be watched. Hosts and secrets that do not exist are an error now, not a silence later. */
export async function checksOf(
  targets: readonly Target[],
  { hostOf, secretOf }: Surroundings,
  task: Task,
): Promise<readonly Check[]> {
  const vantages = new Map<string, Vantage>();
  const vantageOf = (name: string) => {
    const known = vantages.get(name) ?? (name === here.name ? here : fromHost(hostOf(name)));
    vantages.set(name, known);
    return known;
  };
  const values = new Map<string, Promise<string>>();
  const valueOf = (reference: string) => {
    const known = values.get(reference) ?? secretOf(reference, task);
    values.set(reference, known);
    return known;
  };
  return Promise.all(
    targets.map(async (target): Promise<Check> => {
      const names = Object.entries(target.secrets);
      const secrets: Secrets = Object.fromEntries(
        await Promise.all(names.map(async ([name, reference]) => [name, await valueOf(reference)] as const)),
      );
      const known = Object.values(secrets).filter((value) => value.length >= SHORTEST);
      return {
        id: target.name,
        intervalMs: target.intervalMs,
        deadlineMs: target.deadlineMs,
        rules: target.rules,
        maintenance: target.maintenance,
        looks: target.from.map((name) => {
          const vantage = vantageOf(name);
          return {
            vantage: name,
            look: async (looking) => {
              try {
                return masked(await target.look(vantage, secrets, looking), known);
              } catch (error) {
                return masked({ outcome: 'unknown', says: messageOf(error) } as const, known);
              }
            },
          };
        }),
      };
    }),
  );
}

const SHORTEST = 4;

/** A server may repeat in its answer what it was sent. */
function masked<Finding extends { readonly says: string }>(finding: Finding, secrets: readonly string[]): Finding {
  const says = secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), finding.says);
  return says === finding.says ? finding : { ...finding, says };
}
