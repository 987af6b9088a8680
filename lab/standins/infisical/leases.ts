import { randomBytes, randomUUID } from 'node:crypto';
import type { Asked, Reply, Route } from '../http';
import { invalid, notFound, Refusal } from './refusal';
import {
  bodyOf,
  type DynamicSecret,
  type Fields,
  isoOf,
  type LeaseRow,
  projectBySlug,
  type Spot,
  spotOf,
  type State,
  textOf,
} from './state';

export function leaseRoutes(state: State): readonly Route[] {
  const leases = '/api/v1/dynamic-secrets/leases';
  return [
    { method: 'POST', template: leases, handle: (asked) => create(state, asked) },
    { method: 'DELETE', template: `${leases}/{leaseId}`, handle: (asked) => revoke(state, asked) },
    { method: 'POST', template: `${leases}/{leaseId}/renew`, handle: (asked) => renew(state, asked) },
    { method: 'GET', template: '/api/v1/dynamic-secrets/{name}/leases', handle: (asked) => list(state, asked) },
  ];
}

function spot(state: State, asked: Asked, slug: string, environment: string, path: unknown): Spot {
  const project = projectBySlug(state, slug);
  return spotOf(state, asked, { project, environment, path: typeof path === 'string' ? path : '/' });
}

function spotOfBody(state: State, asked: Asked, fields: Fields): Spot {
  return spot(state, asked, textOf(fields, 'projectSlug'), textOf(fields, 'environmentSlug'), fields['path']);
}

const units: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function lifeOf({ shortestTtlMs }: State, fields: Fields, { defaultTtlMs }: DynamicSecret): number {
  const ttl = fields['ttl'];
  if (typeof ttl !== 'string') return defaultTtlMs;
  const match = /^(\d+)([smhd])$/.exec(ttl);
  const life = Number(match?.[1]) * (units[match?.[2] ?? ''] ?? NaN);
  if (!(life >= shortestTtlMs)) invalid('ttl', 'TTL must be a greater than 1min');
  return life;
}

function shown({ id }: DynamicSecret, lease: LeaseRow) {
  return {
    id: lease.id,
    version: 1,
    externalEntityId: lease.role,
    expireAt: isoOf(lease.expireAt),
    status: null,
    statusDetails: null,
    dynamicSecretId: id,
    createdAt: lease.createdAt,
    updatedAt: lease.createdAt,
  };
}

async function run(state: State, sql: string): Promise<void> {
  if (state.sql === undefined) return;
  try {
    await state.sql(sql);
  } catch {
    throw new Refusal(400, 'BadRequest', 'Failed to run the statements of the dynamic secret');
  }
}

async function create(state: State, asked: Asked): Promise<Reply> {
  const fields = bodyOf(asked);
  const { folder } = spotOfBody(state, asked, fields);
  const name = textOf(fields, 'dynamicSecretName');
  const dynamic = folder.dynamic.get(name) ?? notFound(`Dynamic secret with name '${name}' in folder`);
  const role = `inf_${randomBytes(8).toString('hex')}`;
  const password = randomBytes(18).toString('base64url');
  const expireAt = state.now() + lifeOf(state, fields, dynamic);
  await run(state, `create role ${role} login password '${password}' valid until '${isoOf(expireAt)}'`);
  const lease: LeaseRow = { id: randomUUID(), role, password, expireAt, createdAt: isoOf(state.now()) };
  dynamic.leases.set(lease.id, lease);
  state.leasedPasswords.push(password);
  const { id, defaultTtlMs } = dynamic;
  return {
    status: 200,
    json: {
      lease: shown(dynamic, lease),
      dynamicSecret: {
        id,
        name,
        version: 1,
        type: 'sql-database',
        defaultTTL: `${defaultTtlMs / 1000}s`,
        folderId: folder.id,
      },
      data: { DB_USERNAME: role, DB_PASSWORD: password },
    },
  };
}

function find(state: State, asked: Asked, fields: Fields): { dynamic: DynamicSecret; lease: LeaseRow } {
  const { folder } = spotOfBody(state, asked, fields);
  const id = asked.params['leaseId'] ?? '';
  for (const dynamic of folder.dynamic.values()) {
    const lease = dynamic.leases.get(id);
    if (lease !== undefined) return { dynamic, lease };
  }
  return notFound(`Dynamic secret lease with ID '${id}'`);
}

async function revoke(state: State, asked: Asked): Promise<Reply> {
  const { dynamic, lease } = find(state, asked, bodyOf(asked));
  await run(state, `drop role if exists ${lease.role}`);
  dynamic.leases.delete(lease.id);
  return { status: 200, json: { lease: shown(dynamic, lease) } };
}

async function renew(state: State, asked: Asked): Promise<Reply> {
  const fields = bodyOf(asked);
  const { dynamic, lease } = find(state, asked, fields);
  lease.expireAt += lifeOf(state, fields, dynamic);
  await run(state, `alter role ${lease.role} valid until '${isoOf(lease.expireAt)}'`);
  return { status: 200, json: { lease: shown(dynamic, lease) } };
}

function list(state: State, asked: Asked): Reply {
  const get = (name: string) => asked.query.get(name) ?? invalid(name, 'Required');
  const { folder } = spot(state, asked, get('projectSlug'), get('environmentSlug'), asked.query.get('path') ?? '/');
  const name = asked.params['name'] ?? '';
  const dynamic = folder.dynamic.get(name) ?? notFound(`Dynamic secret with name '${name}' in folder`);
  return { status: 200, json: { leases: [...dynamic.leases.values()].map((lease) => shown(dynamic, lease)) } };
}
