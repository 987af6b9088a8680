import { Failure } from '../../../../lib/failure';
import { scanHostKeys } from '../../../../lib/host/host-keys';
import { parseAddress } from '../../../../lib/host/pins';
import { findPinned } from '../../../../lib/host/select';
import { optional, schema, text } from '../../../declaration';
import { operation } from '../../operation';

export const scanHostKeysOperation = operation({
  resource: 'hostKey',
  name: 'scan',
  action: 'Scan the host keys of an address',
  description:
    'Gives the keys that a server shows, as lines for the credential. Compare them on the server itself before you pin them. Nothing is sent to it.',
  effect: 'reads',
  input: {
    address: text({
      required: true,
      placeholder: '203.0.113.7:22',
      description: 'Address, or the name of a pinned host',
    }),
    options: optional({ name: text({ placeholder: 'bruno', description: 'What the host is called in the lines' }) }),
  },
  output: schema.object({
    address: schema.string(),
    port: schema.integer(),
    keyType: schema.string(),
    fingerprint: schema.string(),
    bits: schema.nullable(schema.integer()),
    pinLine: schema.string('For the host list of the credential'),
    state: schema.oneOf(['same', 'changed', 'new'], 'Against what is pinned'),
  }),
  run: async ({ input, identity, task }) => {
    const pinned = findPinned(identity.hosts, input.address);
    const place = pinned ?? parseAddress(input.address);
    if (place === undefined) {
      throw new Failure({
        code: 'invalid_parameter',
        subject: 'Address',
        message: `"${input.address}" is not an address`,
        nextStep: 'Write a name or an IP address, with :port where it is not 22.',
      });
    }
    const jumpHost = identity.jumpHost === undefined ? undefined : findPinned(identity.hosts, identity.jumpHost);
    const jump = jumpHost === undefined || jumpHost.name === pinned?.name ? undefined : { identity, target: jumpHost };
    const settings = { jump, name: input.options.name ?? pinned?.name, pins: pinned?.pins };
    const keys = await scanHostKeys(place.address, place.port, settings, task);
    return keys.map((key) => ({ address: place.address, port: place.port, ...key }));
  },
});
