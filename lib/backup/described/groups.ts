import type { Host } from '../../host/host';
import type { Task } from '../../task';
import { expandSources, type EveryMysql, type EveryPostgres, type EverySqlite } from '../expand';
import { sourceOf, type Listing } from '../inventory/listing';
import type { BackupPlan, Source } from '../plan';
import { resolvedSource, withSecrets, type Described } from './described';

/** A source of a plan that stands for many: all databases of a server, all SQLite files below a folder. */
export type Group = EveryPostgres | EveryMysql | EverySqlite;

/**
 * The plan with everything that its groups stand for right now, and with its secrets: what a dump is made of. That a
 * group cannot be listed, or is empty, is a failure and never a smaller backup.
 */
export async function livePlan(
  host: Host,
  { plan, groups }: Described,
  resolve: (reference: string) => Promise<string>,
  task: Task,
): Promise<BackupPlan> {
  const ready = await withSecrets(plan, resolve);
  if (groups.length === 0) return ready;
  const wanted = await Promise.all(groups.map((group) => resolvedSource(group, resolve)));
  return { ...ready, sources: await expandSources(host, [...ready.sources, ...wanted], task) };
}

/**
 * The same plan with what its groups have stored so far, by the manifests: for whoever reads backups, also when the server
 * they were made of is gone. Passwords are still references.
 */
export function storedPlan({ plan, groups }: Described, listings: readonly Listing[]): BackupPlan {
  const found = new Map<string, Source>();
  for (const listing of listings) {
    for (const { state } of listing.kind === 'read' && groups.length > 0 ? listing.backups : []) {
      if (state.kind !== 'complete') continue;
      const name = sourceOf(state.manifest);
      const group = groups.find((each) => name.startsWith(`${each.name}/`));
      const source = group === undefined ? undefined : memberOf(group, name, state.manifest.facts);
      if (source !== undefined) found.set(name, source);
    }
  }
  const known = new Set(plan.sources.map(({ name }) => name));
  const members = [...found.values()].filter(({ name }) => !known.has(name));
  return { ...plan, sources: [...plan.sources, ...members.sort((one, other) => (one.name < other.name ? -1 : 1))] };
}

function memberOf(group: Group, name: string, facts: Readonly<Record<string, unknown>>): Source | undefined {
  const rest = name.slice(group.name.length + 1);
  const database = typeof facts['database'] === 'string' ? facts['database'] : rest;
  switch (group.kind) {
    case 'every-postgres': {
      const { kind: _, except: _except, ...access } = group;
      if (facts['kind'] === 'postgres') return { ...access, kind: 'postgres', name, database };
      return facts['kind'] === 'postgres-globals' ? { ...access, kind: 'postgres-globals', name } : undefined;
    }
    case 'every-mysql': {
      const { kind: _, except: _except, ...access } = group;
      if (facts['kind'] === 'mysql') return { ...access, kind: 'mysql', name, database };
      return facts['kind'] === 'mysql-accounts' ? { ...access, kind: 'mysql-accounts', name } : undefined;
    }
    case 'every-sqlite':
      return facts['kind'] === 'sqlite'
        ? { kind: 'sqlite', name, path: `${group.path.replace(/\/+$/, '')}/${rest}` }
        : undefined;
  }
}
