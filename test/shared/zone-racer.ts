import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { cloudflareApi } from '../../lib/cloudflare/api';
import { zoneNamed } from '../../lib/cloudflare/zones';
import { carryOut, makePlan } from '../../lib/dns/carry-out';
import { parseDesiredRecords } from '../../lib/dns/desired';
import { cloudflareDns } from '../../lib/dns/providers/cloudflare';
import type { Database } from '../../lib/postgres/connection';
import { postgresState } from '../../lib/state/postgres';
import { quietTask } from './task';

/** Several processes that each want the same zone for themselves, again and again. */
export interface ZoneRace {
  readonly database: Database;
  readonly baseUrl: string;
  /** One for each racer, so that the server can tell them apart. */
  readonly tokens: readonly string[];
  readonly zone: string;
  readonly rounds: number;
}

async function main([folder = '', index = '']: string[]): Promise<void> {
  const race = JSON.parse(readFileSync(join(folder, 'plan.json'), 'utf8')) as ZoneRace;
  const task = { ...quietTask(), owner: `racer ${index}` };
  const store = postgresState(race.database, quietTask());
  const api = cloudflareApi({ baseUrl: race.baseUrl, token: race.tokens[Number(index)] ?? '' });
  const dns = cloudflareDns(api, await zoneNamed(api, race.zone, task));
  const writes: number[] = [];
  for (let round = 0; round < race.rounds; round += 1) {
    const names = ['a', 'b', 'c'].map((name) => ({
      name: `${name}-${index}-${round}`,
      type: 'A',
      content: '203.0.113.7',
    }));
    const desired = parseDesiredRecords(names, race.zone);
    const { report } = await carryOut(
      dns,
      {
        zone: race.zone,
        hash: '',
        dryRun: false,
        lock: { store, whenUnreachable: 'refuse' },
        plan: (during) => makePlan(dns, { zone: race.zone, desired, owner: 'n8n', mode: 'full-sync' }, during),
      },
      task,
    );
    writes.push(report?.writes ?? 0);
  }
  writeFileSync(join(folder, `answer-${index}.json`), JSON.stringify(writes));
  api.close();
  await store.close();
}

void main(process.argv.slice(2));
