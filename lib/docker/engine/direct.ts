import { connect as connectSocket, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { Failure } from '../../failure';
import { cancelled, type Task } from '../../task';
import { describeDocker, type LocalDocker, type RemoteDocker } from './access';

const CONNECT_MS = 15_000;

/** Connects without SSH: to a socket of this machine, or to a port whose certificate is checked and shown ours. */
export async function openDirectly(place: LocalDocker | RemoteDocker, task: Task): Promise<Socket> {
  const subject = describeDocker(place);
  const deadline = AbortSignal.timeout(CONNECT_MS);
  const signal = AbortSignal.any([task.signal, deadline]);
  const [socket, ready] = begin(place);
  return await new Promise<Socket>((resolve, reject) => {
    const finish = (error?: Error) => {
      signal.removeEventListener('abort', stop);
      socket.off(ready, succeed).off('error', finish);
      // Between two requests nobody listens; a connection that breaks then concerns nobody.
      socket.on('error', () => undefined);
      if (error === undefined) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(error instanceof Failure ? error : unreachable(place, error));
    };
    const succeed = () => finish();
    const stop = () =>
      finish(task.signal.aborted ? cancelled(subject) : unreachable(place, new Error('it did not answer within 15 s')));
    socket.on(ready, succeed).on('error', finish);
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
  });
}

function begin(place: LocalDocker | RemoteDocker): readonly [Socket, 'connect' | 'secureConnect'] {
  if ('localSocket' in place) return [connectSocket(place.localSocket), 'connect'];
  const { address, port, authority, certificate, privateKey } = place;
  try {
    const options = {
      host: address,
      port,
      ca: authority,
      cert: certificate,
      key: privateKey,
      minVersion: 'TLSv1.2',
    } as const;
    return [connectTls(options), 'secureConnect'];
  } catch {
    throw new Failure({
      code: 'docker_tls',
      subject: describeDocker(place),
      message: `The certificates for ${describeDocker(place)} cannot be read, or certificate and key do not belong together`,
      nextStep: 'Paste ca.pem, cert.pem and key.pem whole, with their BEGIN and END lines.',
    });
  }
}

function unreachable(place: LocalDocker | RemoteDocker, error: NodeJS.ErrnoException): Failure {
  const { code = '' } = error;
  const subject = describeDocker(place);
  const isTls = /CERT|TLS|SSL|SELF_SIGNED|VERIFY/.test(code);
  const why: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such socket',
    EACCES: 'this user may not open the socket',
    ECONNREFUSED: 'nobody listens there',
    ENOTFOUND: 'the name is not known',
    ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name',
    DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate was not signed by the given authority',
    SELF_SIGNED_CERT_IN_CHAIN: 'its certificate was not signed by the given authority',
    UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate was not signed by the given authority',
    CERT_HAS_EXPIRED: 'its certificate has expired',
  };
  const found = Object.entries(why).find(([name]) => name === code)?.[1];
  return new Failure({
    code: isTls ? 'docker_tls' : 'docker_unreachable',
    subject,
    message: `${subject} cannot be reached: ${found ?? error.message}`,
    nextStep: isTls
      ? 'Check the authority, the names in the certificate (subjectAltName) and that dockerd runs with --tlsverify.'
      : 'Check the address, and that Docker runs and listens there.',
    cause: error,
  });
}
