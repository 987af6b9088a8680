import { loadavg } from 'node:os';
import { clock } from '../../lab/commit-ledger';
import { messageOf } from '../../lib/failure';
import type { PairName } from '../../lab/postgres-pair';
import { addResult, type Trial } from './results';
import { startLoad, stopLoads, type Load, type Site } from './site';

export interface Bench {
  readonly file: string;
  readonly commit: string;
  readonly say: (text: string) => void;
  /** Multiplies how often each fault is tried. */
  readonly rounds: number;
  readonly section: string;
}

export interface Fault {
  readonly name: string;
  /** Resolves with when it struck, on `clock`, where that is not when it was called. */
  readonly strike: (
    site: Site,
    roles: { readonly from: PairName; readonly to: PairName },
  ) => Promise<number | undefined>;
  /** How long until the other one must take writes. */
  readonly deadlineMs?: number;
  /** What happens when the new primary takes writes: the old one comes back to life. */
  readonly after?: (site: Site, load: Load) => Promise<void>;
  /** Who takes writes in the end; the former standby unless said otherwise. A rival may start the old primary again. */
  readonly survivor?: 'from' | 'to' | 'either';
  /** Acknowledged before the fault, and again afterwards. */
  readonly commits?: { readonly before: number; readonly after: number };
  /** Facts for the report, and what was wrong, when the writers have ended. */
  readonly facts?: () => Partial<Trial> | Promise<Partial<Trial>>;
  /** Brings the pair back to health. */
  readonly recover?: (site: Site) => Promise<Trial['rejoin']>;
}

/** One fault under load. What goes wrong in it is a result, too, and ends only this trial. */
export async function runTrial(bench: Bench, site: Site, fault: Fault): Promise<Trial | undefined> {
  const { from, to } = site.roles();
  const about = { section: bench.section, system: site.system, fault: fault.name };
  const at = new Date().toISOString();
  const load = loadavg()[0] ?? 0;
  const { before, after } = fault.commits ?? { before: 1_000, after: 400 };
  try {
    const writers = await startLoad(site);
    await writers.writes(from, before);
    const called = clock();
    const struck = (await fault.strike(site, { from, to })) ?? called;
    let survivor = fault.survivor === 'from' ? from : to;
    if (fault.survivor === 'either') survivor = await writers.whoWrites(after, fault.deadlineMs);
    else await writers.writes(survivor, after, fault.deadlineMs);
    const first = writers.firstAfter(survivor, struck);
    await fault.after?.(site, writers);
    if (fault.after !== undefined) await writers.writes(survivor, 200);
    const account = await writers.settle(survivor);
    const facts = (await fault.facts?.()) ?? {};
    const rejoin = await fault.recover?.(site);
    const writableMs = first === undefined || survivor === from ? null : Math.round(first - struck);
    const kept = fault.survivor === 'either' && survivor === from ? ['the old primary takes writes again'] : [];
    const trial: Trial = {
      ...{ at, commit: bench.commit, ...about, ...account, writableMs, wrong: kept, load },
      ...facts,
      ...(rejoin && { rejoin }),
    };
    addResult(bench.file, trial);
    const { gapMs, acknowledged, missing, overlapping, wrong } = trial;
    bench.say(
      `${site.system}, ${fault.name}: ${gapMs} ms without a commit, ${acknowledged} acknowledged, ${missing} missing, ${overlapping} overlapping${wrong.length > 0 ? `, WRONG: ${wrong.join('; ')}` : ''}${rejoin ? `, ${rejoin.method} in ${rejoin.ms} ms` : ''}`,
    );
    return trial;
  } catch (error) {
    await stopLoads();
    const why = messageOf(error).slice(0, 2_000);
    addResult(bench.file, { at, ...about, why });
    bench.say(`${site.system}, ${fault.name}: BROKEN: ${why}`);
    throw error;
  }
}
