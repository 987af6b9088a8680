import { createHash } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { Duplex } from 'node:stream';
import type { Client, ClientChannel } from '../../vendor/ssh2';
import { Failure, isFailure, messageOf } from '../failure';
import { cancelled, pause, type Task } from '../task';
import { connect, connectionLost, unreachable, type Connection } from './connection';
import { fairGate, type FairGate } from './fair-gate';
import { describeHost, type Host } from './host';
import { findPinned } from './select';

/** OpenSSH allows 10 sessions a connection; one lane is kept for stopping what runs in the others. */
const CHANNELS = 8;
const IDLE_MS = 60_000;
const CONNECT_ATTEMPTS = 2;
const JUMP_TIMEOUT_MS = 10_000;
/** A host that is gone never answers a farewell. */
const FAREWELL_MS = 2_000;

/** Everyday work waits its turn in the normal lane; the control lane is for ending it. */
export type Lane = 'normal' | 'control';

interface Session {
  readonly host: Host;
  readonly client: Client;
  readonly gates: Readonly<Record<Lane, FairGate>>;
  /** Aborted when the connection is gone; its reason is the Failure to report. */
  readonly lost: AbortSignal;
  /** Takes it out of use at once and closes the connection. */
  readonly retire: () => void;
  uses: number;
  idle?: NodeJS.Timeout;
}

/** A channel with what ends with it. `release` may be called more than once. */
export interface Opened<T> {
  readonly channel: T;
  readonly lost: AbortSignal;
  readonly release: () => void;
}

// Shared by every node and execution of this process, so that a host sees one connection however many workflows use it.
const sessions = new Map<string, Promise<Session>>();

export function openExec(
  host: Host,
  command: string,
  task: Task,
  lane: Lane = 'normal',
): Promise<Opened<ClientChannel>> {
  return open(host, task, lane, {
    start: (client, done) => client.exec(command, done),
    discard: (channel) => channel.close(),
  });
}

export type SocketAddress = { readonly path: string } | { readonly host: string; readonly port: number };

/** Forwarded sockets do not count as sessions in sshd, so they pass no gate. */
export function openForward(host: Host, address: SocketAddress, task: Task): Promise<Opened<Duplex>> {
  return open<Duplex>(host, task, undefined, {
    start: (client, done) =>
      'path' in address
        ? client.openssh_forwardOutStreamLocal(address.path, done)
        : client.forwardOut('127.0.0.1', 0, address.host, address.port, done),
    discard: (socket) => {
      socket.destroy();
    },
  });
}

interface ChannelKind<T> {
  readonly start: (client: Client, done: (error: Error | undefined, channel: T) => void) => unknown;
  /** Ends a channel that came when nobody waited for it any more. */
  readonly discard: (channel: T) => void;
}

async function open<T>(host: Host, task: Task, lane: Lane | undefined, kind: ChannelKind<T>): Promise<Opened<T>> {
  for (let reconnects = 0; ;) {
    const session = await use(host, task.signal);
    const gate = lane === undefined ? undefined : session.gates[lane];
    const leave =
      (await gate?.enter(task.owner, task.signal).catch((error: unknown) => {
        release(session);
        throw error;
      })) ?? (() => undefined);
    try {
      const channel = await openOn(session, task.signal, kind);
      let released = false;
      const end = () => {
        if (released) return;
        released = true;
        leave();
        release(session);
      };
      return { channel, lost: session.lost, release: end };
    } catch (error) {
      leave();
      release(session);
      // Nothing was sent on a channel that never opened, so a new connection may be tried once.
      if (isFailure(error, 'connection_lost') && reconnects < 1 && !task.signal.aborted) {
        reconnects += 1;
        continue;
      }
      // A server with a lower limit than ours: keep to what it allows and wait for a free channel.
      if (gate !== undefined && gate.inside > 0 && isFailure(error, 'channel_refused')) {
        gate.shrinkTo(gate.inside);
        continue;
      }
      throw error;
    }
  }
}

function openOn<T>(session: Session, signal: AbortSignal, kind: ChannelKind<T>): Promise<T> {
  const { client, host, lost } = session;
  return new Promise<T>((resolve, reject) => {
    let settled = false;
    const settle = (act: () => void) => {
      settled = true;
      lost.removeEventListener('abort', onLost);
      signal.removeEventListener('abort', onStop);
      act();
    };
    const onLost = () => {
      settle(() => {
        reject(lost.reason as Error);
      });
    };
    const onStop = () => {
      settle(() => {
        reject(cancelled(describeHost(host)));
      });
    };
    if (lost.aborted) {
      onLost();
      return;
    }
    lost.addEventListener('abort', onLost, { once: true });
    signal.addEventListener('abort', onStop, { once: true });
    try {
      kind.start(client, (error, channel) => {
        if (settled) {
          if (error === undefined) kind.discard(channel);
          return;
        }
        settle(() => {
          if (error === undefined) resolve(channel);
          else reject(channelRefused(host, error));
        });
      });
    } catch (error) {
      // ssh2 throws when its socket is already gone. Whoever comes next must not get this session, too.
      settle(() => {
        reject(connectionLost(host, error));
      });
      session.retire();
    }
  });
}

function channelRefused(host: Host, error: Error): Failure {
  return new Failure({
    code: 'channel_refused',
    subject: describeHost(host),
    message: `${describeHost(host)} refused to open a channel: ${messageOf(error)}`,
    nextStep:
      'Check MaxSessions, AllowTcpForwarding, AllowStreamLocalForwarding and the SFTP subsystem in its sshd_config.',
    cause: error,
  });
}

