import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../lab/hosts/programs';
import { startPostgresPair, type PostgresPair } from '../../lab/postgres-pair';
import type { ConfigurationWish } from '../../lib/postgres/pgbackrest/configure';
import type { Stanza } from '../../lib/postgres/pgbackrest/stanza';
import { failureOf } from './failure';

export const CIPHER_PASSWORD = 'the-cipher-password-of-the-lab';

export interface StanzaLab {
  readonly pair: PostgresPair;
  readonly stanza: Stanza;
  /** Everything of bruno lies here: its data, its repository, pgBackRest's logs. */
  readonly home: string;
  readonly wish: ConfigurationWish;
  /** Nothing but letters where a path of this run would stand. */
  readonly plain: (text: string) => string;
  /** What somebody would read who meets it. */
  readonly failureOf: (work: Promise<unknown>) => Promise<{ readonly code: string; readonly read: string }>;
  /** The time of the server. */
  readonly now: () => Promise<string>;
}

/** A pair with a place for a repository beside its primary; nothing is configured yet. */
export async function startStanzaLab(settings: Readonly<Record<string, string>> = {}): Promise<StanzaLab> {
  const pair = await startPostgresPair(settings);
  const member = pair.member('bruno');
  const home = member.socketFolder;
  for (const folder of ['repo', 'logs']) await mkdir(join(home, folder));
  await run(['chown', 'postgres:', join(home, 'repo'), join(home, 'logs')]);
  const plain = (text: string) => text.replaceAll(home, 'HOME');
  return {
    pair,
    home,
    plain,
    stanza: { name: 'immich', cluster: pair.cluster, member, config: join(home, 'pgbackrest.conf') },
    wish: {
      repositories: [{ kind: 'folder', path: join(home, 'repo'), retentionFull: 2, cipherPassword: CIPHER_PASSWORD }],
      options: { 'log-path': join(home, 'logs'), 'lock-path': join(home, 'lock') },
    },
    failureOf: async (work) => {
      const { code, message, nextStep } = await failureOf(work);
      return { code, read: plain(`${message}. ${nextStep}`) };
    },
    now: async () => {
      const seconds = await pair.sql('bruno', 'select floor(extract(epoch from clock_timestamp()) * 1000)');
      return new Date(Number(seconds)).toISOString();
    },
  };
}
