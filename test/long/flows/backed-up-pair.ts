import { join } from 'node:path';
import { run } from '../../../lab/hosts/programs';
import { until } from '../../../lab/hosts/waiting';
import type { JsonObject } from '../../../lib/json';
import { configureStanza } from '../../../lib/postgres/pgbackrest/configure';
import { type BackupSeen, readInfo } from '../../../lib/postgres/pgbackrest/info';
import { createStanza } from '../../../lib/postgres/pgbackrest/stanza-commands';
import { setUpReplication } from '../../../lib/postgres/replication/set-up';
import { startStanzaLab, type StanzaLab } from '../../shared/stanza';
import { quietTask } from '../../shared/task';
import { inventoryOfPair, type PairEstate, startPairEstate } from './pair-estate';

/** A pair that pgBackRest can back up, with a thousand photos on it, and the n8n that keeps it. */
export interface BackedUpPair {
  readonly stanza: StanzaLab;
  readonly lab: PairEstate;
  /** At bruno. */
  readonly sql: (text: string) => Promise<string>;
  /** In the copy that a flow has restored beside. */
  readonly inCopy: (text: string) => Promise<string>;
  readonly backups: () => Promise<readonly BackupSeen[]>;
  readonly follows: () => Promise<true>;
  readonly stop: () => Promise<void>;
}

export async function startBackedUpPair(cluster: JsonObject, more: JsonObject = {}): Promise<BackedUpPair> {
  const stanza = await startStanzaLab();
  const { pair, home } = stanza;
  const sql = (text: string) => pair.sql('bruno', text);
  try {
    await configureStanza(stanza.stanza, { ...stanza.wish, allowRestart: true }, quietTask());
    await createStanza(stanza.stanza, { dryRun: false }, quietTask());
    const both = { primary: pair.member('bruno'), standby: pair.member('eva') };
    await setUpReplication(pair.cluster, { ...both, synchronous: true, allowRestart: true }, quietTask());
    await sql('create table photos (id int); insert into photos select generate_series(1, 1000)');
    const kept = { stanza: 'immich', backupConfig: join(home, 'pgbackrest.conf'), scratch: home, ...cluster };
    const lab = await startPairEstate(pair, inventoryOfPair(pair, kept, more));
    return {
      ...{ stanza, lab, sql },
      inCopy: async (text) => {
        const psql = ['psql', '-XAtq', '-h', join(home, 'immich-copy/socket'), '-d', 'postgres', '-c', text];
        return (await run(['setpriv', '--reuid=postgres', '--clear-groups', ...psql])).trim();
      },
      backups: async () => (await readInfo(stanza.stanza, {}, quietTask())).backups,
      follows: () =>
        until('eva follows bruno, and commits wait for it', 300_000, async () =>
          (await sql('select sync_state from pg_stat_replication').catch(() => '')) === 'sync' ? true : undefined,
        ),
      stop: async () => {
        await lab.stop();
        await pair.stop();
      },
    };
  } catch (error) {
    await pair.stop();
    throw error;
  }
}
