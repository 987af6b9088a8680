import { Failure } from '../failure';
import { knownAs, newHostKey, type NewHostKey, publicKeyOf } from '../host/new-host-key';
import type { Item } from './resource';
import type { servers } from './resources/compute';
import type { Labels } from './shape';

/** Where the public half stays, so that whoever finds the server again knows its key, too. */
export const hostKeyLabel = 'ssh-host-key';

const prefix = 'ed25519.';

export interface KnownHostKey {
  readonly keyType: string;
  readonly fingerprint: string;
  readonly publicKey: string;
  /** For the host list of a Host credential, or for pins that a workflow gives. */
  readonly pinLine: string;
  readonly knownHosts: string;
}

export function makeHostKey(): { readonly key: NewHostKey; readonly labels: Labels } {
  const key = newHostKey();
  // Labels end with a letter or digit, and the last character of 32 bytes in base64url always is one.
  return { key, labels: { [hostKeyLabel]: `${prefix}${key.raw.toString('base64url')}` } };
}

type Server = Pick<Item<typeof servers>, 'name' | 'labels' | 'ipv4' | 'ipv6' | 'privateIps'>;

/** The host key that a server was created with, as its label tells; undefined where there is none. */
export function hostKeyOf({ name, labels, ...server }: Server): KnownHostKey | undefined {
  const value = labels[hostKeyLabel];
  const raw = Buffer.from(value?.startsWith(prefix) === true ? value.slice(prefix.length) : '', 'base64url');
  const address = server.ipv4 ?? firstOf(server.ipv6) ?? server.privateIps[0];
  if (raw.length !== 32 || address === undefined) return undefined;
  return { publicKey: publicKeyOf(raw), ...knownAs(raw, name, address) };
}

/** Hetzner shows the network, and gives the server its first address. */
function firstOf(network: string | null): string | undefined {
  return network?.replace(/::\/64$/, '::1');
}

export function noHostKey(name: string): Failure {
  return new Failure({
    code: 'host_key_unknown',
    subject: `server ${name}`,
    message: `The server ${name} has no address, or its label ${hostKeyLabel} holds no host key, so there is no pin for it`,
    nextStep: 'Give it an address or a private network, or read its host key on its console and pin it by hand.',
  });
}
