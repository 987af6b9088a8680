import type { Host } from '../../../host/host';
import { isFailure, messageOf } from '../../../failure';
import { jsonOf } from '../../../json';
import type { StateStore } from '../../../state/store';
import { pause, type Task } from '../../../task';
import type { Database } from '../../connection';
import { memberOf, type Cluster, type Member } from '../cluster';
import { awaitLoss, USUAL_WATCH, type Doubt, type Watch } from '../detect';
import { beat } from '../heartbeat';
import { refuseOwnDatabase } from '../own-database';
import { otherOf } from '../roles';
import { readTopology, type Topology } from '../topology';
import { confirmLoss, type Confirmed } from './confirm';
import { parseState, type Incident, type Kind, type WatchEvent, type WatchState } from './event';
import { signsOf, syncsetOf, type Limits, type Sign } from './signs';

export interface ClusterWatch {
  readonly cluster: Cluster;
  readonly databaseOf: (member: Member) => Database;
  /** Further hosts that are asked whether they see the primary, beside the standby's. */
  readonly witnesses: readonly Host[];
  readonly store: StateStore;
  readonly limits: Limits;
  /** How often every member is looked at whole. */
  readonly everyMs: number;
  /** 0: none is written. */
  readonly heartbeatMs: number;
  readonly logins?: Watch;
  /** How soon an event is told again whose execution failed; longer each time. Default 5 s. */
  readonly retryMs?: number;
  /** Of the workflow that watches: the cluster that holds it is refused. */
  readonly workflowId: string;
  /** Hands an event on, and says how what it started has ended. */
  readonly deliver: (event: WatchEvent) => Promise<'ended well' | 'failed'>;
  /** What cannot be done right now; undefined when it can again. */
  readonly onTrouble: (error: Error | undefined) => void;
}

/** A sign has to be there in so many rounds in a row; a doubtful one is looked at again soon. */
const ROUNDS = 2;
const AGAIN_MS = 2_000;
const RECOVERY_MS = 1_000;
const LOOK_EVERY_MS = 500;
const ATTEMPTS = 4;
const RETRY_MS = 5_000;
/** How long the state may take; news goes on without it. */
const SAVE_MS = 5_000;
const LAST_WORDS_MS = 2_000;

export function keyOf(cluster: Cluster): string {
  return `postgres/${cluster.name}`;
}

/**
 * Watches a cluster until it is told to stop. That the primary is lost is noticed by new logins several times a second,
 * and confirmed by others; everything else by looking at every member every few seconds.
 */
