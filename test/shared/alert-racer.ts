import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Report } from '../../lib/alert/report';
import { happen } from '../../lib/alert/store';
import type { Database } from '../../lib/postgres/connection';
import { postgresState } from '../../lib/state/postgres';
import { quietTask } from './task';

export interface AlertRace {
  readonly database: Database;
  /** What every racer reports, one after the other, at this time by the clock of the reducer. */
  readonly batches: readonly { readonly now: number; readonly reports: readonly Report[] }[];
}

/** Reports like an execution of its own, and writes down the ids of the messages it was given. */
async function main([folder = '', index = '']: string[]): Promise<void> {
  const { database, batches } = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as AlertRace;
  const store = postgresState(database, quietTask());
  const given: string[] = [];
  for (const { now, reports } of batches) {
    const messages = await happen(store, 'race', { kind: 'reports', reports }, () => now);
    given.push(...messages.map(({ id }) => id));
  }
  writeFileSync(join(folder, `answer-${index}.json`), JSON.stringify(given));
  await store.close();
}

void main(process.argv.slice(2));
