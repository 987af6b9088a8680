import type { PinnedHost } from '../lib/host/host';

/** A host of the lab with the login that opens it. */
export interface LabHost extends PinnedHost {
  readonly user: string;
  readonly privateKey: string;
}

export interface LabHosts {
  readonly hosts: readonly LabHost[];
  stop(): Promise<void>;
}

/** The lab's hosts, and with what they are entered into n8n. */
export async function startLabHosts(_folder: string): Promise<LabHosts> {
  return { hosts: [], stop: () => Promise.resolve() };
}
