import { Failure, isFailure } from '../../failure';
import { openSocket } from '../../host/socket';
import { createHttpClient, type HttpClient } from '../../http/client';
import { path, type Path } from '../../http/path';
import { basic, bearer, noAuthentication, type Authentication } from '../../http/settings';
import { isObject } from '../../json';
import type { Task } from '../../task';
import { describeDocker } from '../engine/access';
import type { Engine } from '../engine/engine';
import type { RegistryLogin } from '../engine/images';
import { flagAt, recordAt, textAt, textsAt } from '../engine/read';
import type { ImageReference } from './reference';

const MOST_TAGS = 20_000;

/** All tags of a repository, asked from the host: with its names, its routes and its trust in plain registries. */
export async function listTags(
  engine: Engine,
  reference: ImageReference,
  login: RegistryLogin | undefined,
  task: Task,
): Promise<readonly string[]> {
  const { registry, repository } = reference;
  const address = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  const protocol = (await isPlain(engine, registry, task)) ? 'http' : 'https';
  const client = (authentication: Authentication) => clientFor(engine, `${protocol}://${address}`, authentication);
  const read = async (authentication: Authentication) => {
    const { items, more } = await client(authentication).allItems(
      {
        method: 'GET',
        path: path('/v2/{repository}/tags/list', { repository: repository.split('/') }),
        query: { n: 1000 },
      },
      { by: 'link', items: (body) => textsAt(body, 'tags') },
      task,
      MOST_TAGS,
    );
    if (more) throw tooMany(engine, reference);
    return items;
  };
  try {
    return await read(noAuthentication);
  } catch (error) {
    if (!isFailure(error) || error.details.status !== 401) throw error;
    const challenge = isObject(error.details.correlation) ? error.details.correlation['www-authenticate'] : '';
    return await read(await answer(engine, typeof challenge === 'string' ? challenge : '', login, error, task));
  }
}

/** What a registry wants to know before it answers: a login, or a token that is given out for one, or to anybody. */
async function answer(
  engine: Engine,
  challenge: string,
  login: RegistryLogin | undefined,
  refusal: Failure,
  task: Task,
): Promise<Authentication> {
  if (/^basic\b/i.test(challenge) && login !== undefined) return basic(login.user, login.password);
  const fields = Object.fromEntries(
    [...challenge.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = '', value = '']) => [name.toLowerCase(), value]),
  );
  const realm = fields.realm ?? '';
  if (!/^bearer\b/i.test(challenge) || !URL.canParse(realm)) throw refusal;
  const { origin, pathname } = new URL(realm);
  const asked = clientFor(engine, origin, login === undefined ? noAuthentication : basic(login.user, login.password));
  const { body } = await asked.request(
    // The registry names the address of its own door; every part of it is encoded again.
    { method: 'GET', path: pathname as Path, query: { service: fields.service, scope: fields.scope } },
    task,
  );
  return bearer(textAt(body, 'token') || textAt(body, 'access_token'));
}

function clientFor(engine: Engine, baseUrl: string, authentication: Authentication): HttpClient {
  const { hostname, port, protocol } = new URL(baseUrl);
  const address = {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
  };
  const { access } = engine;
  return createHttpClient({
    service: `the registry ${hostname}${port === '' ? '' : `:${port}`}, asked from ${describeDocker(engine.access)},`,
    baseUrl,
    authentication,
    correlationHeaders: ['www-authenticate'],
    ...('host' in access && {
      openSocket: (signal: AbortSignal) =>
        openSocket(access.host, address, { signal, progress: () => undefined, owner: 'registry' }),
    }),
  });
}

/** Whether the engine itself speaks plain HTTP with it. */
async function isPlain(engine: Engine, registry: string, task: Task): Promise<boolean> {
  if (registry === 'docker.io') return false;
  const { body } = await engine.request({ method: 'GET', path: path('/info') }, task);
  const settings = recordAt(body, 'RegistryConfig');
  if (isObject(recordAt(settings, 'IndexConfigs')[registry])) {
    return !flagAt(settings, 'IndexConfigs', registry, 'Secure');
  }
  const host = registry.replace(/:\d+$/, '');
  if (host === 'localhost') return true;
  return textsAt(settings, 'InsecureRegistryCIDRs').some((range) => inRange(host, range));
}

export function inRange(address: string, range: string): boolean {
  const number = (text: string) => {
    const parts = text.split('.').map(Number);
    if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) return undefined;
    return parts.reduce((sum, part) => sum * 256 + part, 0);
  };
  const [network = '', bits = '32'] = range.split('/');
  const [one, other] = [number(address), number(network)];
  if (one === undefined || other === undefined) return address === network;
  const size = 2 ** (32 - Number(bits));
  return Math.floor(one / size) === Math.floor(other / size);
}

function tooMany(engine: Engine, { name }: ImageReference): Failure {
  return new Failure({
    code: 'too_many_tags',
    subject: `${name}, ${describeDocker(engine.access)}`,
    message: `${name} has more than ${MOST_TAGS} tags`,
    nextStep: 'Follow its digest instead of its tags.',
  });
}
