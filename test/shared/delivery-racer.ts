import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { NO_FILTER } from '../../lib/forgejo/webhook/filter';
import { keptDeliveries } from '../../lib/forgejo/webhook/kept-deliveries';
import { receive } from '../../lib/forgejo/webhook/receive';
import type { Database } from '../../lib/postgres/connection';
import { postgresState } from '../../lib/state/postgres';
import { quietTask } from './task';

/** One webhook processor, which gets every delivery. */
export interface DeliveryRace {
  readonly database: Database;
  readonly secret: string;
  readonly deliveries: readonly { readonly headers: Readonly<Record<string, string>>; readonly body: string }[];
}

async function main([folder = '', index = '']: string[]): Promise<void> {
  const { database, secret, deliveries } = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as DeliveryRace;
  const store = postgresState(database, quietTask());
  const expected = {
    trigger: 'workflow/node/webhook',
    secrets: [{ generation: 1, secret }],
    mostBytes: 1024 * 1024,
    filter: NO_FILTER,
    memory: keptDeliveries(store),
  };
  const kinds = await Promise.all(
    deliveries.map(
      async ({ headers, body }) => (await receive({ headers, rawBody: Buffer.from(body) }, expected)).kind,
    ),
  );
  writeFileSync(join(folder, `answer-${index}.json`), JSON.stringify(kinds));
  await store.close();
}

void main(process.argv.slice(2));
