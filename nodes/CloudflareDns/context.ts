import { type CloudflareApi, cloudflareApi } from '../../lib/cloudflare/api';
import { parseCloudflareCredential } from '../../lib/cloudflare/credential';
import { type CloudflareZone, getZone, zoneNamed } from '../../lib/cloudflare/zones';
import type { ContextQuestion } from '../declaration';
import { controlsOf } from '../shared/controls';
import type { CloudflareContext } from './operation';

interface Shared {
  readonly api: CloudflareApi;
  readonly zones: Map<string, Promise<CloudflareZone>>;
}

/** Items of one execution share connections and zones. Gone with the execution. */
const shared = new WeakMap<object, Map<string, Shared>>();

export async function cloudflareContext({
  execute,
  itemIndex,
  task,
}: ContextQuestion): Promise<CloudflareContext & { readOnly: boolean }> {
  const { readOnly, ...settings } = parseCloudflareCredential(
    await execute.getCredentials('selfhostCloudflare', itemIndex),
  );
  const ofExecution = shared.get(execute) ?? new Map<string, Shared>();
  shared.set(execute, ofExecution);
  const key = `${settings.baseUrl} ${settings.token}`;
  const ofCredential: Shared = ofExecution.get(key) ?? { api: cloudflareApi(settings), zones: new Map() };
  ofExecution.set(key, ofCredential);
  const { api, zones } = ofCredential;
  return {
    api,
    readOnly,
    controls: await controlsOf(execute, itemIndex),
    findZone: (named) => {
      const known = zones.get(named);
      if (known !== undefined) return known;
      const found = /^[0-9a-f]{32}$/.test(named) ? getZone(api, named, task) : zoneNamed(api, named, task);
      zones.set(named, found);
      // A failure is not kept: the next item asks again.
      found.catch(() => zones.delete(named));
      return found;
    },
  };
}
