import type { Task } from '../task';
import type { ForgejoApi } from './api';
import { endpoint } from './endpoint';
import { fieldsOf } from './fields';

const currentUser = endpoint('GET', '/user', (body) => fieldsOf(body, 'the user of the token').text('login'));
const ownOrganizations = endpoint('GET', '/user/orgs', (body) => {
  const organization = fieldsOf(body, 'an organization');
  return organization.textOrNull('name') ?? organization.text('username');
});

/** Below whom the token can make repositories: its user, and the user's organizations. */
export async function findOwners(api: ForgejoApi, task: Task): Promise<readonly string[]> {
  const login = await api.call(currentUser, { at: {} }, task);
  const { items } = await api.list(ownOrganizations, { at: {} }, task);
  return [login, ...items];
}
