/** While the event loop was busy, nothing that was measured can be told from our own slowness. */
export const LARGEST_LAG_MS = 200;
const BEAT_MS = 50;

export interface LagWatch {
  /** Whether the event loop hung at any time since then. */
  readonly laggedSince: (time: number) => boolean;
  readonly stop: () => void;
}

/** Times are of `performance.now()`, which no change of the clock moves. */
export function watchLag(now: () => number = () => performance.now()): LagWatch {
  let beat = now();
  let lagged = -Infinity;
  const look = () => {
    const time = now();
    // Also asked at once after a hang, before the timer comes to it.
    if (time - beat > BEAT_MS + LARGEST_LAG_MS) lagged = time;
    return time;
  };
  const timer = setInterval(() => {
    beat = look();
  }, BEAT_MS);
  timer.unref();
  return {
    laggedSince: (time) => {
      look();
      return lagged >= time;
    },
    stop: () => clearInterval(timer),
  };
}
