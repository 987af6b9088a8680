/** How long to wait for a host that may be gone. */
export interface Patience {
  /** Resolves when it is over: because it is deaf, or because it was waited for long enough. */
  readonly over: Promise<'deaf' | 'late'>;
}

export interface Bounds {
  readonly leastMs: number;
  readonly mostMs: number;
}

/**
 * The most, while the host gives any sign of life: its network may be slow. The least, when nothing at all comes back
 * from it: then nothing of what is waited for can come.
 */
export function patienceWith({ leastMs, mostMs }: Bounds, deaf: Promise<boolean>): Patience {
  return {
    over: new Promise((resolve) => {
      let isDeaf = false;
      let leastIsOver = false;
      const end = () => {
        clearTimeout(least);
        clearTimeout(most);
        resolve(isDeaf ? 'deaf' : 'late');
      };
      const most = setTimeout(end, mostMs);
      const least = setTimeout(() => {
        leastIsOver = true;
        if (isDeaf) end();
      }, leastMs);
      const heard = (answer: boolean) => {
        isDeaf = answer;
        if (isDeaf && leastIsOver) end();
      };
      deaf.then(heard, () => undefined);
    }),
  };
}

/** Who usually answers in hundredths of a second and needs so many times as long is taken for silent. */
const TIMES = 5;

/** For one who is asked again and again, by how long answers usually take. */
export function usualPatience({ leastMs, mostMs }: Bounds, usualMs: number): number {
  return Math.min(mostMs, Math.max(leastMs, Math.ceil(TIMES * usualMs)));
}
