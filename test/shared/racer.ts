import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { closeSessions } from '../../lib/host/sessions';
import { fileState } from '../../lib/state/files';
import { postgresState } from '../../lib/state/postgres';
import type { Race } from './racers';
import { quietTask } from './task';

async function main([folder = '', index = '']: string[]): Promise<void> {
  const { place, onceKeys, counter, increments } = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as Race;
  const store =
    place.kind === 'files'
      ? fileState(place.host, { folder: place.folder }, quietTask())
      : postgresState(place.database, quietTask());
  const answers = await Promise.all(onceKeys.map((key) => store.once(key, 600_000)));
  for (let count = 0; count < increments; count += 1) {
    await store.update(counter, (value) => Number(value ?? 0) + 1);
  }
  writeFileSync(join(folder, `answer-${index}.json`), JSON.stringify(answers));
  await store.close();
  await closeSessions();
}

void main(process.argv.slice(2));
