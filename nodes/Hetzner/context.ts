import { sharedApi } from '../../lib/hetzner/api';
import { parseHetznerCredential } from '../../lib/hetzner/credential';
import type { ContextQuestion } from '../declaration';
import { controlsOf } from '../shared/controls';
import { secretSourcesOf } from '../shared/secretSources';
import type { HetznerContext } from './operation';

export async function hetznerContext({
  execute,
  itemIndex,
}: ContextQuestion): Promise<HetznerContext & { readOnly: boolean }> {
  const { readOnly, ...settings } = parseHetznerCredential(await execute.getCredentials('selfhostHetzner', itemIndex));
  return {
    api: sharedApi(settings),
    secrets: await secretSourcesOf(execute, itemIndex),
    controls: await controlsOf(execute, itemIndex),
    readOnly,
  };
}
