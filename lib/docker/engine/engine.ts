import type { Readable } from 'node:stream';
import { Failure, isFailure, messageOf } from '../../failure';
import { createHttpClient, type HttpClient } from '../../http/client';
import { path } from '../../http/path';
import type { Answer, HttpRequest } from '../../http/request';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { describeDocker, findWay, openDocker, type DockerPlace, type Way } from './access';
import { textAt } from './read';

/** The API versions this pack was written for. Docker keeps older ones, so a newer server is no obstacle. */
const OLDEST = '1.40';
const NEWEST = '1.55';
/** What may be silent for as long as nothing happens: logs that are followed, events, long commands. */
const DAY_MS = 86_400_000;

export interface Engine {
  readonly access: DockerPlace;
  readonly way: Way;
  /** What is spoken: the newest that both sides know. */
  readonly apiVersion: string;
  readonly serverVersion: string;
  readonly request: (request: HttpRequest, task: Task) => Promise<Answer<unknown>>;
  readonly text: (request: HttpRequest, task: Task) => Promise<Answer<string>>;
  /** The body as it comes, with no limit on silence. */
  readonly stream: (request: HttpRequest, task: Task) => Promise<Answer<Readable>>;
}

/** Reaches the engine and agrees with it on a version of its API. */
export async function connectEngine(access: DockerPlace, task: Task): Promise<Engine> {
  const way = await findWay(access, task);
  const first = clientFor(access, way, '', task);
  const { body } = await first.request({ method: 'GET', path: path('/version') }, task);
  const apiVersion = agree(access, textAt(body, 'ApiVersion'), textAt(body, 'MinAPIVersion'));
  const client = clientFor(access, way, `/v${apiVersion}`, task);
  return { access, way, apiVersion, serverVersion: textAt(body, 'Version'), ...client };
}

/** The newest version of both, or a refusal that says which side is too old. */
export function agree(access: DockerPlace, server: string, serverOldest: string): string {
  const refuse = (message: string, nextStep: string) =>
    new Failure({ code: 'docker_version', subject: describeDocker(access), message, nextStep });
  if (!/^\d+\.\d+$/.test(server)) {
    throw refuse(
      `${describeDocker(access)} does not tell its API version`,
      'Check that a Docker Engine answers on that socket.',
    );
  }
  if (older(server, OLDEST)) {
    throw refuse(
      `${describeDocker(access)} speaks API ${server}; at least ${OLDEST} is needed`,
      'Update Docker on the host to 19.03 or newer.',
    );
  }
  if (serverOldest !== '' && older(NEWEST, serverOldest)) {
    throw refuse(
      `${describeDocker(access)} speaks API ${serverOldest} and newer; this pack knows up to ${NEWEST}`,
      'Update this pack.',
    );
  }
  return older(server, NEWEST) ? server : NEWEST;
}

export function older(one: string, other: string): boolean {
  const [[a = 0, b = 0], [c = 0, d = 0]] = [one.split('.').map(Number), other.split('.').map(Number)];
  return a < c || (a === c && b < d);
}

function clientFor(access: DockerPlace, way: Way, prefix: string, task: Task) {
  let refusal: Failure | undefined;
  const settings = {
    service: describeDocker(access),
    // No name is looked up; it keeps the hosts apart.
    baseUrl: `http://${
      nameOf(access)
        .toLowerCase()
        .replace(/[^a-z0-9]+/g, '-') || 'host'
    }.docker${prefix}`,
    openSocket: async (signal: AbortSignal) => {
      try {
        return await openDocker(access, way, { ...task, signal });
      } catch (error) {
        if (isFailure(error)) refusal = error;
        throw error;
      }
    },
    explain: (body: unknown) =>
      isObject(body) && typeof body.message === 'string' ? { message: sentence(access, body.message) } : undefined,
  };
  const calls = createHttpClient(settings);
  const streams = createHttpClient({ ...settings, timeouts: { answerMs: DAY_MS, idleMs: DAY_MS } });
  /** SSH says better than HTTP why there is no connection. */
  const clearly = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work;
    } catch (error) {
      if (refusal !== undefined && !isFailure(error, 'cancelled')) throw refusal;
      // The server judges our certificate when the connection already stands; versions of Node word it differently.
      if ('certificate' in access && (isFailure(error, 'tls_failed') || /SSL\w*ALERT/.test(messageOf(error))))
        throw turnedAway(access, error);
      throw error;
    } finally {
      refusal = undefined;
    }
  };
  return {
    request: (...call: Parameters<HttpClient['request']>) => clearly(calls.request(...call)),
    text: (...call: Parameters<HttpClient['text']>) => clearly(calls.text(...call)),
    stream: (...call: Parameters<HttpClient['stream']>) => clearly(streams.stream(...call)),
  };
}

function turnedAway(place: DockerPlace, cause: unknown): Failure {
  return new Failure({
    code: 'docker_tls',
    subject: describeDocker(place),
    message: `${describeDocker(place)} does not accept the certificate of the credential`,
    nextStep:
      'Give one that was signed by the authority dockerd was started with (--tlscacert), and that has not expired.',
    cause,
  });
}

function nameOf(place: DockerPlace): string {
  if ('host' in place) return place.host.target.name;
  return 'localSocket' in place ? place.localSocket.replace(/^\/+/, '') : `${place.address}-${place.port}`;
}

function sentence(access: DockerPlace, said: string): string {
  return `${describeDocker(access)} says: ${said.replace(/^Error response from daemon: /, '').trim()}`;
}

/** Docker's way to write filters: a JSON object of lists in one parameter. */
export function filtersOf(filters: Readonly<Record<string, readonly string[] | undefined>>): string | undefined {
  const given = Object.entries(filters).filter(([, values]) => values !== undefined && values.length > 0);
  return given.length === 0 ? undefined : JSON.stringify(Object.fromEntries(given));
}
