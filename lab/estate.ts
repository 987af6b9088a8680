import type { LabHostAccess } from './hosts/lab-hosts';
import type { JsonObject } from '../lib/json';

/** The lab's hosts as one credential of n8n: one login, and every host key that is trusted. */
export function labCredential(hosts: readonly LabHostAccess[]): JsonObject {
  const [first] = hosts;
  if (first === undefined) throw new Error('The lab has no hosts');
  const pins = hosts.flatMap(({ name, address, port, pins: keys }) =>
    keys.map(({ fingerprint }) => `${name}=${address}:${port} ${fingerprint}`),
  );
  return {
    user: first.user,
    login: 'key',
    privateKey: first.privateKey,
    hosts: pins.join('\n'),
    defaultHost: first.name,
    sudo: first.user === 'root' ? 'none' : 'passwordless',
  };
}
