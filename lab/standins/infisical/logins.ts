import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { Asked, Reply, Route } from '../http';
import { badRequest, notFound, Refusal } from './refusal';
import { bodyOf, type Fields, type Identity, newToken, type State, textOf } from './state';

const TOKEN_METHODS = ['azure', 'gcp', 'jwt', 'kubernetes', 'oidc'] as const;

/** How an identity may log in, beside its client secret. */
export type Way =
  | { readonly method: (typeof TOKEN_METHODS)[number]; readonly jwt: string }
  | { readonly method: 'ldap'; readonly username: string; readonly password: string }
  | {
      readonly method: 'aws';
      readonly accessKeyId: string;
      readonly secretAccessKey: string;
      readonly sessionToken?: string;
    };

export interface WayIn {
  readonly identity: Identity;
  readonly way: Way;
}

export function loginRoutes(state: State, ways: readonly WayIn[], answer: (token: string) => Reply): readonly Route[] {
  return [...TOKEN_METHODS, 'ldap' as const, 'aws' as const].map((method) => ({
    method: 'POST',
    template: `/api/v1/auth/${method}-auth/login`,
    handle: (asked: Asked) => {
      const fields = bodyOf(asked);
      const id = textOf(fields, 'identityId');
      const found = ways.find(({ identity, way }) => identity.id === id && way.method === method);
      if (found === undefined) notFound(`${method} auth method for identity, did you configure it? It was`);
      if (!proves(found.way, fields, state.now())) throw new Refusal(401, 'UnauthorizedError', 'Access denied');
      return answer(newToken(state, found.identity));
    },
  }));
}

function proves(way: Way, fields: Fields, now: number): boolean {
  switch (way.method) {
    case 'ldap':
      return textOf(fields, 'username') === way.username && textOf(fields, 'password') === way.password;
    case 'aws':
      return awsKnows(way, fields, now);
    default:
      return textOf(fields, 'jwt') === way.jwt;
  }
}

const FIFTEEN_MINUTES_MS = 900_000;

/** What Infisical sends on to STS, and what STS looks at: the body, the time, each signed header, and the signature. */
function awsKnows(way: Extract<Way, { method: 'aws' }>, fields: Fields, now: number): boolean {
  const decoded = (name: string) => Buffer.from(textOf(fields, name), 'base64').toString('utf8');
  const given = JSON.parse(decoded('iamRequestHeaders')) as Readonly<Record<string, string>>;
  const headers = new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
  const body = decoded('iamRequestBody');
  const authorization = /^AWS4-HMAC-SHA256 Credential=([^,]+), SignedHeaders=([^,]+), Signature=([0-9a-f]{64})$/.exec(
    headers.get('authorization') ?? '',
  );
  const [key, day = '', region = '', service = '', end] = (authorization?.[1] ?? '').split('/');
  if (!/^[a-z0-9-]{1,20}$/.test(region)) badRequest('Invalid AWS region');
  const time = headers.get('x-amz-date') ?? '';
  const sent = Date.parse(time.replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  const names = (authorization?.[2] ?? '').split(';');
  const canonical = [
    fields['iamHttpRequestMethod'],
    '/',
    '',
    ...names.map((name) => `${name}:${headers.get(name)?.trim() ?? ''}`),
    '',
    names.join(';'),
    createHash('sha256').update(body).digest('hex'),
  ].join('\n');
  const toSign = [
    'AWS4-HMAC-SHA256',
    time,
    `${day}/${region}/${service}/aws4_request`,
    createHash('sha256').update(canonical).digest('hex'),
  ].join('\n');
  let signing = Buffer.from(`AWS4${way.secretAccessKey}`);
  for (const part of [day, region, 'sts', 'aws4_request', toSign]) {
    signing = createHmac('sha256', signing).update(part).digest();
  }
  return (
    body === 'Action=GetCallerIdentity&Version=2011-06-15' &&
    key === way.accessKeyId &&
    service === 'sts' &&
    end === 'aws4_request' &&
    day === time.slice(0, 8) &&
    Math.abs(sent - now) < FIFTEEN_MINUTES_MS &&
    ['host', 'x-amz-date'].every((name) => names.includes(name)) &&
    headers.get('host') === `sts.${region}.amazonaws.com` &&
    headers.get('content-length') === String(Buffer.byteLength(body)) &&
    headers.get('x-amz-security-token') === way.sessionToken &&
    timingSafeEqual(signing, Buffer.from(authorization?.[3] ?? '', 'hex'))
  );
}
