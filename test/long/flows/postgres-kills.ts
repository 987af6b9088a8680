import { existsSync } from 'node:fs';
import type { PairName } from '../../../lab/postgres-pair';
import { STEPS, type Step } from '../../../lib/postgres/replication/journal';
import { troublesIn } from '../../e2e/troubles';
import type { Boundary } from './boundary';
import { other, type PostgresLab } from './postgres-lab';

type Fact = Boundary['reached'];

/** How far the flows of a pair have come, and an n8n that is killed there. */
export interface Kills {
  readonly becomes: (boundary: Boundary, within?: number) => Promise<void>;
  readonly killed: (called: string) => Promise<void>;
  /** Begun again after each kill, as whoever heard nothing does. */
  readonly goThrough: (begin: () => Promise<void>, boundaries: readonly Boundary[]) => Promise<void>;
  readonly fieldOf: (name: PairName, file: 'journal' | 'record', field: string) => string;
  readonly newestEpoch: () => number;
  /** The journal of a promotion that is younger than `epoch` has come at least so far. */
  readonly cameTo: (to: PairName, epoch: number, step: Step) => () => boolean;
  /** Its host has written down that the other one is to be the primary. */
  readonly isTold: (name: PairName) => boolean;
  readonly runsOn: (name: PairName) => boolean;
  readonly wasSaid: (text: string) => () => boolean;
  readonly leads: (name: PairName) => Fact;
  readonly asks: (name: PairName, statement: string, answer: RegExp) => Fact;
  readonly syncs: (name: PairName) => Fact;
  readonly form: (fields: { readonly back?: 'Yes' | 'No'; readonly to?: string }) => Promise<void>;
  /** For the beginning of each test: n8n is up, and what was said before counts no more. */
  readonly begin: () => Promise<void>;
  /** Since then nobody was told that something was not done. */
  readonly nothingRefused: () => void;
}

export function killsIn(world: PostgresLab): Kills {
  const { lab, estate, pair } = world;
  /** Looked at so often that little comes between what is waited for and the kill. */
  async function becomes({ called, reached }: Boundary, within = 300_000): Promise<void> {
    for (const end = Date.now() + within; !(await reached());) {
      if (Date.now() > end) {
        const stands = [standing('bruno'), standing('eva'), ...lab.since().map(({ text }) => text)].join('\n');
        throw new Error(`${called}: not so after ${within} ms\n${stands}\n${await troublesIn(estate.own)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 3));
    }
  }

  const fieldOf = (name: PairName, file: 'journal' | 'record', field: string) =>
    new RegExp(`^${field}=(.*)$`, 'm').exec(world.noted(name, file))?.[1] ?? '';
  const runsOn = (name: PairName) => existsSync(pair.member(name).dataFolder) && pair.processes(name).length > 0;
  const standing = (name: PairName) => {
    const journal = ['kind', 'epoch', 'from', 'step'].map((field) => fieldOf(name, 'journal', field)).join(' ');
    const record = ['epoch', 'primary', 'promotable'].map((field) => fieldOf(name, 'record', field)).join(' ');
    const gate = world.noted(name, 'gate') === '' ? 'open' : 'closed';
    return `${name}: journal ${journal}; record ${record}; gate ${gate}; ${runsOn(name) ? 'runs' : 'is stopped'}`;
  };
  const newestEpoch = () =>
    Math.max(...(['bruno', 'eva'] as const).map((name) => Number(fieldOf(name, 'journal', 'epoch'))), 1);
  /** The journal of a promotion that is younger than `epoch` has come at least so far. */
  const cameTo = (to: PairName, epoch: number, step: Step) => (): boolean => {
    const now = STEPS.find((one) => one === fieldOf(to, 'journal', 'step'));
    if (now === undefined || now === 'abandoned' || Number(fieldOf(to, 'journal', 'epoch')) <= epoch) return false;
    return STEPS.indexOf(now) >= STEPS.indexOf(step);
  };
  const isTold = (name: PairName) => fieldOf(name, 'record', 'primary') === other(name);
  const wasSaid = (text: string) => () => lab.since().some((one) => one.text.includes(text));
  const leads = (name: PairName) => async () => (await world.resolved()) === world.addressOf(name);
  const asks = (name: PairName, statement: string, answer: RegExp) => async () =>
    answer.test(await pair.sql(name, statement).catch(() => ''));
  const syncs = (name: PairName) => asks(name, 'select sync_state from pg_stat_replication', /^sync$/);

  async function killed(called: string): Promise<void> {
    await world.killN8n();
    console.log(`killed when ${called}\n${standing('bruno')}\n${standing('eva')}`);
  }

  /** Begun again after each kill, as whoever heard nothing does. */
  async function goThrough(begin: () => Promise<void>, boundaries: readonly Boundary[]): Promise<void> {
    for (const boundary of boundaries) {
      await begin();
      await becomes(boundary);
      await killed(boundary.called);
      await world.startN8n();
    }
  }

  let before = 0;
  return {
    ...{ becomes, killed, goThrough, fieldOf, newestEpoch, cameTo, isTold, runsOn, wasSaid, leads, asks, syncs },
    form: ({ back = 'No', to = '' }) => lab.submit('postgres-switchover', { cluster: 'immich', back, to }),
    begin: async () => {
      // Where the test before has failed.
      if (!estate.own.n8n.main.isRunning()) await world.startN8n();
      before = estate.telegram.messages.length;
    },
    nothingRefused: () => {
      const texts = estate.telegram.messages.slice(before).map(({ text }) => text);
      expect(texts.filter((text) => /\bNOT\b|did not come to its end/.test(text))).toEqual([]);
    },
  };
}
