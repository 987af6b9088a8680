import { join } from 'node:path';
import { configureStanza } from '../lib/postgres/pgbackrest/configure';
import { awaitStreaming } from '../lib/postgres/replication/replica';
import type { PostgresPair } from './postgres-pair';

const quiet = { signal: new AbortController().signal, progress: () => undefined, owner: 'lab' };

/**
 * pgBackRest on both members, with a repository that nobody reaches: an address whose packets vanish, so that every
 * archive-push hangs until pgBackRest itself gives up.
 */
export async function archiveToNowhere(pair: PostgresPair, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const nowhere = pair.network.address.replace(/\d+$/, '99');
  for (const name of ['bruno', 'eva'] as const) {
    const member = pair.member(name);
    const home = member.socketFolder;
    const stanza = { name: 'immich', cluster: pair.cluster, member, config: join(home, 'pgbackrest.conf') };
    const secrets = { key: 'key-of-the-lab', keySecret: 'key-secret-of-the-lab', cipherPassword: 'cipher-of-the-lab' };
    const place = { path: '/immich', bucket: 'backups', endpoint: nowhere, region: 'lab', pathStyle: true };
    const wish = {
      repositories: [{ kind: 's3' as const, retentionFull: 2, ...place, ...secrets }],
      options: { 'log-path': join(home, 'pgbackrest-logs'), 'lock-path': join(home, 'pgbackrest-lock'), ...more },
      allowRestart: true,
    };
    await configureStanza(stanza, wish, quiet);
    if (name === 'bruno') await awaitStreaming(pair.cluster, member, pair.member('eva'), 60_000, quiet);
  }
  await awaitStreaming(pair.cluster, pair.member('bruno'), pair.member('eva'), 60_000, quiet);
}
