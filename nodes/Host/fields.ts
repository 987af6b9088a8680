import { parseIdentity } from '../../lib/host/identity';
import { number, pick, searchable, text } from '../declaration';
import { hostKeysField, ignoreHoldField } from '../shared/hostFields';

const pinnedHosts = searchable('searchHosts', async (asker, filter) => {
  const { hosts } = parseIdentity(await asker.getCredentials('selfhostHost'));
  const wanted = filter.toLowerCase();
  return {
    results: hosts
      .filter(({ name, address }) => `${name} ${address}`.toLowerCase().includes(wanted))
      .map(({ name, address, port }) => ({ name: `${name} (${address}:${port})`, value: name })),
  };
});

/** Which of the credential's hosts; an expression here is how one workflow loops over an inventory. */
export const hostField = pick(pinnedHosts, {
  label: 'Host',
  required: false,
  byHand: 'By Name or Address',
  placeholder: 'bruno',
  description: 'One of the hosts pinned in the credential. Empty: its default host.',
});

/** Options that every operation on a host has; the node's context reads them. */
export const hostOptions = {
  runAs: text({
    label: 'Run As',
    placeholder: 'postgres',
    description: 'User on the host. Empty: root where the credential has a sudo mode, otherwise the user that logs in.',
  }),
  hostKeys: hostKeysField,
};

/** Further options of operations that change something. */
export const changeOptions = {
  ...hostOptions,
  ignoreHold: ignoreHoldField,
};

export const timeoutSeconds = number({
  label: 'Timeout (Seconds)',
  default: 120,
  min: 1,
  max: 86_400,
  description: 'After this the command is ended with all its processes',
});
