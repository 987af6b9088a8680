import type { DockerEvent } from '../engine/system';

export interface EventFilter {
  /** `container`, `image`, `network`, `volume`, `daemon`; empty is all. */
  readonly types: readonly string[];
  /** `die`, `oom`, `health_status`, or with what comes behind it: `health_status: unhealthy`. Empty is all but noise. */
  readonly actions: readonly string[];
  /** Names or the beginning of ids. */
  readonly containers: readonly string[];
  /** `label` or `label=value`; all must be there. */
  readonly labels: readonly string[];
}

/** Every health check makes three of these, and reading files one: only who names them wants them. */
const NOISE = [
  'exec_create',
  'exec_start',
  'exec_die',
  'exec_detach',
  'top',
  'archive-path',
  'resize',
  'attach',
  'detach',
];

/** `health_status: unhealthy` is an action and what it was about; so is `exec_create: sh -c …`. */
export function splitAction(action: string): { readonly name: string; readonly detail: string | null } {
  const at = action.indexOf(': ');
  return at === -1 ? { name: action, detail: null } : { name: action.slice(0, at), detail: action.slice(at + 2) };
}

export function isWanted({ types, actions, containers, labels }: EventFilter, event: DockerEvent): boolean {
  const { name } = splitAction(event.action);
  if (types.length > 0 && !types.includes(event.type)) return false;
  if (actions.length === 0 ? NOISE.includes(name) : !actions.some((one) => one === name || one === event.action))
    return false;
  if (containers.length > 0) {
    const own = event.type === 'container' ? [event.name, event.id] : [event.attributes.container ?? ''];
    if (!containers.some((one) => own.some((id) => id === one || (/^[0-9a-f]{12,}$/.test(one) && id.startsWith(one)))))
      return false;
  }
  return labels.every((label) => {
    const at = label.indexOf('=');
    return at === -1
      ? event.attributes[label] !== undefined
      : event.attributes[label.slice(0, at)] === label.slice(at + 1);
  });
}
