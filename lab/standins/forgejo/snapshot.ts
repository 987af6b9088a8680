import { cpSync, rmSync } from 'node:fs';

import type { Thing } from './described';
import type { Run } from './runs';
import type { State } from './state';

/** Keeps all of a server, its repositories on disk included; the function that comes back restores it, any number of times. */
export function keep(state: State, things: Thing[], runs: Run[]): () => void {
  const folder = `${state.root}.kept`;
  rmSync(folder, { recursive: true, force: true });
  cpSync(state.root, folder, { recursive: true });
  const kept = structuredClone({
    lists: [state.packages, state.systemHooks, state.deliveries, things, runs] as unknown[][],
    maps: [state.repositories, state.organizationHooks, state.users] as Map<string, unknown>[],
  });
  const lists: unknown[][] = [state.packages, state.systemHooks, state.deliveries, things, runs];
  const maps: Map<string, unknown>[] = [state.repositories, state.organizationHooks, state.users] as Map<
    string,
    unknown
  >[];
  return () => {
    const { lists: oldLists, maps: oldMaps } = structuredClone(kept);
    for (const [index, list] of lists.entries()) list.splice(0, list.length, ...(oldLists[index] ?? []));
    for (const [index, map] of maps.entries()) {
      map.clear();
      for (const [key, value] of oldMaps[index] ?? []) map.set(key, value);
    }
    rmSync(state.root, { recursive: true, force: true });
    cpSync(folder, state.root, { recursive: true });
  };
}
