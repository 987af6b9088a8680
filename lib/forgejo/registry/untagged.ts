import type { ForgejoApi } from '../api';
import { listPackages } from '../packages';
import type { ProbeSettings } from './probe';

/** The registry lists tags only; the packages of the server know the rest. */
export function untaggedManifests(api: ForgejoApi): ProbeSettings['untagged'] {
  return async (images, task) => {
    const found = new Map<string, string[]>(images.map((image) => [image, []]));
    for (const owner of new Set(images.map((image) => image.split('/', 1)[0] ?? ''))) {
      task.progress({ message: `Listing the container packages of ${owner}` });
      for (const { name, version } of await listPackages(api, { owner, type: 'container', search: '' }, task)) {
        if (version.startsWith('sha256:')) found.get(`${owner}/${name}`.toLowerCase())?.push(version);
      }
    }
    return found;
  };
}
