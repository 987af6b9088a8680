/** A resource as it stands in an answer. */
export type Thing = Record<string, unknown>;

export interface StoredAction {
  readonly id: number;
  readonly command: string;
  readonly started: string;
  readonly resources: readonly { readonly id: number; readonly type: string }[];
  status: 'running' | 'success' | 'error';
  finished: string | null;
  progress: number;
  error: { readonly code: string; readonly message: string } | null;
  /** Questions about it until it ends. */
  left: number;
  readonly ending: Ending;
  readonly effect: () => void;
}

/** How an action ends: well, with an error, or nobody knows it any more. */
export type Ending =
  | { readonly kind: 'success' }
  | { readonly kind: 'error'; readonly code: string; readonly message: string }
  | { readonly kind: 'vanishes' }
  | { readonly kind: 'never' };

/** What the next action with this command is to do. */
export interface ActionPlan {
  readonly command: string;
  readonly ending: Ending;
  readonly questions?: number;
}

export interface State {
  /** Lists by the name they have in answers; those of a storage box or zone carry the id of it. */
  readonly things: Map<string, Thing[]>;
  readonly actions: StoredAction[];
  readonly plans: ActionPlan[];
  /** Resources that are locked for so many more writes: `server 7`. */
  readonly locks: Map<string, number>;
  nextId: number;
  /** Actions have ended when their request is answered. */
  readonly instant: boolean;
}

export function newState(instant = false): State {
  return { things: new Map(), actions: [], plans: [], locks: new Map(), nextId: 1000, instant };
}

export function newId(state: State): number {
  state.nextId += 1;
  return state.nextId;
}

export function listOf(state: State, name: string): Thing[] {
  const list = state.things.get(name) ?? [];
  state.things.set(name, list);
  return list;
}

export function thingById(state: State, list: string, id: unknown): Thing | undefined {
  return listOf(state, list).find((thing) => String(thing['id']) === String(id));
}

/** Times as Hetzner writes them, in whole seconds. */
export function now(): string {
  return `${new Date().toISOString().slice(0, 19)}Z`;
}

export function beginAction(
  state: State,
  command: string,
  resources: StoredAction['resources'],
  effect: () => void = () => undefined,
): StoredAction {
  const index = state.plans.findIndex((plan) => plan.command === command);
  const [plan] = index < 0 ? [] : state.plans.splice(index, 1);
  const action: StoredAction = {
    id: newId(state),
    command,
    started: now(),
    resources,
    status: 'running',
    finished: null,
    progress: 0,
    error: null,
    left: plan?.questions ?? 1,
    ending: plan?.ending ?? { kind: 'success' },
    effect,
  };
  state.actions.push(action);
  if (state.instant) ask(state, action);
  return action;
}

/** Time passes for an action when somebody asks about it. */
export function ask(state: State, action: StoredAction): void {
  if (action.status !== 'running' || action.ending.kind === 'never') return;
  action.left -= 1;
  action.progress = 50;
  if (action.left > 0) return;
  const { ending } = action;
  if (ending.kind === 'vanishes') {
    state.actions.splice(state.actions.indexOf(action), 1);
    return;
  }
  action.progress = 100;
  action.finished = now();
  if (ending.kind === 'error') {
    action.status = 'error';
    action.error = { code: ending.code, message: ending.message };
    return;
  }
  action.status = 'success';
  action.effect();
}

export function shownAction({ id, command, status, started, finished, progress, resources, error }: StoredAction) {
  return { id, command, status, started, finished, progress, resources, error };
}
