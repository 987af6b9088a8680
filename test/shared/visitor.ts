export interface Visits {
  readonly requests: number;
  /** How often each text was the answer. */
  readonly answers: Readonly<Record<string, number>>;
  readonly failures: number;
  /** How often it went away: failures in a row are one. */
  readonly outages: number;
  /** The longest time between two answers. */
  readonly longestOutageMs: number;
  /** The longest time between two answers of this text. */
  readonly longestWithoutMs: (text: string) => number;
}

/** More than a busy machine needs for one answer, so that only a service that is away fails. */
const PATIENCE_MS = 10_000;

/** Somebody outside who asks for one page all the time, one question after the other, and counts. */
export function visit(url: string): { readonly end: () => Promise<Visits> } {
  const visits: { readonly at: number; readonly text: string | undefined }[] = [];
  const begun = performance.now();
  const state = { over: false };
  const visiting = (async () => {
    while (!state.over) {
      const text = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) }).then(
        async (answer) => (await answer.text()).trim(),
        () => undefined,
      );
      visits.push({ at: performance.now(), text });
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  return {
    end: async () => {
      state.over = true;
      await visiting;
      const answers: Record<string, number> = {};
      for (const { text } of visits) if (text !== undefined) answers[text] = (answers[text] ?? 0) + 1;
      const ended = performance.now();
      const longest = (counts: (text: string | undefined) => boolean) => {
        const times = [begun, ...visits.filter(({ text }) => counts(text)).map(({ at }) => at), ended];
        return Math.round(Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? time))));
      };
      return {
        requests: visits.length,
        answers,
        failures: visits.filter(({ text }) => text === undefined).length,
        outages: visits.filter(({ text }, at) => text === undefined && visits[at - 1]?.text !== undefined).length,
        longestOutageMs: longest((text) => text !== undefined),
        longestWithoutMs: (wanted) => longest((text) => text === wanted),
      };
    },
  };
}
