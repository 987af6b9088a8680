import { text } from '../../../declaration';

/** Which packages. */
export const packagesField = {
  owner: text({ label: 'Owner', required: true, placeholder: 'kua', description: 'User or organization' }),
  type: text({ label: 'Type', placeholder: 'container', description: 'Kind of registry. Empty: all.' }),
  search: text({ label: 'Name Contains', description: 'Empty: all packages' }),
};
