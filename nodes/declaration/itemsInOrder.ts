export interface Outcome<Value> {
  readonly index: number;
  readonly result: { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly error: unknown };
}

export interface ItemsInOrderSettings {
  readonly parallel: number;
  /** Nothing new is started after it; what runs is waited for. */
  readonly signal: AbortSignal;
  /** True: nothing new is started after the first failure either. */
  readonly stopAtFailure: boolean;
}

/**
 * Works on items 0 to count - 1, several at a time, and gives the outcomes in the order of the items. Items that were
 * never begun are missing from it. It returns when nothing runs any more.
 */
export async function itemsInOrder<Value>(
  count: number,
  work: (index: number) => Promise<Value>,
  { parallel, signal, stopAtFailure }: ItemsInOrderSettings,
): Promise<readonly Outcome<Value>[]> {
  const outcomes: Outcome<Value>[] = [];
  let next = 0;
  let failed = false;
  const worker = async () => {
    while (next < count && !signal.aborted && !(failed && stopAtFailure)) {
      const index = next++;
      try {
        outcomes.push({ index, result: { ok: true, value: await work(index) } });
      } catch (error) {
        failed = true;
        outcomes.push({ index, result: { ok: false, error } });
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, count) }, worker));
  return outcomes.sort((a, b) => a.index - b.index);
}
