import type { DnsProvider } from '../../../lib/dns/provider';
import type { Task } from '../../../lib/task';
import type { Field, operationsWith } from '../../declaration';
import type { Controls } from '../controls';

/** What every operation on the records of a zone works with, whatever the provider. */
export interface DnsContext {
  readonly controls: Controls;
}

/** A zone that was found, with its name in full. */
export interface OpenZone {
  readonly zone: string;
  readonly dns: DnsProvider;
}

/** A provider as its node knows it. */
export interface DnsPlace<Context extends DnsContext> {
  readonly operation: ReturnType<typeof operationsWith<Context>>;
  readonly zoneField: Field<string>;
  readonly open: (call: Context & { readonly task: Task }, named: string) => Promise<OpenZone>;
  /** What may stand in a record, for its description: `ttl, comment and priority`. */
  readonly optional: string;
  /** Whether visitors can go through the provider. */
  readonly proxies: boolean;
}
