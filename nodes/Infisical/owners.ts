import type { DockerAccess } from '../../lib/docker/engine/access';
import { Failure } from '../../lib/failure';
import type { Method } from '../../lib/http/request';
import { isObject, type Json } from '../../lib/json';
import type { Host } from '../../lib/host/host';
import type { ValueOwner } from '../../lib/rotation/owner';
import { type ApiCall, apiOwner } from '../../lib/rotation/owners/api';
import { commandOwner } from '../../lib/rotation/owners/command';
import { mysqlAccount } from '../../lib/rotation/owners/mysql';
import { postgresRole } from '../../lib/rotation/owners/postgres';
import { redisUser } from '../../lib/rotation/owners/redis';
import type { Reach } from '../../lib/rotation/reach';
import type { SealedText } from '../../lib/secrets/sealed';

export const OWNERS = {
  api: 'HTTP API',
  command: 'Program on a Host',
  mysql: 'MySQL or MariaDB Account',
  postgres: 'PostgreSQL Role',
  redis: 'Redis User',
} as const;

export interface OwnerInput {
  readonly kind: keyof typeof OWNERS;
  readonly host: Host;
  readonly docker: DockerAccess;
  readonly role: string;
  /** `127.0.0.1:5432`; empty: the usual port of the host itself. */
  readonly address: string;
  readonly container: string;
  readonly database: string;
  readonly accountHost: string;
  readonly admin: { readonly user: string; readonly password: SealedText } | undefined;
  readonly adminSecret: SealedText | undefined;
  readonly requests: unknown;
  readonly program: readonly string[];
  readonly label: string;
}

const PORTS = { postgres: 5432, mysql: 3306, redis: 6379 } as const;

/** Who decides whether the secret is right, from the fields of the form. */
export function ownerOf(input: OwnerInput): ValueOwner {
  const { kind, host, docker, role, database, accountHost, admin, container, program, label } = input;
  const known = admin === undefined ? {} : { admin };
  switch (kind) {
    case 'postgres':
      return postgresRole({ reach: reachOf(input, PORTS.postgres), role: named(role), database, ...known });
    case 'redis':
      return redisUser({ reach: reachOf(input, PORTS.redis), user: named(role), ...known });
    case 'mysql': {
      const inside = container === '' ? {} : { container: { docker, name: container } };
      const place = { host, ...splitAddress(input.address, PORTS.mysql), ...inside };
      return mysqlAccount({ place, user: named(role), from: accountHost, ...known });
    }
    case 'command': {
      const [first, ...rest] = program;
      if (first === undefined) throw missing('Program', 'the program that sets and proves the value');
      return commandOwner({ host, label: label === '' ? 'the value' : label, argv: [first, ...rest] });
    }
    case 'api':
      return apiOwner({
        label: label === '' ? 'the value' : label,
        ...(input.adminSecret !== undefined && { admin: input.adminSecret }),
        ...parseRequests(input.requests),
      });
  }
}

function reachOf({ host, docker, container, address }: OwnerInput, usual: number): Reach {
  const at = splitAddress(address, usual);
  return container === '' ? { kind: 'port', host, ...at } : { kind: 'container', docker, container, port: at.port };
}

function splitAddress(text: string, usual: number): { readonly address: string; readonly port: number } {
  if (text === '') return { address: '127.0.0.1', port: usual };
  const match = /^(?:\[([^\]]+)\]|([^:]+))?(?::(\d{1,5}))?$/.exec(text);
  const port = match?.[3] === undefined ? usual : Number(match[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new Failure({
      code: 'invalid_parameter',
      subject: 'Address',
      message: `"${text}" is no address: it must look like 127.0.0.1:${usual}`,
      nextStep: 'Write the address and port at which the host reaches the server.',
    });
  }
  return { address: match[1] ?? match[2] ?? '127.0.0.1', port };
}

function named(role: string): string {
  if (role !== '') return role;
  throw missing('Role or User', 'whose password it is');
}

const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] satisfies Method[];

function parseRequests(value: unknown) {
  if (!isObject(value)) throw requestsUnusable('it is no object');
  const strange = Object.keys(value).find((name) => !['change', 'answerField', 'retire', 'prove'].includes(name));
  if (strange !== undefined) throw requestsUnusable(`"${strange}" means nothing here`);
  const { answerField } = value;
  if (answerField !== undefined && typeof answerField !== 'string') throw requestsUnusable('"answerField" is not text');
  return {
    change: callOf(value['change'], 'change'),
    prove: callOf(value['prove'], 'prove'),
    ...(answerField !== undefined && { answerField }),
    ...(value['retire'] !== undefined && { retire: callOf(value['retire'], 'retire') }),
  };
}

function callOf(value: unknown, name: string): ApiCall {
  if (!isObject(value)) throw requestsUnusable(`"${name}" is missing`);
  const { method = 'GET', url, headers = {}, body } = value;
  if (typeof method !== 'string' || !METHODS.includes(method))
    throw requestsUnusable(`the method of "${name}" is none`);
  if (typeof url !== 'string' || !/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw requestsUnusable(`the url of "${name}" is none`);
  }
  if (!isObject(headers)) throw requestsUnusable(`the headers of "${name}" are no object`);
  return {
    method: method as Method,
    url,
    headers: Object.fromEntries(Object.entries(headers).map(([header, text]) => [header, String(text)])),
    ...(body !== undefined && { body: body as Json }),
  };
}

function requestsUnusable(why: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: 'Requests',
    message: `Requests cannot be read: ${why}`,
    nextStep:
      'Write { "change": { "method", "url", "headers", "body" }, "prove": { … } }, with $NEW, $OLD and $ADMIN for values.',
  });
}

function missing(label: string, what: string): Failure {
  return new Failure({
    code: 'invalid_parameter',
    subject: label,
    message: `${label} is empty: ${what} has to be said`,
    nextStep: `Fill in ${label}.`,
  });
}
