/** Hetzner's budget of requests: it grows back all the time, up to its limit. */
export interface Limit {
  readonly requests: number;
  readonly perSecond: number;
}

export interface Bucket {
  /** Takes one request; false when there is none. */
  readonly take: () => boolean;
  readonly headers: () => Record<string, string>;
}

export function createBucket({ requests, perSecond }: Limit): Bucket {
  let left = requests;
  let at = Date.now();
  const refill = () => {
    const passed = (Date.now() - at) / 1000;
    at = Date.now();
    left = Math.min(requests, left + passed * perSecond);
  };
  return {
    take: () => {
      refill();
      if (left < 1) return false;
      left -= 1;
      return true;
    },
    headers: () => ({
      'ratelimit-limit': String(requests),
      'ratelimit-remaining': String(Math.floor(left)),
      // When it is full again, in Unix time.
      'ratelimit-reset': String(Math.ceil(Date.now() / 1000 + (requests - left) / perSecond)),
    }),
  };
}
