import { type Ledger, openLedger } from './hosts/ledger';

export interface Together {
  readonly ledger: Ledger;
  /** What was started ends with the rest, and before what was started earlier. */
  readonly keep: <One extends { stop(): Promise<unknown> }>(one: One) => One;
  readonly stop: () => Promise<void>;
}

/** Starts several things that end together; what had started ends also when the next one cannot. */
export async function startTogether<All>(start: (together: Together) => Promise<All>): Promise<All> {
  const ledger = await openLedger();
  const kept: { stop(): Promise<unknown> }[] = [{ stop: () => ledger.clear() }];
  const stop = async () => {
    for (const one of kept.splice(0).reverse()) await one.stop();
  };
  const keep: Together['keep'] = (one) => {
    kept.push(one);
    return one;
  };
  try {
    return await start({ ledger, keep, stop });
  } catch (error) {
    await stop();
    throw error;
  }
}
