import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ForgejoStandIn, startForgejo } from '../../../lab/standins/forgejo';
import { openWorkTree, type WorkTree } from '../../../lab/work-tree';
import type { JsonObject } from '../../../lib/json';
import { PUBLIC } from '../../e2e/estate';
import { forgejoCredential, secretsCredential } from './credentials';

/** A Forgejo with one repository of its administrator, and somebody who works in it. */
export interface Forge {
  readonly forgejo: ForgejoStandIn;
  /** Of the administrator, and what an inventory calls GIT_TOKEN. */
  readonly token: string;
  readonly tree: WorkTree;
  readonly repositoryUrl: string;
  /** As an inventory has it. */
  readonly git: JsonObject;
  readonly credentials: ReturnType<typeof credentialsOf>;
  readonly stop: () => Promise<void>;
}

const credentialsOf = (url: string, token: string) => ({
  Forgejo: forgejoCredential(url, token),
  'Named secrets': secretsCredential(`GIT_TOKEN=${token}`),
});

/** Its webhooks go to the n8n that stands at this address when it is asked. */
export async function startForge(repository: string, n8nUrl?: () => string): Promise<Forge> {
  const description: unknown = JSON.parse(readFileSync(join(__dirname, '../../contracts/forgejo-16.json'), 'utf8'));
  const forgejo = await startForgejo({
    description,
    ...(n8nUrl && { deliveryTimeoutMs: 30_000, deliverTo: (url: string) => url.replace(PUBLIC, n8nUrl()) }),
  });
  try {
    forgejo.addUser('root', true);
    await forgejo.addRepository('root', repository);
    const token = forgejo.addToken('root');
    const repositoryUrl = `${forgejo.url}/root/${repository}.git`;
    const tree = await openWorkTree(repositoryUrl, { user: 'root', password: token });
    const stop = async () => {
      await Promise.all([forgejo.close(), tree.remove()]);
    };
    const git = { url: forgejo.url, user: 'root', token: 'credential:GIT_TOKEN' };
    return { forgejo, token, tree, repositoryUrl, git, credentials: credentialsOf(forgejo.url, token), stop };
  } catch (error) {
    await forgejo.close();
    throw error;
  }
}
