import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Three pieces of memory are made of each byte that comes: read, deciphered, taken out of HTTP. */
const EVERY_BYTES = 4 * 1024 * 1024;

/**
 * Call it with what has passed through. V8 leaves the memory behind Buffers that nobody has any more until 64 MiB of
 * them have come together, and then takes its time in a heap as large as n8n's: measured in n8n, up to 80 MiB more for a
 * stream of which nothing is kept. Looking through the youngest objects now and then takes a millisecond or two, and
 * frees them at once.
 */
export function youngGarbage(): { readonly passed: (bytes: number) => void } {
  let since = 0;
  return {
    passed: (bytes) => {
      since += bytes;
      if (since < EVERY_BYTES) return;
      since = 0;
      sweep()?.({ type: 'minor' });
    },
  };
}

type Sweep = (options: { readonly type: 'minor' }) => void;
let found: { readonly sweep: Sweep | undefined } | undefined;

/** V8 hands its collector to new contexts while this flag is on; nothing else hangs on it. Without it we do without. */
function sweep(): Sweep | undefined {
  if (found !== undefined) return found.sweep;
  try {
    setFlagsFromString('--expose-gc');
    const given: unknown = runInNewContext('gc');
    found = { sweep: typeof given === 'function' ? (given as Sweep) : undefined };
    setFlagsFromString('--no-expose-gc');
  } catch {
    found = { sweep: undefined };
  }
  return found.sweep;
}
