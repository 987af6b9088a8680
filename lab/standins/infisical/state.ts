import { randomBytes, randomUUID } from 'node:crypto';
import type { Asked } from '../http';
import { jsonOf } from '../http';
import { badRequest, invalid, notFound, Refusal } from './refusal';

export interface Version {
  readonly value: string;
  readonly comment: string;
  readonly at: string;
}

export interface Stored {
  readonly id: string;
  key: string;
  /** The first is version 1. */
  readonly versions: Version[];
  readonly createdAt: string;
  readonly tags?: readonly string[];
}

export interface LeaseRow {
  readonly id: string;
  readonly role: string;
  readonly password: string;
  expireAt: number;
  readonly createdAt: string;
}

export interface DynamicSecret {
  readonly id: string;
  readonly name: string;
  readonly defaultTtlMs: number;
  readonly leases: Map<string, LeaseRow>;
}

export interface Folder {
  readonly id: string;
  readonly path: string;
  secrets: Map<string, Stored>;
  readonly imports: { readonly environment: string; readonly path: string }[];
  readonly dynamic: Map<string, DynamicSecret>;
}

export interface Environment {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly folders: Map<string, Folder>;
}

export interface Project {
  readonly id: string;
  readonly name: string;
  readonly slug: string;
  readonly environments: Map<string, Environment>;
  /** Places where a change waits for approval: `prod:/`. */
  readonly protectedPlaces: Set<string>;
}

export interface Identity {
  readonly id: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** It sees that secrets are there, and not what they are. */
  readonly blind: boolean;
  readonly readOnly: boolean;
  /** Ids; undefined: all. */
  readonly projects: readonly string[] | undefined;
}

export interface Token {
  readonly identity: Identity;
  expiresAt: number;
  readonly maxUntil: number;
}

export interface Approval {
  readonly id: string;
  readonly what: string;
}

export interface State {
  readonly projects: Map<string, Project>;
  readonly identities: Map<string, Identity>;
  readonly tokens: Map<string, Token>;
  readonly approvals: Approval[];
  /** Of every login that was ever leased, to look for them where they must not be. */
  readonly leasedPasswords: string[];
  readonly shortestTtlMs: number;
  readonly now: () => number;
  readonly tokenSeconds: number;
  readonly tokenMaxSeconds: number;
  /** Runs SQL where the roles of dynamic secrets are. */
  readonly sql: ((text: string) => Promise<string>) | undefined;
}

export function isoOf(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}

export function newFolder(path: string): Folder {
  return { id: randomUUID(), path, secrets: new Map(), imports: [], dynamic: new Map() };
}

export function newEnvironment(name: string, slug: string): Environment {
  return { id: randomUUID(), name, slug, folders: new Map([['/', newFolder('/')]]) };
}

export function newToken(state: State, identity: Identity, maxUntil?: number): string {
  const claims = { identityId: identity.id, authTokenType: 'identityAccessToken', jti: randomBytes(6).toString('hex') };
  const text = ['{"alg":"HS256"}', JSON.stringify(claims), randomBytes(8).toString('hex')]
    .map((part) => Buffer.from(part).toString('base64url'))
    .join('.');
  const now = state.now();
  const until = maxUntil ?? now + state.tokenMaxSeconds * 1000;
  state.tokens.set(text, {
    identity,
    expiresAt: Math.min(now + state.tokenSeconds * 1000, until),
    maxUntil: until,
  });
  return text;
}

export function identityOf(state: State, { headers }: Asked): Identity {
  const text = /^Bearer (\S+)$/.exec(headers['authorization'] ?? '')?.[1];
  if (text === undefined) throw new Refusal(401, 'UnauthorizedError', 'Token missing');
  const token = state.tokens.get(text);
  if (token === undefined) throw new Refusal(401, 'UnauthorizedError', 'No identity access token found');
  if (state.now() >= token.expiresAt)
    throw new Refusal(403, 'TokenError', 'Your token has expired. Please re-authenticate.');
  return token.identity;
}

export type Fields = Readonly<Record<string, unknown>>;

export function bodyOf(asked: Asked): Fields {
  const body = jsonOf(asked);
  if (typeof body !== 'object' || body === null) invalid('', 'Expected object');
  return body as Fields;
}

export function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') invalid(name, 'Required');
  return value;
}

export interface Spot {
  readonly identity: Identity;
  readonly project: Project;
  readonly environment: Environment;
  readonly folder: Folder;
}

export interface Wanted {
  readonly project: Project | undefined;
  readonly environment: string | null | undefined;
  readonly path: string;
}

/** The folder a request is about, if this identity may go there. */
export function spotOf(state: State, asked: Asked, { project, environment: slug, path }: Wanted): Spot {
  const identity = identityOf(state, asked);
  if (project === undefined || !seen(identity, project)) notFound('Project');
  if (slug === null || slug === undefined || slug === '') badRequest('Missing project id or environment');
  if (identity.readOnly && asked.method !== 'GET') {
    throw new Refusal(403, 'PermissionDenied', 'You are not allowed to edit on secrets');
  }
  const environment = project.environments.get(slug) ?? notFound(`Environment with slug '${slug}'`);
  const normal = path === '/' ? '/' : path.replace(/\/+$/, '');
  const folder = environment.folders.get(normal) ?? notFound(`Folder with path '${normal}'`);
  return { identity, project, environment, folder };
}

export function seen(identity: Identity, project: Project): boolean {
  return identity.projects?.includes(project.id) ?? true;
}

export function projectBySlug(state: State, slug: string): Project | undefined {
  return [...state.projects.values()].find((project) => project.slug === slug);
}

/** The server trims values and keeps one line end. */
export function keptValue(value: string): string {
  const trimmed = value.trim();
  return value.endsWith('\n') ? `${trimmed}\n` : trimmed;
}
