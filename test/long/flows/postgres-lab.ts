import { Resolver } from 'node:dns/promises';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { longestGap, overlapping, startLedger } from '../../../lab/commit-ledger';
import { until } from '../../../lab/hosts/waiting';
import { type PairName, type PostgresPair, startPostgresPair } from '../../../lab/postgres-pair';
import type { JsonObject } from '../../../lib/json';
import { editInventory, type Estate } from '../../e2e/estate';
import { inventoryOfPair, type PairEstate, startPairEstate } from './pair-estate';

/** Where clients of the pair are led by a name. */
export const NAME = 'db.pair.cl';

export interface LoadFigures {
  readonly acknowledged: number;
  readonly missing: number;
  readonly overlapping: number;
  /** How often it was the other one that acknowledged. */
  readonly changes: number;
  readonly gapMs: number;
}

/** A pair under the flows that keep it, and what can be seen of it from outside. */
export interface PostgresLab {
  readonly pair: PostgresPair;
  readonly lab: PairEstate;
  readonly estate: Estate;
  readonly addressOf: (name: PairName) => string;
  readonly edit: (...wanted: InventoryWish) => Promise<void>;
  readonly resolved: () => Promise<string | undefined>;
  readonly leadsTo: (name: PairName, within?: number) => Promise<true>;
  readonly takesWrites: (name: PairName) => Promise<boolean>;
  /** Asked at the servers themselves: one primary, whose commits wait for the other. */
  readonly whole: (name: PairName, within?: number) => Promise<true>;
  /** What a member's host has written down of its cluster; empty where it has not. */
  readonly noted: (name: PairName, file: 'journal' | 'record' | 'gate' | 'rewinding') => string;
  readonly statusPage: () => Promise<string>;
  /** As somebody leads clients elsewhere in the console of the provider. */
  readonly pointByHand: (to: PairName) => Promise<void>;
  readonly killN8n: () => Promise<void>;
  readonly startN8n: () => Promise<void>;
  /** What clients saw that commit all the time, from before the work until whom it names has acknowledged more. */
  readonly underLoad: (from: PairName, work: () => Promise<PairName>, everyMs?: number) => Promise<LoadFigures>;
  readonly stop: () => Promise<void>;
}

/** What fails over by itself, and the drill of the calendar. */
type InventoryWish = [failover: readonly string[], drill?: string];

export const other = (name: PairName): PairName => (name === 'bruno' ? 'eva' : 'bruno');

export async function startPostgresLab(): Promise<PostgresLab> {
  const folder = mkdtempSync(join(tmpdir(), 'selfhost-long-pg-flows-'));
  const pair = await startPostgresPair();
  const addressOf = (name: PairName) => pair.member(name).address;
  const inventory = (...[failover, drill = 'switchover of immich']: InventoryWish): JsonObject =>
    inventoryOfPair(
      pair,
      { names: [NAME] },
      {
        drills: [{ name: drill, kind: 'switchover', of: 'immich', everyDays: 30 }],
        automatic: { failover: [...failover] },
      },
    );
  const lab = await startPairEstate(pair, inventory([]));
  const { estate } = lab;
  const zone = lab.cloudflare.addZone('pair.cl');
  lab.cloudflare.addRecord(zone, { name: NAME, type: 'A', content: addressOf('bruno'), ttl: 60, proxied: false });
  const { port } = await lab.cloudflare.serveDns('104.16.0.1');
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  resolver.setServers([`127.0.0.1:${port}`]);

  const resolved = async () => (await resolver.resolve4(NAME))[0];
  const takesWrites = async (name: PairName) =>
    (await pair.sql(name, 'select pg_is_in_recovery()').catch(() => 't')) === 'f';
  const noted: PostgresLab['noted'] = (name, file) => {
    const clusters = join(pair.network.stateFolders[name], 'postgres');
    try {
      return readdirSync(clusters)
        .map((one) => readFileSync(join(clusters, one, file), 'utf8'))
        .join('');
    } catch {
      return '';
    }
  };
  let loads = 0;
  return {
    ...{ pair, lab, estate, addressOf, resolved, takesWrites, noted },
    edit: (...wanted) => editInventory(estate, inventory(...wanted)),
    leadsTo: (name, within = 240_000) =>
      until(`the name leads to ${name}`, within, async () =>
        (await resolved()) === addressOf(name) ? (true as const) : undefined,
      ),
    whole: (name, within = 180_000) =>
      until(`${name} is the primary and ${other(name)} follows synchronously`, within, async () => {
        const seen = await pair.sql(name, 'select sync_state from pg_stat_replication').catch(() => '');
        const alone = seen === 'sync' && (await takesWrites(name)) && !(await takesWrites(other(name)));
        return alone ? (true as const) : undefined;
      }),
    statusPage: async () => await (await fetch(`${estate.own.n8n.url}/webhook/status`)).text(),
    pointByHand: async (to) => {
      for (const { id } of zone.records.values()) {
        const url = `${lab.cloudflare.url}/zones/${zone.id}/dns_records/${id}`;
        const headers = { authorization: `Bearer ${lab.cloudflare.addToken()}`, 'content-type': 'application/json' };
        const body = JSON.stringify({ content: addressOf(to) });
        expect((await fetch(url, { method: 'PATCH', headers, body })).status).toBe(200);
      }
    },
    killN8n: () => estate.own.n8n.kill(),
    startN8n: async () => {
      estate.own.n8n = await estate.own.n8n.restart();
    },
    underLoad: async (from, work, everyMs = 2) => {
      await pair.sql(from, 'truncate public.ledger');
      const file = join(folder, `ledger-${++loads}`);
      const addresses = [addressOf(from), addressOf(other(from))];
      const commits = startLedger({ addresses, login: pair.app, writers: 2, file, everyMs });
      const by = (name: PairName) => commits.acknowledged.filter((one) => one.by === addressOf(name)).length;
      try {
        await until(`${from} acknowledges commits`, 120_000, () => (by(from) >= 50 ? true : undefined));
        const to = await work();
        const before = by(to);
        await until(`${to} acknowledges commits`, 120_000, () => (by(to) >= before + 50 ? true : undefined));
        await commits.freeze();
        const there = new Set((await pair.sql(to, 'select id from public.ledger')).split('\n'));
        const told = readFileSync(file, 'utf8').trim().split('\n');
        const inOrder = [...commits.acknowledged].sort((one, next) => one.at - next.at);
        return {
          acknowledged: told.length,
          missing: told.filter((line) => !there.has(line.split(' ')[0] ?? '')).length,
          overlapping: from === to ? 0 : overlapping(commits.acknowledged, addressOf(from), addressOf(to)).length,
          changes: inOrder.filter((one, index) => index > 0 && one.by !== inOrder[index - 1]?.by).length,
          gapMs: longestGap(commits.acknowledged),
        };
      } finally {
        await commits.freeze();
      }
    },
    stop: async () => {
      await lab.stop();
      await pair.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
