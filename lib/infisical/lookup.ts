import type { Lookup } from '../secrets/resolve';
import type { InfisicalApi } from './api';
import { findProject, type Project } from './projects';
import { reveal } from './secret';
import { getSecret } from './secrets';

/**
 * Looks up `infisical:` references, with imports and references inside of values resolved. Projects are looked up once;
 * values are asked for each time, so that a rotated one is never used again.
 */
export function infisicalLookup(api: InfisicalApi): Lookup<'infisical'> {
  const projects = new Map<string, Promise<Project>>();
  return async ({ project: wanted, environment, path, name }, task) => {
    const found = projects.get(wanted) ?? findProject(api, wanted, task);
    projects.set(wanted, found);
    found.catch(() => projects.delete(wanted));
    const { id: projectId } = await found;
    return reveal(await getSecret(api, { projectId, environment, path }, name, {}, task));
  };
}
