import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { isFailure } from '../failure';
import { isObject } from '../json';
import type { Host } from '../host/host';
import { runCommand } from '../host/run';
import { openSocket } from '../host/socket';
import { cancelled, type Task } from '../task';

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Nobody listens there, or nobody answers: news of the target, not of the way to it. */
export class NotReached extends Error {}

/** Where is looked from. `open` fails with NotReached for what the target did, and otherwise for what we could not do. */
export interface Vantage {
  readonly name: string;
  /** Nothing lies between: no answer to a connection is the target's. */
  readonly direct: boolean;
  readonly open: (address: Address, task: Task) => Promise<Duplex>;
  /** Where a command can be run; absent for n8n itself. */
  readonly host?: Host;
}

/** n8n itself. */
export const here: Vantage = {
  name: 'n8n',
  direct: true,
  open: ({ host, port }, task) =>
    new Promise((resolve, reject) => {
      if (task.signal.aborted) {
        reject(cancelled(`connection to ${host}:${port}`));
        return;
      }
      const socket = connect({ host, port });
      const stop = () => socket.destroy(cancelled(`connection to ${host}:${port}`));
      task.signal.addEventListener('abort', stop, { once: true });
      socket.once('close', () => task.signal.removeEventListener('abort', stop));
      socket.once('connect', () => resolve(socket));
      socket.once('error', (error: NodeJS.ErrnoException) => {
        reject(task.signal.aborted ? error : new NotReached(WORDS[error.code ?? ''] ?? error.message));
      });
    }),
};

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to its network',
  ENOTFOUND: 'its name does not exist',
  ETIMEDOUT: 'it does not answer',
};

/** Of RFC 4254: the other end was tried. Any other reason is the SSH server's own. */
const CONNECT_FAILED = 2;

/** After so long without a connection the host in between is asked whether it is there itself. */
const ASK_AFTER_MS = 500;

/** A host of the estate, through its SSH connection: what only listens inside can be seen from there. */
export function fromHost(host: Host): Vantage {
  return {
    name: host.target.name,
    direct: false,
    host,
    open: async (address, task) => {
      // A host that says nothing lets a connection from another one wait for minutes. That is news of the target when the
      // one in between has answered us meanwhile.
      const between = { answers: false };
      const asking = setTimeout(() => {
        runCommand(host, { argv: ['true'] }, {}, task).then(
          () => (between.answers = true),
          () => undefined,
        );
      }, ASK_AFTER_MS);
      try {
        return await openSocket(host, address, task);
      } catch (error) {
        if (task.signal.aborted && between.answers) throw new NotReached(`${host.target.name} gets no answer from it`);
        if (isFailure(error, 'channel_refused') && isObject(error.cause) && error.cause['reason'] === CONNECT_FAILED) {
          throw new NotReached(`${host.target.name} cannot connect to it`);
        }
        throw error;
      } finally {
        clearTimeout(asking);
      }
    },
  };
}