/** Gets the shared session, connecting where there is none, and counts one more user of it. */
async function use(host: Host, signal: AbortSignal): Promise<Session> {
  if (signal.aborted) throw cancelled(describeHost(host));
  const key = keyOf(host);
  const session = await untilStopped(sessions.get(key) ?? begin(host, key), signal, host);
  // It may have been retired between its promise and this line; it is forgotten by then.
  if (session.lost.aborted) return use(host, signal);
  session.uses += 1;
  clearTimeout(session.idle);
  return session;
}

function release(session: Session): void {
  session.uses -= 1;
  if (session.uses === 0 && !session.lost.aborted) closeWhenIdle(session);
}

function closeWhenIdle(session: Session): void {
  clearTimeout(session.idle);
  session.idle = setTimeout(session.retire, IDLE_MS);
  session.idle.unref();
}

function begin(host: Host, key: string): Promise<Session> {
  const forget = () => {
    if (sessions.get(key) === attempt) sessions.delete(key);
  };
  const attempt: Promise<Session> = establish(host, forget);
  sessions.set(key, attempt);
  attempt.catch(forget);
  return attempt;
}

async function establish(host: Host, forget: () => void): Promise<Session> {
  // Shared by all who wait for it, so no single Stop may end it; connecting has deadlines of its own.
  const patience = new AbortController().signal;
  for (let attempt = 1; ; attempt += 1) {
    let through: Opened<Duplex> | undefined;
    try {
      through = await openThroughJump(host);
      const connection = await connect(host, patience, through?.channel);
      // It may have closed before anybody could listen for that.
      if (connection.transport.destroyed) throw connectionLost(host, undefined);
      return keep(host, connection, through, forget);
    } catch (error) {
      through?.channel.destroy();
      through?.release();
      // Until somebody uses it nothing was done, so a second attempt is safe; a refusal stays a refusal.
      const passing =
        isFailure(error, 'connection_lost') || (isFailure(error, 'host_unreachable') && error.details.passing === true);
      if (!passing || attempt >= CONNECT_ATTEMPTS) throw error;
      await pause(250, patience, describeHost(host));
    }
  }
}

async function openThroughJump(host: Host): Promise<Opened<Duplex> | undefined> {
  const jump = jumpOf(host);
  if (jump === undefined) return undefined;
  const { address, port } = host.target;
  const task = { signal: AbortSignal.timeout(JUMP_TIMEOUT_MS), progress: () => undefined, owner: 'jump' };
  try {
    return await openForward(jump, { host: address, port }, task);
  } catch (error) {
    const why = isFailure(error, 'cancelled')
      ? `no answer within ${JUMP_TIMEOUT_MS / 1000} s`
      : isFailure(error, 'channel_refused')
        ? messageOf(error.cause)
        : undefined;
    if (why === undefined) throw error;
    throw unreachable(
      host,
      `${describeHost(jump)}, through which it is reached, says: ${why}`,
      `Check that ${host.target.name} is up, that ${jump.target.name} can reach it, and that ${jump.target.name} allows TCP forwarding.`,
    );
  }
}

function keep(
  host: Host,
  { client, transport }: Connection,
  through: Opened<Duplex> | undefined,
  forget: () => void,
): Session {
  const gone = new AbortController();
  setMaxListeners(0, gone.signal);
  const end = (reason?: Error) => {
    if (gone.signal.aborted) return;
    clearTimeout(session.idle);
    forget();
    gone.abort(connectionLost(host, reason));
    through?.release();
  };
  const session: Session = {
    host,
    client,
    gates: {
      normal: fairGate(CHANNELS, describeHost(host)),
      control: fairGate(1, describeHost(host)),
    },
    lost: gone.signal,
    retire: () => {
      end();
      client.end();
      // ssh2 destroys no socket that it has ended.
      const farewell = setTimeout(() => transport.destroy(), FAREWELL_MS).unref();
      transport.once('close', () => {
        clearTimeout(farewell);
      });
    },
    uses: 0,
  };
  // Before ssh2 hears of it: it would end the channels as if the other side had, and half would look like the whole.
  transport.prependListener('close', () => {
    end();
  });
  client.removeAllListeners('close');
  client.on('error', (error) => {
    end(error);
    // A keepalive that went unanswered leaves a socket that will never say anything again.
    client.destroy();
  });
  client.once('close', () => {
    end();
    through?.channel.destroy();
  });
  // Those who waited for it may all have been stopped meanwhile.
  closeWhenIdle(session);
  return session;
}

function jumpOf(host: Host): Host | undefined {
  const { identity, target } = host;
  const jump = identity.jumpHost === undefined ? undefined : findPinned(identity.hosts, identity.jumpHost);
  return jump === undefined || jump.name === target.name ? undefined : { ...host, target: jump };
}

function keyOf(host: Host): string {
  const { identity, target, watchful = false } = host;
  const jump = jumpOf(host)?.target;
  const value = JSON.stringify([identity.user, identity.login, target, jump, watchful]);
  return createHash('sha256').update(value).digest('base64');
}

function untilStopped<T>(work: Promise<T>, signal: AbortSignal, host: Host): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      reject(cancelled(describeHost(host)));
    };
    signal.addEventListener('abort', stop, { once: true });
    work.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', stop);
    });
  });
}

/** How many connections are open now. */
export function sessionCount(): number {
  return sessions.size;
}

/** Ends every connection of this process; what runs on them fails as lost. */
export async function closeSessions(): Promise<void> {
  const open = [...sessions.values()];
  sessions.clear();
  await Promise.all(
    open.map(async (attempt) => {
      const session = await attempt.catch(() => undefined);
      if (session === undefined || session.lost.aborted) return;
      await new Promise<void>((resolve) => {
        session.client.once('close', () => {
          resolve();
        });
        session.retire();
      });
    }),
  );
}
