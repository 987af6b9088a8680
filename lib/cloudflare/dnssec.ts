import { path } from '../http/path';
import type { Task } from '../task';
import type { CloudflareApi } from './api';
import { Fields } from './fields';

export interface Dnssec {
  /** `pending` until the parent zone has the DS record, `pending-disabled` until it has it no more. */
  readonly status: string;
  /** The DS record for the registrar; empty when DNSSEC is off. */
  readonly ds: string;
  readonly keyTag?: number;
  readonly algorithm: string;
  readonly digestType: string;
  readonly digest: string;
  readonly publicKey: string;
}

export function getDnssec(api: CloudflareApi, zone: string, task: Task): Promise<Dnssec> {
  return api.ask({ method: 'GET', path: dnssecPath(zone) }, parseDnssec, task);
}

/** Before it is switched off, the DS record must be gone from the registrar, or the zone cannot be resolved. */
export function setDnssec(
  api: CloudflareApi,
  zone: string,
  status: 'active' | 'disabled',
  task: Task,
): Promise<Dnssec> {
  const request = { method: 'PATCH', path: dnssecPath(zone), body: { json: { status } }, idempotent: true } as const;
  return api.ask(request, parseDnssec, task);
}

function dnssecPath(zone: string) {
  return path('/zones/{zone}/dnssec', { zone });
}

function parseDnssec(value: unknown): Dnssec {
  const dnssec = Fields.of(value, 'the DNSSEC of a zone');
  const keyTag = dnssec.optionalNumber('key_tag');
  return {
    status: dnssec.text('status'),
    ds: dnssec.optionalText('ds') ?? '',
    ...(keyTag !== undefined && { keyTag }),
    algorithm: dnssec.optionalText('algorithm') ?? '',
    digestType: dnssec.optionalText('digest_type') ?? '',
    digest: dnssec.optionalText('digest') ?? '',
    publicKey: dnssec.optionalText('public_key') ?? '',
  };
}
