import { Failure } from '../failure';
import type { Host, Identity, PinnedHost } from './host';
import { parseAddress, parsePins } from './pins';

/**
 * Finds the host that a workflow names. A name that is nowhere pinned but could be an address is let through without
 * pins: connecting to it is refused with its fingerprint, so that it can be checked and pinned.
 */
export function selectHost(identity: Identity, wanted: string): Host {
  const name = wanted.trim() === '' ? onlyOrDefault(identity) : wanted.trim();
  const known = findPinned(identity.hosts, name);
  if (known !== undefined) return { identity, target: known };
  const place = parseAddress(name);
  if (place === undefined) {
    throw new Failure({
      code: 'host_unknown',
      subject: `host ${name}`,
      message: `"${name}" is not a pinned host of the credential and not an address`,
      nextStep: `Use one of ${listNames(identity)}, or add it to the credential's host list.`,
    });
  }
  return { identity, target: { name, aliases: [], ...place, pins: [] } };
}

export function findPinned(hosts: readonly PinnedHost[], name: string): PinnedHost | undefined {
  return (
    hosts.find((host) => host.name === name || host.aliases.includes(name)) ??
    hosts.find((host) => host.address === name || `${host.address}:${host.port}` === name)
  );
}

/** Adds the host keys of an inventory. What the credential pins itself stays as it is. */
export function withWorkflowPins(identity: Identity, text: string): Identity {
  const listed = parsePins(text);
  if (listed.length === 0) return identity;
  if (!identity.pinsFromWorkflow) {
    throw new Failure({
      code: 'workflow_pins_refused',
      subject: 'host keys from the workflow',
      message: 'The workflow brings host keys, but the credential does not allow that',
      nextStep: 'Add the hosts to the credential, or switch on "Host Keys From Workflow" in it.',
    });
  }
  const added = listed.filter(
    (host) =>
      !identity.hosts.some((own) => own.name === host.name || (own.address === host.address && own.port === host.port)),
  );
  return { ...identity, hosts: [...identity.hosts, ...added] };
}

function onlyOrDefault(identity: Identity): string {
  const only = identity.hosts.length === 1 ? identity.hosts[0]?.name : undefined;
  const name = identity.defaultHost ?? only;
  if (name !== undefined) return name;
  throw new Failure({
    code: 'host_missing',
    subject: 'host',
    message: 'No host is named, and the credential has no default host',
    nextStep: `Name one of ${listNames(identity)}, or set a default host in the credential.`,
  });
}

function listNames(identity: Identity): string {
  return identity.hosts.length === 0
    ? 'the pinned hosts (there are none yet)'
    : identity.hosts.map(({ name }) => name).join(', ');
}