export async function watchCluster(watch: ClusterWatch, task: Task): Promise<void> {
  const { cluster } = watch;
  let state = await readState(watch, task);
  const first = await arm(watch, task);
  // Everything that fails ends the whole watch, and everything ends with it.
  const over = new AbortController();
  const inner: Task = { ...task, signal: AbortSignal.any([task.signal, over.signal]) };
  let saving: Promise<unknown> = Promise.resolve();
  const telling = new Set<Promise<void>>();
  const news = { primary: new AbortController() };

  // What was seen last is written down also when the watch has just been told to stop.
  const unstopped: Task = { ...task, signal: new AbortController().signal };
  let unsaved = false;
  let closed = false;
  const save = (next: WatchState) => {
    state = next;
    if (closed) return;
    const value = jsonOf(next);
    const write = () =>
      within(
        SAVE_MS,
        watch.store.update(keyOf(cluster), () => value),
        unstopped,
      );
    saving = saving.then(write).then(
      () => {
        unsaved = false;
      },
      (error: unknown) => {
        unsaved = true;
        watch.onTrouble(asError(error));
      },
    );
  };

  /** One look that fails must not end the watch: it is told, and the next one follows. */
  const lookAgain = async (error: unknown) => {
    if (inner.signal.aborted) throw error;
    watch.onTrouble(asError(error));
    await pause(RECOVERY_MS, inner.signal, `cluster ${cluster.name}`);
  };

  const tell = (event: WatchEvent) => {
    const done = deliverOften(watch, event, () => state, save, inner).catch((error: unknown) => {
      if (!inner.signal.aborted) watch.onTrouble(asError(error));
    });
    telling.add(done);
    void done.finally(() => telling.delete(done));
  };

  const open = (incident: Incident) => {
    if (state.incidents.some(({ key }) => key === incident.key)) return;
    const event = eventOf(cluster, state, incident, incident.kind);
    tell(event);
    save({ ...state, incidents: [...state.incidents, incident], untold: [...state.untold, event] });
  };

  const close = (key: string, text: string) => {
    const incident = state.incidents.find((one) => one.key === key);
    if (incident === undefined) return;
    const left = state.incidents.filter((one) => one !== incident);
    const event = eventOf(cluster, { ...state, incidents: left }, { ...incident, text, evidence: [] }, 'recovered');
    tell(event);
    // What is over is not told as if it had just begun.
    const untold = state.untold.filter(({ id }) => id !== idOf(cluster, incident, incident.kind));
    save({ ...state, incidents: left, untold: [...untold, event] });
  };

  const take = (topology: Topology) => {
    const next = learned(state, topology);
    const changed = next.primary !== state.primary;
    if (JSON.stringify(next) !== JSON.stringify(state)) save(next);
    if (changed) {
      news.primary.abort();
      news.primary = new AbortController();
    }
  };

  const lossOpen = () => state.incidents.some(({ kind }) => kind === 'primaryLost' || kind === 'primaryHung');

  const watchPrimary = async () => {
    for (;;) {
      if (lossOpen()) {
        await untilRecovered().catch(lookAgain);
        continue;
      }
      if (state.primary === null) {
        await pause(RECOVERY_MS, inner.signal, `cluster ${cluster.name}`);
        continue;
      }
      const primary = memberOf(cluster, state.primary);
      const changed = news.primary.signal;
      const attempt: Task = { ...inner, signal: AbortSignal.any([inner.signal, changed]) };
      try {
        const seats = { primary, standby: otherOf(cluster, primary), witnesses: watch.witnesses };
        // The others are asked as soon as there is a doubt, and again until it is gone. The look that ends next after the
        // loss decides; what the primary's own host has said of its server needs no repetition.
        const doubts = looksWhileInDoubt(() => confirmLoss(cluster, seats, attempt), attempt);
        const loss = await awaitLoss(watch.databaseOf(primary), watch.logins ?? USUAL_WATCH, attempt, doubts);
        const confirmed = await doubts.decide();
        if ('evidence' in confirmed) {
          const kind: Kind = confirmed.kind === 'lost' ? 'primaryLost' : 'primaryHung';
          const text =
            confirmed.kind === 'lost'
              ? `${primary.name} is lost: nobody gets an answer from it`
              : `${primary.name} hangs: it runs and lets nobody log in`;
          const evidence = [...confirmed.evidence, ...loss.evidence.map((why) => `login from here: ${why}`)];
          open({ ...sign(kind, primary.name, text), since: loss.firstFailureAt.toISOString(), evidence });
        } else {
          watch.onTrouble(new Error(`${primary.name} cannot be logged in to from here, but ${confirmed.why}`));
          await pause(RECOVERY_MS, attempt.signal, primary.name);
        }
      } catch (error) {
        if (!changed.aborted) await lookAgain(error);
      }
    }
  };

  /** After a loss: until exactly one member takes writes again and no other is meant to. */
  const untilRecovered = async () => {
    const topology = await readTopology(cluster, { answerMs: 1_500, hostMs: 3_000 }, inner);
    const torn = topology.reasons.some(({ verdict }) => verdict === 'split brain');
    const { primary } = topology;
    if (primary === null || torn) {
      await pause(RECOVERY_MS, inner.signal, `cluster ${cluster.name}`);
      return;
    }
    take(topology);
    for (const { key, kind } of state.incidents) {
      if (kind === 'primaryLost' || kind === 'primaryHung') close(key, `${primary} takes writes`);
    }
  };

  const watchSigns = async () => {
    let topology = first;
    let rounds = new Map<string, number>();
    for (;;) {
      if (topology.primary !== null && !lossOpen()) take(topology);
      const signs = signsOf(cluster, topology, watch.limits);
      const seen = lossOpen() ? signs.filter(({ kind }) => kind === 'splitBrainSuspected') : signs;
      rounds = counted(rounds, seen, state.incidents);
      for (const one of seen) {
        if ((rounds.get(one.key) ?? 0) >= ROUNDS)
          open({ ...one, since: new Date().toISOString(), evidence: [one.text] });
      }
      // Who cannot see a primary cannot say that anything is well again.
      const mayClose = topology.primary !== null && !lossOpen();
      for (const { key, kind } of state.incidents) {
        if (kind === 'primaryLost' || kind === 'primaryHung' || !mayClose) continue;
        if ((rounds.get(key) ?? 0) <= -ROUNDS) close(key, 'it is as it should be again');
      }
      const doubtful = [...rounds.values()].some((count) => Math.abs(count) < ROUNDS);
      await pause(
        doubtful ? Math.min(AGAIN_MS, watch.everyMs) : watch.everyMs,
        inner.signal,
        `cluster ${cluster.name}`,
      );
      topology = await lookUntilSeen();
      // What only we could not do a moment ago is over.
      if (topology.primary !== null && !unsaved) watch.onTrouble(undefined);
    }
  };

  const lookUntilSeen = async (): Promise<Topology> => {
    for (;;) {
      try {
        return await readTopology(cluster, {}, inner);
      } catch (error) {
        await lookAgain(error);
      }
    }
  };

  const beatAlways = async () => {
    for (;;) {
      await pause(watch.heartbeatMs, inner.signal, `the heartbeat of cluster ${cluster.name}`);
      if (state.primary === null || lossOpen()) continue;
      const { epoch } = state;
      await beat(cluster, memberOf(cluster, state.primary), { writer: 'n8n', epoch }, inner).catch((error: unknown) => {
        if (inner.signal.aborted) throw error;
      });
    }
  };

  if (first.primary !== null && !lossOpen()) take(first);
  // What n8n died in goes on: a failover can be run again at any time.
  for (const event of state.untold) tell({ ...event, attempt: event.attempt + 1 });
  const parts = [watchPrimary(), watchSigns(), ...(watch.heartbeatMs > 0 ? [beatAlways()] : [])];
  try {
    await Promise.all(parts);
  } catch (error) {
    if (!task.signal.aborted) throw error;
  } finally {
    over.abort();
    await Promise.allSettled(parts);
    // An execution may go on for long after the workflow was switched off; what it says then is not waited for.
    await within(LAST_WORDS_MS, Promise.allSettled([...telling]), unstopped).catch(() => undefined);
    closed = true;
    await saving;
  }
}

