export interface Visits {
  /** How often each text was the answer. */
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: number;
  /** The longest time between two answers. */
  readonly longestOutageMs: number;
}

/** Somebody outside who asks for one page all the time, one question after the other, and counts. */
export function visit(url: string): { readonly end: () => Promise<Visits> } {
  const answers: Record<string, number> = {};
  const state = { failures: 0, longestOutageMs: 0, over: false };
  const visiting = (async () => {
    let last = performance.now();
    while (!state.over) {
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(1_000) });
        const text = (await answer.text()).trim();
        answers[text] = (answers[text] ?? 0) + 1;
        state.longestOutageMs = Math.max(state.longestOutageMs, performance.now() - last);
        last = performance.now();
      } catch {
        state.failures += 1;
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    state.longestOutageMs = Math.round(Math.max(state.longestOutageMs, performance.now() - last));
  })();
  return {
    end: async () => {
      state.over = true;
      await visiting;
      return { answers, failures: state.failures, longestOutageMs: state.longestOutageMs };
    },
  };
}
