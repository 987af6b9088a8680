import type { ForgejoEvent } from './event';
import type { EventType } from './event-types';
import { matchesAny } from './glob';

/** Globs; an empty list filters nothing. */
export interface EventFilter {
  /** A hook may send more types than were chosen. Empty: all. */
  readonly events: readonly EventType[];
  readonly branches: readonly string[];
  readonly tags: readonly string[];
  readonly paths: readonly string[];
  readonly actors: readonly string[];
  readonly actions: readonly string[];
  readonly repositories: readonly string[];
}

export const NO_FILTER: EventFilter = {
  events: [],
  branches: [],
  tags: [],
  paths: [],
  actors: [],
  actions: [],
  repositories: [],
};

/** Why the event is not wanted, or undefined when it is. */
export function unwantedBecause(event: ForgejoEvent, filter: EventFilter): string | undefined {
  const { branches, tags, paths, actors, actions, repositories, events } = filter;
  if (events.length > 0 && !events.includes(event.event)) return 'event';
  if (!fits(repositories, event.repo)) return 'repository';
  if (!fits(actors, event.pusher)) return 'actor';
  if (event.action !== null && !fits(actions, event.action)) return 'action';
  if (isReferenceUnwanted(event, branches, tags)) return event.isTag ? 'tag' : 'branch';
  if (arePathsUnwanted(event, paths)) return 'paths';
  return undefined;
}

/** What is not known cannot fit. */
function fits(patterns: readonly string[], value: string | null): boolean {
  return patterns.length === 0 || (value !== null && matchesAny(patterns, value));
}

/** Who names only branches does not want tags, and the other way round. Events about neither are not filtered. */
function isReferenceUnwanted(event: ForgejoEvent, branches: readonly string[], tags: readonly string[]): boolean {
  if (branches.length === 0 && tags.length === 0) return false;
  if (event.branch !== null) return branches.length === 0 || !matchesAny(branches, event.branch);
  if (event.tag !== null) return tags.length === 0 || !matchesAny(tags, event.tag);
  return false;
}

/**
 * Paths filter pushes that change something. When the payload does not list every commit a wanted path may be in the
 * rest, so the push passes: a deploy too many is better than one that never comes.
 */
function arePathsUnwanted(event: ForgejoEvent, paths: readonly string[]): boolean {
  if (paths.length === 0 || event.kind !== 'push' || event.isDeletion || event.isTag) return false;
  return event.changedPathsComplete && !event.changedPaths.some((changed) => matchesAny(paths, changed));
}
