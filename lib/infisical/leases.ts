import { Failure, isFailure } from '../failure';
import { path } from '../http/path';
import { isObject } from '../json';
import { SealedText } from '../secrets/sealed';
import { pause, type Task } from '../task';
import { read } from './answer';
import type { InfisicalApi } from './api';

/** Leases are asked by slugs, not by ids. */
export interface LeasePlace {
  readonly projectSlug: string;
  readonly environment: string;
  readonly path: string;
}

export interface Lease {
  readonly id: string;
  readonly expiresAt: string;
  /** What the server could not do, for instance delete the role: null when all is well. */
  readonly trouble: string | null;
}

/** A login that exists until its lease ends: DB_USERNAME, DB_PASSWORD and what else the kind of secret has. */
export interface NewLease extends Lease {
  readonly credentials: Readonly<Record<string, SealedText>>;
}

export async function createLease(
  api: InfisicalApi,
  place: LeasePlace,
  dynamicSecret: string,
  ttl: string | undefined,
  task: Task,
): Promise<NewLease> {
  return api.ask(
    {
      method: 'POST',
      path: path('/api/v1/dynamic-secrets/leases'),
      body: { json: { dynamicSecretName: dynamicSecret, ...scope(place), ...(ttl !== undefined && { ttl }) } },
    },
    (body) => {
      const answer = read(body, 'a lease');
      const data = answer.raw('data');
      const credentials = Object.entries(isObject(data) ? data : {}).flatMap(([name, value]) =>
        typeof value === 'string' || typeof value === 'number' ? [[name, new SealedText(String(value))] as const] : [],
      );
      return { ...parseLease(answer.raw('lease')), credentials: Object.fromEntries(credentials) };
    },
    task,
  );
}

export async function renewLease(
  api: InfisicalApi,
  place: LeasePlace,
  leaseId: string,
  ttl: string | undefined,
  task: Task,
): Promise<Lease> {
  return api.ask(
    {
      method: 'POST',
      path: path('/api/v1/dynamic-secrets/leases/{lease}/renew', { lease: leaseId }),
      body: { json: { ...scope(place), ...(ttl !== undefined && { ttl }) } },
    },
    (body) => parseLease(read(body, 'an answer').raw('lease')),
    task,
  );
}

/** Ends a lease now. One that is gone already is an answer. */
export async function revokeLease(
  api: InfisicalApi,
  place: LeasePlace,
  leaseId: string,
  task: Task,
): Promise<{ readonly changed: boolean }> {
  try {
    await api.ask(
      {
        method: 'DELETE',
        path: path('/api/v1/dynamic-secrets/leases/{lease}', { lease: leaseId }),
        body: { json: { ...scope(place), isForced: false } },
      },
      (body) => parseLease(read(body, 'an answer').raw('lease')),
      task,
    );
    return { changed: true };
  } catch (error) {
    if (isFailure(error, 'not_found') && /lease/i.test(error.message.split(': ').slice(1).join(': '))) {
      return { changed: false };
    }
    throw error;
  }
}

export async function listLeases(
  api: InfisicalApi,
  place: LeasePlace,
  dynamicSecret: string,
  task: Task,
): Promise<readonly Lease[]> {
  return api.ask(
    {
      method: 'GET',
      path: path('/api/v1/dynamic-secrets/{name}/leases', { name: dynamicSecret }),
      query: scope(place),
    },
    (body) => read(body, 'a list of leases').list('leases').map(parseLease),
    task,
  );
}

/**
 * A login for as long as this work lasts: it is revoked at its end, after an error and after Stop. When it cannot be,
 * that is a failure too, for then a login is left that nobody wants; its time to live ends it in the end.
 */
export async function withLease<Result>(
  api: InfisicalApi,
  place: LeasePlace,
  wanted: { readonly dynamicSecret: string; readonly ttl?: string },
  work: (lease: NewLease) => Promise<Result>,
  task: Task,
): Promise<Result> {
  const lease = await createLease(api, place, wanted.dynamicSecret, wanted.ttl, task);
  const revoke = () => revokeSurely(api, place, wanted.dynamicSecret, lease, task);
  let result: Result;
  try {
    result = await work(lease);
  } catch (error) {
    // What went wrong first is what is told.
    await revoke().catch(() => undefined);
    throw error;
  }
  await revoke();
  return result;
}

const REVOKE_MS = 60_000;
const REVOKE_PAUSE_MS = 2_000;

/** Ends a lease that nobody wants any more, though Stop was heard; a server that is away is asked again for a minute. */
export async function revokeSurely(
  api: InfisicalApi,
  place: LeasePlace,
  dynamicSecret: string,
  lease: Lease,
  task: Task,
): Promise<void> {
  const last: Task = { ...task, signal: AbortSignal.timeout(REVOKE_MS) };
  for (;;) {
    try {
      await revokeLease(api, place, lease.id, last);
      return;
    } catch (error) {
      const again = isFailure(error, 'infisical_unreachable') || isFailure(error, 'outcome_unknown');
      const waited =
        again &&
        (await pause(REVOKE_PAUSE_MS, last.signal, `lease ${lease.id}`).then(
          () => true,
          () => false,
        ));
      if (waited) continue;
      throw new Failure({
        code: 'lease_not_revoked',
        subject: `lease ${lease.id}`,
        message: `Lease ${lease.id} of ${dynamicSecret} could not be revoked; its login works until ${lease.expiresAt}`,
        nextStep: 'Revoke it in Infisical, or wait for its end.',
        cause: error,
      });
    }
  }
}

function parseLease(body: unknown): Lease {
  const lease = read(body, 'a lease');
  const details = lease.textOr('statusDetails', lease.textOr('status', null));
  return { id: lease.text('id'), expiresAt: lease.text('expireAt'), trouble: details };
}

function scope({ projectSlug, environment, path: folder }: LeasePlace) {
  return { projectSlug, environmentSlug: environment, path: folder };
}