/** One look after another while there is a doubt. */
function looksWhileInDoubt(
  look: () => Promise<Confirmed>,
  task: Task,
): Doubt & { readonly decide: () => Promise<Confirmed> } {
  let row = 0;
  let proven: Confirmed | undefined;
  let running: Promise<Confirmed> | undefined;
  const goOn = async (mine: number) => {
    while (row === mine && proven === undefined) {
      const next = pause(LOOK_EVERY_MS, task.signal, 'the primary');
      next.catch(() => undefined);
      running = look();
      const seen = await running;
      if (row !== mine) return;
      running = undefined;
      if ('byItsHost' in seen && seen.byItsHost) proven = seen;
      await next;
    }
  };
  const stop = () => {
    row += 1;
  };
  return {
    begins: () => {
      row += 1;
      proven = undefined;
      running = undefined;
      goOn(row).catch(() => undefined);
    },
    ends: stop,
    decide: async () => {
      stop();
      return proven ?? running ?? look();
    },
  };
}

/** Looks who is who, and refuses a cluster that this n8n itself lives on. */
async function arm({ cluster, workflowId }: ClusterWatch, task: Task): Promise<Topology> {
  for (const member of cluster.members) otherOf(cluster, member);
  const topology = await readTopology(cluster, {}, task);
  const answering = topology.members.find(({ server }) => server.kind === 'answers');
  if (answering !== undefined) await refuseOwnDatabase(cluster, memberOf(cluster, answering.name), workflowId, task);
  return topology;
}

