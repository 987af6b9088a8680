import { parseDescription } from '../../lib/postgres/replication/description';
import { json, text } from '../declaration';
import { hostKeysField, ignoreHoldField } from '../shared/hostFields';

export const CLUSTER_EXAMPLE = JSON.stringify(
  {
    name: 'immich',
    members: [
      { name: 'bruno', address: '10.0.0.2', version: '15' },
      { name: 'eva', address: '10.0.0.3', version: '15' },
    ],
  },
  null,
  2,
);

export const clusterField = json({
  label: 'Cluster',
  required: true,
  default: CLUSTER_EXAMPLE,
  parse: parseDescription,
  description:
    'The members, as JSON. Keep it in one place, for example an inventory, and let every operation read it from there.',
});

export const primaryField = text({
  label: 'Primary',
  placeholder: 'bruno',
  description: 'Name of the member that is the primary. Empty: whom the newest record on the hosts names.',
});

export const memberField = text({
  label: 'Member',
  placeholder: 'eva',
  description: 'Name of the member. Empty: the primary.',
});

export const planHashField = text({
  label: 'Plan Hash',
  description: 'From a dry run: exactly that is done, or nothing. Empty: whatever is needed now.',
});

export const hostOptions = {
  hostKeys: hostKeysField,
};

export const changeOptions = {
  ...hostOptions,
  ignoreHold: ignoreHoldField,
};
