export interface KeptOutput {
  add(chunk: Buffer): void;
  text(): string;
  readonly bytes: number;
  readonly truncated: boolean;
}

/** How much of a limit is the beginning's and how much the end's. */
export function shares(limit: number): { readonly head: number; readonly end: number } {
  const head = Math.floor(limit / 2);
  return { head, end: limit - head };
}

/** The kept parts as one text, which says how much is missing between them. */
export function joinKept(head: readonly Buffer[], dropped: number, end: Buffer): string {
  const gap = dropped > 0 ? Buffer.from(`\n[... ${dropped} bytes left out ...]\n`) : Buffer.alloc(0);
  return Buffer.concat([...head, gap, end]).toString('utf8');
}

/** Keeps the beginning and the end of a stream within a limit and counts all of it. */
export function keepOutput(limit: number): KeptOutput {
  const { head: headLimit, end: tailLimit } = shares(limit);
  const head: Buffer[] = [];
  let headBytes = 0;
  let tail: Buffer[] = [];
  let tailBytes = 0;
  let bytes = 0;

  return {
    add(chunk) {
      bytes += chunk.length;
      const forHead = Math.min(chunk.length, headLimit - headBytes);
      if (forHead > 0) {
        head.push(chunk.subarray(0, forHead));
        headBytes += forHead;
      }
      const rest = chunk.subarray(forHead);
      if (rest.length === 0) return;
      tail.push(rest);
      tailBytes += rest.length;
      // Joined only now and then: cutting at every chunk would copy the whole tail each time.
      if (tailBytes > tailLimit * 2) {
        tail = [lastOf(Buffer.concat(tail), tailLimit)];
        tailBytes = tailLimit;
      }
    },
    text() {
      const end = lastOf(Buffer.concat(tail), tailLimit);
      return joinKept(head, bytes - headBytes - end.length, end);
    },
    get bytes() {
      return bytes;
    },
    get truncated() {
      return bytes > limit;
    },
  };
}

function lastOf(buffer: Buffer, count: number): Buffer {
  return buffer.length <= count ? buffer : Buffer.from(buffer.subarray(buffer.length - count));
}