async function readState({ cluster, store, onTrouble }: ClusterWatch, task: Task): Promise<WatchState> {
  try {
    const entry = await within(SAVE_MS, store.read(keyOf(cluster)), task);
    return parseState(entry?.value);
  } catch (error) {
    if (task.signal.aborted || isFailure(error, 'state_newer_schema')) throw error;
    onTrouble(asError(error));
    return parseState(undefined);
  }
}

/** A member that cannot be reached any more leaves what it is known for as it was. */
function learned(state: WatchState, topology: Topology): WatchState {
  const primary = topology.members.find(({ name }) => name === topology.primary);
  const records = topology.members.flatMap(({ record }) => (record === null ? [] : [record]));
  return {
    ...state,
    epoch: Math.max(state.epoch, ...records.map(({ epoch }) => epoch)),
    primary: topology.primary ?? state.primary,
    ...(primary?.server.kind === 'answers' && { syncset: syncsetOf(primary.server) }),
    promotable: records.some((record) => record.promotable && record.primary === topology.primary),
  };
}

/** Positive: seen so many times in a row. Negative: not seen so many times in a row. */
function counted(
  before: ReadonlyMap<string, number>,
  seen: readonly Sign[],
  open: readonly Incident[],
): Map<string, number> {
  const next = new Map<string, number>();
  for (const { key } of seen) next.set(key, Math.min(ROUNDS, Math.max(0, before.get(key) ?? 0) + 1));
  for (const { key } of open) {
    if (!next.has(key)) next.set(key, Math.max(-ROUNDS, Math.min(0, before.get(key) ?? 0) - 1));
  }
  return next;
}

function sign(kind: Kind, member: string, text: string): Sign {
  return { key: `${kind}/${member}`, kind, member, text };
}

function idOf(cluster: Cluster, { key, since }: Incident, event: WatchEvent['event']): string {
  return [cluster.name, key, since, ...(event === 'recovered' ? ['recovered'] : [])].join('/');
}

function eventOf(cluster: Cluster, state: WatchState, incident: Incident, event: WatchEvent['event']): WatchEvent {
  const { kind, member, since, text, evidence } = incident;
  const { epoch, primary, promotable } = state;
  return {
    id: idOf(cluster, incident, event),
    ...{ event, of: event === 'recovered' ? kind : null, cluster: cluster.name, member, primary },
    address: cluster.members.find(({ name }) => name === primary)?.address ?? null,
    ...{ epoch, promotable, since, at: new Date().toISOString(), text, evidence, attempt: 1 },
  };
}

/** Until it ended well, is over, or has failed too often to be tried again by itself. */
async function deliverOften(
  watch: ClusterWatch,
  event: WatchEvent,
  state: () => WatchState,
  save: (next: WatchState) => void,
  task: Task,
): Promise<void> {
  for (let attempt = event.attempt; ; attempt++) {
    const ended = await watch.deliver({ ...event, attempt });
    const stands = state().untold.some(({ id }) => id === event.id);
    if (ended === 'ended well' || attempt >= ATTEMPTS + event.attempt - 1 || !stands) break;
    await pause((watch.retryMs ?? RETRY_MS) * attempt, task.signal, `the event ${event.id}`);
    if (!state().untold.some(({ id }) => id === event.id)) return;
  }
  save({ ...state(), untold: state().untold.filter(({ id }) => id !== event.id) });
}

async function within<T>(milliseconds: number, work: Promise<T>, task: Task): Promise<T> {
  work.catch(() => undefined);
  const over = new AbortController();
  try {
    const late = pause(milliseconds, AbortSignal.any([task.signal, over.signal]), 'the state').then(() => {
      throw new Error(`The state did not answer within ${milliseconds / 1000} s`);
    });
    late.catch(() => undefined);
    return await Promise.race([work, late]);
  } finally {
    over.abort();
  }
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(messageOf(error));
}
